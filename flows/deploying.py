"""Register pools, deployments and automations with a Prefect server: ``make deploy``.

It may be called again whenever prefect.yaml, automations.yaml or the parameters of a flow change.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import yaml
from pydantic import SecretStr

from assay.errors import AssayError, StudyError, Unreachable
from assay.store.places import PACKAGE, data_folder
from assay.wording import Sentence, language_of_the_machine, speak

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

POOLS = {"local-process": "process", "docker": "docker"}
_VARIABLE = re.compile(r"\{\{ *\$(\w+) *\}\}")
_PAYLOAD = """\
{%- set state = event.payload.validated_state or {} -%}
{"text": {{ ("NAME: " ~ event.resource.name ~ ". " ~ (event.payload.said or state.message or "")) | tojson }}}"""


def main() -> int:
    """Register everything, and return the exit code."""
    speak(language_of_the_machine())
    try:
        register(os.environ)
    except AssayError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def register(settings: Mapping[str, str]) -> None:
    """Register pools, deployments and automations with the server that PREFECT_API_URL names.

    Raises
    ------
    StudyError
        If a setting is missing.
    Unreachable
        If the server does not answer, or does not let us in.
    """
    full = settings_of(settings)
    need_server(full["PREFECT_API_URL"], full.get("PREFECT_API_AUTH_STRING"))
    Path(full["ASSAY_DATA"]).mkdir(parents=True, exist_ok=True)  # containers mount it
    for pool, kind in POOLS.items():
        if not _exists(full, pool):
            _prefect(full, "work-pool", "create", pool, "--type", kind)
    _prefect(full, "--no-prompt", "deploy", "--all")
    names = tuple(_automate(full))
    done = Sentence.of("flows.registered", pools=tuple(POOLS), automations=names)
    sys.stdout.write(f"{done}\n")


def settings_of(given: Mapping[str, str]) -> dict[str, str]:
    """Return the settings with our defaults for what prefect.yaml fills in.

    Raises
    ------
    StudyError
        If one is missing: Prefect would store the bare name, and say so in a warning only.
    """
    settings = {
        "ASSAY_IMAGE": "localhost/assay",
        "ASSAY_DATA": str(data_folder().resolve()),
    } | {name: value for name, value in given.items() if value}
    wanted = _VARIABLE.findall(
        (PACKAGE.parent / "prefect.yaml").read_text(encoding="utf-8")
    )
    for name in ("PREFECT_API_URL", *wanted):
        if name not in settings:
            raise StudyError("flows.setting_missing", name=name)
    return settings


def need_server(address: str, password: str | None) -> None:
    """Refuse to go on without a server that lets us in.

    Raises
    ------
    Unreachable
        If it does not answer as a Prefect server does, or asks for another password.
    """
    user, _, secret = (password or "").partition(":")
    login = (user, secret) if user else None
    try:
        answer = httpx.get(f"{address}/admin/version", auth=login)
    except httpx.HTTPError as error:
        raise Unreachable(
            "flows.address_silent", address=address, reason=str(error)
        ) from None
    status = answer.status_code
    if status == 401:
        raise Unreachable("flows.address_login", address=address)
    if status != 200:
        raise Unreachable("flows.address_other", address=address, status=status)


def automations(webhook: str | None = None) -> list[dict[str, Any]]:
    """Return what automations.yaml declares; where a webhook's block is named, it is called instead of nothing done."""
    text = (PACKAGE.parent / "automations.yaml").read_text(encoding="utf-8")
    declared: list[dict[str, Any]] = yaml.safe_load(text)["automations"]
    for automation in declared if webhook else ():
        post = {
            "type": "call-webhook",
            "block_document_id": webhook,
            "payload": _PAYLOAD.replace("NAME", automation["name"]),
        }
        automation["actions"] = [
            post if action["type"] == "do-nothing" else action
            for action in automation["actions"]
        ]
    return declared


def _exists(settings: Mapping[str, str], pool: str) -> bool:
    with _client(settings) as client:
        return pool in {existing.name for existing in client.read_work_pools()}


def _automate(settings: Mapping[str, str]) -> list[str]:
    """Register the automations under their names, in place of those that had them."""
    from prefect.events.schemas.automations import AutomationCore

    with _client(settings) as client:
        wanted = automations(_webhook(settings.get("ASSAY_WEBHOOK")))
        for automation in map(AutomationCore.model_validate, wanted):
            for old in client.read_automations_by_name(automation.name):
                client.delete_automation(old.id)
            client.create_automation(automation)
    return [automation["name"] for automation in wanted]


def _webhook(address: str | None) -> str | None:
    """Store where to post on the server, which encrypts it, and return the id of its block."""
    from prefect.blocks.webhook import Webhook

    if not address:
        return None
    block = Webhook(url=SecretStr(address))
    return str(block.save("assay", overwrite=True))


@contextmanager
def _client(settings: Mapping[str, str]) -> Iterator["SyncPrefectClient"]:
    from prefect.client.orchestration import get_client
    from prefect.settings import (
        PREFECT_API_AUTH_STRING,
        PREFECT_API_URL,
        temporary_settings,
    )

    password = settings.get("PREFECT_API_AUTH_STRING")
    server = {PREFECT_API_URL: settings["PREFECT_API_URL"]}
    login = {PREFECT_API_AUTH_STRING: password} if password else {}
    with temporary_settings(server | login), get_client(sync_client=True) as client:
        yield client


def _prefect(settings: Mapping[str, str], *words: str) -> None:
    """Call Prefect's command line in the project's folder, which is what it notes as the code's.

    Raises
    ------
    AssayError
        If it fails; the message holds its output.
    """
    done = subprocess.run(
        [sys.executable, "-m", "prefect", *words],
        cwd=PACKAGE.parent,
        env=dict(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        output = f"{done.stdout}{done.stderr}"
        raise AssayError(
            "flows.command_failed",
            command=" ".join(words),
            code=done.returncode,
            output=output,
        )


if __name__ == "__main__":
    sys.exit(main())
