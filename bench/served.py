"""`make serve` for as long as a block lasts, and what a person does with it in a browser."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.browser import Page
from bench.program import ROOT

READY = b"Ctrl-C"
_STARTS_S, _RUNS_S, _ENDS_S, _BETWEEN_S = 600, 1800, 300, 0.5


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve on a free port, with a folder of its own for what runs leave, and yield the address of the pages.

    Raises
    ------
    RuntimeError
        If it ends before it is ready or is never ready; what it said is in the message.
    """
    with socket.create_server(("127.0.0.1", 0)) as place:
        port = place.getsockname()[1]
    log = folder / "served.log"
    settings = {"ASSAY_ARTIFACTS": str(folder), "ASSAY_PORT": str(port)}
    with log.open("wb") as out:
        serving = subprocess.Popen(
            [sys.executable, "-m", "flows.serving"],
            cwd=ROOT,
            env=os.environ | settings,
            stdout=out,
            stderr=out,
        )
    try:
        last = time.monotonic() + _STARTS_S
        while READY not in log.read_bytes():
            if serving.poll() is not None or time.monotonic() > last:
                raise RuntimeError(f"not ready: {log.read_text(errors='replace')}")
            time.sleep(_BETWEEN_S)
        yield f"http://127.0.0.1:{port}"
    finally:
        serving.send_signal(signal.SIGINT)
        serving.wait(timeout=_ENDS_S)


def open_form(page: Page, address: str, deployment: str) -> None:
    """Open the form of a deployment the way a person gets there."""
    page.open(f"{address}/v2/deployments")
    page.click(deployment)
    page.click("Run")
    page.click("Custom run")
    page.shows("Enforce Parameter Schema")


def fill(page: Page, values: Mapping[str, str]) -> None:
    """Write into fields of the form; of one that may stay empty, what is a text has to be chosen first."""
    for name, value in values.items():
        label = f"{name} (Optional)"
        if name in ("data", "artifacts"):
            page.click("str", below=label)
        page.write(label, value)


def run_from_form(page: Page, name: str) -> None:
    """Send the form off and wait on the page of the run until its state says that it is done."""
    page.until_clicked("Submit", "Next Run")
    page.open(page.ask("location.origin") + "/v2/runs")
    page.click(name, longest_s=_STARTS_S)
    ended = ("Completed", "Failed", "Crashed", "Cancelled")
    page.until(
        f"{list(ended)}.some(one => document.body.innerText.split('\\n').includes(one))",
        _RUNS_S,
    )


def open_verdict(page: Page, study: str) -> None:
    """Open the page of a study's verdict from the page of a run."""
    page.click("Artifacts")
    page.click(f"verdict-{study}")
    page.shows("The whole report")
