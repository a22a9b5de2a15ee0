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

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

POOLS = {"local-process": "process", "docker": "docker"}
_VARIABLE = re.compile(r"\{\{ *\$(\w+) *\}\}")
_SAID = """\
{%- set state = event.payload.validated_state or {} -%}
{"text": {{ ("NAME: " ~ event.resource.name ~ ". " ~ (event.payload.said or state.message or "")) | tojson }}}"""


def main() -> int:
    """Register everything, and return the exit code."""
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
    known = settings_of(settings)
    need_server(known["PREFECT_API_URL"], known.get("PREFECT_API_AUTH_STRING"))
    Path(known["ASSAY_DATA"]).mkdir(parents=True, exist_ok=True)  # containers mount it
    for pool, kind in POOLS.items():
        if not _exists(known, pool):
            _prefect(known, "work-pool", "create", pool, "--type", kind)
    _prefect(known, "--no-prompt", "deploy", "--all")
    names = _automate(known)
    sys.stdout.write(
        f"Registered pools {', '.join(POOLS)}, the deployments of prefect.yaml, "
        f"and automations {', '.join(names)}.\n"
    )


def settings_of(given: Mapping[str, str]) -> dict[str, str]:
    """Return the settings with our defaults for what prefect.yaml fills in.

    Raises
    ------
    StudyError
        If one is missing: Prefect would store the bare name, and say so in a warning only.
    """
    known = {
        "ASSAY_IMAGE": "localhost/assay",
        "ASSAY_DATA": str(data_folder().resolve()),
    } | {name: value for name, value in given.items() if value}
    wanted = _VARIABLE.findall(
        (PACKAGE.parent / "prefect.yaml").read_text(encoding="utf-8")
    )
    for name in ("PREFECT_API_URL", *wanted):
        if name not in known:
            raise StudyError(
                f"{name} is not set. With the server of `make serve`: "
                "export PREFECT_API_URL=http://127.0.0.1:4200/api"
            )
    return known


def need_server(address: str, password: str | None) -> None:
    """Refuse to go on without a server that lets us in.

    Raises
    ------
    Unreachable
        If it does not answer as a Prefect server does, or asks for another password.
    """
    user, _, secret = (password or "").partition(":")
    try:
        found = httpx.get(
            f"{address}/admin/version", auth=(user, secret) if user else None
        )
    except httpx.HTTPError as error:
        raise Unreachable(
            f"PREFECT_API_URL={address} does not answer: {error}. Start a server with `make serve`."
        ) from None
    if found.status_code == 401:
        raise Unreachable(
            f"PREFECT_API_URL={address} asks for a password. Set PREFECT_API_AUTH_STRING=user:password."
        )
    if found.status_code != 200:
        raise Unreachable(
            f"PREFECT_API_URL={address} is no Prefect server: it answered {found.status_code}. "
            "The address ends in /api."
        )


def automations(webhook: str | None = None) -> list[dict[str, Any]]:
    """Return what automations.yaml declares; where a webhook's block is named, it is called instead of nothing done."""
    text = (PACKAGE.parent / "automations.yaml").read_text(encoding="utf-8")
    declared: list[dict[str, Any]] = yaml.safe_load(text)["automations"]
    for one in declared if webhook else ():
        post = {
            "type": "call-webhook",
            "block_document_id": webhook,
            "payload": _SAID.replace("NAME", one["name"]),
        }
        one["actions"] = [
            post if act["type"] == "do-nothing" else act for act in one["actions"]
        ]
    return declared


def _exists(settings: Mapping[str, str], pool: str) -> bool:
    with _client(settings) as client:
        return pool in {one.name for one in client.read_work_pools()}


def _automate(settings: Mapping[str, str]) -> list[str]:
    """Register the automations under their names, in place of those that had them."""
    from prefect.events.schemas.automations import AutomationCore

    with _client(settings) as client:
        wanted = automations(_webhook(settings.get("ASSAY_WEBHOOK")))
        for one in map(AutomationCore.model_validate, wanted):
            for old in client.read_automations_by_name(one.name):
                client.delete_automation(old.id)
            client.create_automation(one)
    return [one["name"] for one in wanted]


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
    named = {PREFECT_API_URL: settings["PREFECT_API_URL"]} | (
        {PREFECT_API_AUTH_STRING: password} if password else {}
    )
    with temporary_settings(named), get_client(sync_client=True) as client:
        yield client


def _prefect(settings: Mapping[str, str], *words: str) -> None:
    """Call Prefect's command line in the project's folder, which is what it notes as the code's.

    Raises
    ------
    AssayError
        If it fails; what it said stands in the message.
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
        raise AssayError(
            f"prefect {' '.join(words)} ended with exit code {done.returncode}. {done.stdout}{done.stderr}"
        )


if __name__ == "__main__":
    sys.exit(main())
