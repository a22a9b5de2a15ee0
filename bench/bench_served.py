"""How long a deployment of `make serve` takes to its first stage, and pictures of it in a browser.

    python -m bench.bench_served [--rounds N] [--pictures FOLDER]

A server, a worker and the deployment ``check_hypothesis/breast-cancer``, on a free port and in a new folder. Each round
waits until the run of the one before is done; from the second on every stage is stored, which changes nothing before
the first. Medians over N rounds (3), in wall seconds. ``--pictures`` runs the deployment from its form in Chromium
first, and writes the form, the page of the run and the verdict as PNG files.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

from PIL import Image
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.settings import PREFECT_API_URL, temporary_settings

from bench.browser import Page, page_in_chromium
from bench.served import fill, open_form, open_verdict, run_from_form, served

STUDY = "breast-cancer"
_BETWEEN_S = 1.0
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def measured(address: str) -> tuple[UUID, dict[str, float]]:
    """Run the deployment as a person would; return the run and the seconds from the command to each step."""
    begun = datetime.now(UTC)
    run_id = _ordered(f"{address}/api")
    ordered = datetime.now(UTC)
    with _client(address) as client:
        of_run = FlowRunFilter(id=FlowRunFilterId(any_=[run_id]))
        while not (started := _started(client.read_task_runs(flow_run_filter=of_run))):
            run = client.read_flow_run(run_id)
            if run.state is not None and run.state.is_final():
                raise RuntimeError(f"{run.name} ended without a stage: {run.state}")
            time.sleep(_BETWEEN_S)
        states = client.read_flow_run_states(run_id)
        created = client.read_flow_run(run_id).created
    first = {state.type.value: state.timestamp for state in reversed(states)}
    steps = {
        "the run exists": created,
        "the command has ended": ordered,
        "a worker has it": first["PENDING"],
        "its flow runs": first["RUNNING"],
        "its first stage runs": min(started),
    }
    return run_id, {name: (at - begun).total_seconds() for name, at in steps.items()}


def await_end(address: str, run_id: UUID) -> None:
    """Wait until a run has ended: two of one deployment do not overlap."""
    with _client(address) as client:
        while not client.read_flow_run(run_id).state.is_final():
            time.sleep(_BETWEEN_S)


def _started(stages: list[Any]) -> list[datetime]:
    return [stage.start_time for stage in stages if stage.start_time]


@contextmanager
def _client(address: str) -> Iterator[Any]:
    named = {PREFECT_API_URL: f"{address}/api"}
    with temporary_settings(named), get_client(sync_client=True) as client:
        yield client


def _ordered(address: str) -> UUID:
    words = ["deployment", "run", f"check_hypothesis/{STUDY}"]
    done = subprocess.run(
        [sys.executable, "-m", "prefect", *words],
        env={**os.environ, "PREFECT_API_URL": address},
        capture_output=True,
        text=True,
        check=True,
    )
    match = _ID.search(done.stdout)
    assert match is not None, done.stdout
    return UUID(match[0])


def draw(page: Page, address: str, folder: Path) -> None:
    """Check the study from its form, and keep what is seen on the way."""
    folder.mkdir(parents=True, exist_ok=True)
    open_form(page, address, STUDY)
    fill(page, {"runner": "processes"})
    page.ask("scrollTo(0, 0)")
    _keep(page, folder / "form.png")
    run_from_form(page, f"check {STUDY}")
    page.click("Artifacts")
    page.shows(f"verdict-{STUDY}")
    _keep(page, folder / "run.png")
    open_verdict(page, STUDY)
    _keep(page, folder / "verdict.png")


def _keep(page: Page, path: Path) -> None:
    """Write the window in 256 colours: a small file."""
    time.sleep(2 * _BETWEEN_S)  # what fades in has done so
    with Image.open(BytesIO(page.picture())) as seen:
        few = seen.convert("RGB").quantize(
            256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        )
        few.save(path, optimize=True)
    print(f"{path} ({path.stat().st_size / 1000:.0f} kB)")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=Path, metavar="FOLDER")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        place, begun = Path(folder), time.monotonic()
        with served(place) as address:
            print(f"{'ready':24} {time.monotonic() - begun:7.1f}")
            if options.pictures:
                with page_in_chromium(place / "profile", 1180, 1240) as page:
                    draw(page, address, options.pictures)
            rounds: list[dict[str, float]] = []
            for number in range(options.rounds):
                run_id, steps = measured(address)
                rounds.append(steps)
                if number + 1 < options.rounds:
                    await_end(address, run_id)
        for name in rounds[0] if rounds else ():
            every = [round_[name] for round_ in rounds]
            print(f"{name:24} {median(every):7.1f}  {min(every):.1f}-{max(every):.1f}")


if __name__ == "__main__":
    main()
