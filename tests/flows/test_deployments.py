"""prefect.yaml and automations.yaml name real studies, flows and parameters, and a server takes them."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.events.schemas.automations import AutomationCore
from prefect.server.schemas.schedules import CronSchedule
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import ValidationError, validate

from assay.errors import StudyError, Unreachable
from assay.study.load import load
from flows.deploying import automations, need_server, settings_of
from flows.main import check_hypothesis
from flows.reruns import reproduce
from flows.serving import settings_of_one_person

pytestmark = pytest.mark.flow

ROOT = Path(__file__).resolve().parents[2]
FLOWS: dict[str, Flow[Any, Any]] = {
    "flows/main.py:check_hypothesis": check_hypothesis,
    "flows/reruns.py:reproduce": reproduce,
}
DECLARED = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
DEPLOYMENTS: list[dict[str, Any]] = DECLARED["deployments"]
STUDIES = sorted(
    path.relative_to(ROOT).as_posix() for path in (ROOT / "hypotheses").glob("*.toml")
)
SET = {"PREFECT_API_URL": "http://127.0.0.1:1/api"}
N_TRIES, BETWEEN_S = 600, 0.5


def names(some: list[dict[str, Any]]) -> set[str]:
    return {one["name"] for one in some}


@pytest.mark.parametrize("study", STUDIES)
def test_every_study_has_a_deployment_of_its_name(study: str):
    (found,) = (one for one in DEPLOYMENTS if one["name"] == load(ROOT / study).name)

    assert found["parameters"]["study"] == study
    assert found["work_pool"]["name"] == "local-process"


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda one: one["name"])
def test_a_deployment_gives_its_flow_parameters_that_the_form_takes(
    deployment: dict[str, Any],
):
    schema = parameter_schema(FLOWS[deployment["entrypoint"]]).model_dump_for_openapi()
    usual = deployment["parameters"]

    for schedule in [{}, *deployment.get("schedules", [])]:
        given = usual | schedule.get("parameters", {})
        validate(given, schema, raise_on_error=True, preprocess=False)
        assert set(given) <= set(schema["properties"])


@pytest.mark.parametrize("flow", FLOWS.values(), ids=lambda flow: str(flow.name))
def test_every_field_of_a_form_says_what_it_is_for(flow: Flow[Any, Any]):
    fields = parameter_schema(flow).properties

    assert all(field.get("description") for field in fields.values())


@pytest.mark.parametrize(
    "wrong",
    [{"audit": 1.5}, {"overrides": ["plan.a.tune.trials"]}, {"runner": "threads"}],
    ids=str,
)
def test_the_form_refuses_what_the_flow_would(wrong: dict[str, Any]):
    schema = parameter_schema(check_hypothesis).model_dump_for_openapi()

    with pytest.raises(ValidationError, match=next(iter(wrong))):
        validate(wrong, schema, raise_on_error=True, preprocess=False)


def test_what_is_called_offline_needs_no_file_and_what_is_scheduled_is_offline():
    offline = [one for one in DEPLOYMENTS if "offline" in one["tags"]]
    needing_none = {
        study.name
        for study in (load(ROOT / path) for path in STUDIES)
        if all(
            study.of(name).source.startswith("builtin:")  # type: ignore[union-attr]
            for name in study.plans()
        )
    }
    (weekly,) = (one for one in DEPLOYMENTS if one["name"] == "weekly")
    scheduled = {one["parameters"]["run"] for one in weekly["schedules"]}

    assert names(offline) == needing_none == scheduled


def test_every_schedule_names_its_next_runs():
    """Locked together, some versions of Prefect and `whenever` make no run of any schedule."""
    schedules = [one for each in DEPLOYMENTS for one in each.get("schedules", [])]
    start = datetime(2026, 11, 30, tzinfo=UTC)

    assert schedules
    for one in schedules:
        cron = CronSchedule(cron=one["cron"], timezone=one["timezone"])
        runs = asyncio.run(cron.get_dates(2, start=start))
        assert [run.isoweekday() for run in runs] == [7, 7]
        assert (runs[1] - runs[0]).days == 7


def test_a_container_looks_for_the_code_where_the_image_has_it():
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    (folder,) = {
        step["directory"]
        for one in DEPLOYMENTS
        if one["work_pool"]["name"] == "docker"
        for pull in one["pull"]
        for step in pull.values()
    }

    assert re.findall(r"^WORKDIR (.*)$", dockerfile, re.MULTILINE)[-1] == folder


def test_a_setting_that_is_missing_or_empty_is_named():
    with pytest.raises(StudyError, match="PREFECT_API_URL is not set"):
        settings_of({"PREFECT_API_URL": ""})


def test_what_prefect_yaml_fills_in_is_known_unless_it_is_given():
    found = settings_of(SET | {"ASSAY_IMAGE": "another", "ASSAY_DATA": ""})

    assert found["ASSAY_IMAGE"] == "another"
    assert Path(found["ASSAY_DATA"]).is_absolute()


def test_a_server_that_does_not_answer_is_named():
    with pytest.raises(Unreachable, match=r"127.0.0.1:1/api does not answer"):
        need_server(SET["PREFECT_API_URL"], None)


def test_automations_are_what_a_server_takes_and_each_calls_the_webhook_or_acts():
    for webhook in (None, "00000000-0000-4000-8000-000000000000"):
        found = [AutomationCore.model_validate(one) for one in automations(webhook)]
        kinds = {one.name: {action.type for action in one.actions} for one in found}

        assert len(kinds) == len(found)
        told = "call-webhook" if webhook else "do-nothing"
        acts = kinds.pop("assay-lost")
        assert acts == {"change-flow-run-state"}
        assert all(one == {told} for one in kinds.values())


def test_a_server_for_one_person_listens_to_this_machine_and_its_own_pages():
    found = settings_of_one_person("4311")

    assert found["PREFECT_SERVER_API_HOST"] == "127.0.0.1"
    assert found["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] == "http://127.0.0.1:4311"
    assert found["PREFECT_SERVER_CSRF_PROTECTION_ENABLED"] == "true"


def test_serving_registers_everything_and_ctrl_c_ends_it(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as place:
        port = place.getsockname()[1]
    said = tmp_path / "said"
    with said.open("wb") as out:
        serving = subprocess.Popen(
            [sys.executable, "-m", "flows.serving"],
            cwd=ROOT,
            env=os.environ
            | {"ASSAY_ARTIFACTS": str(tmp_path), "ASSAY_PORT": str(port)},
            stdout=out,
            stderr=out,
        )
    for _ in range(N_TRIES):
        if b"Ctrl-C" in said.read_bytes() or serving.poll() is not None:
            break
        time.sleep(BETWEEN_S)
    serving.send_signal(signal.SIGINT)

    assert serving.wait(timeout=N_TRIES * BETWEEN_S) == 130, said.read_text()
    assert b"Registered the pools" in said.read_bytes()
    with pytest.raises(Unreachable):
        need_server(f"http://127.0.0.1:{port}/api", None)
