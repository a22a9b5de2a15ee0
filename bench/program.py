"""Start the program as a person would, watch its lines, kill it at one of them, weigh it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "flows" / "main.py"
PLAIN, PREFECT = (
    ("-m", "assay"),
    (str(PROGRAM),),
)  # the program without Prefect, and as its flow
STORED = "  stored  "


@dataclass(frozen=True)
class Run:
    """How a process ended, what it said, and what it cost, its children's CPU included."""

    code: int
    out: str
    err: str
    wall_s: float
    cpu_s: float

    @property
    def verdict(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return record

    def stored(self, stage: str) -> int:
        """Return how many lines of a stage say that its result was there already."""
        return sum(
            line.startswith(stage) and STORED in line for line in self.err.splitlines()
        )

    def stage_seconds(self, *stages: str) -> float:
        """Return the seconds of these stages together, or of all, as the progress lines tell them."""
        lines = [line.split() for line in self.err.splitlines() if STORED not in line]
        return sum(
            float(words[1])
            for words in lines
            if len(words) > 2 and words[2] == "s" and (not stages or words[0] in stages)
        )


def computed(line: str, stage: str) -> bool:
    """Return whether a progress line says that a stage was computed just now."""
    return line.startswith(stage) and STORED not in line


def run_program(
    arguments: Sequence[str],
    folder: Path = ROOT,
    until: Callable[[str], bool] | None = None,
    program: Sequence[str] = PLAIN,
) -> Run:
    """Run the program in English; kill -9 it and its children once a line on stderr satisfies ``until``."""
    begun, before = time.perf_counter(), children_cpu()
    lines: list[str] = []
    with subprocess.Popen(
        [sys.executable, *program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=environment(),
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stderr:
            lines.append(line)
            if until is not None and until(line):
                os.killpg(process.pid, signal.SIGKILL)
                break
        out = process.stdout.read()
    cpu_s = children_cpu() - before
    return Run(
        process.returncode, out, "".join(lines), time.perf_counter() - begun, cpu_s
    )


def environment() -> dict[str, str]:
    """Return this process's environment, in which the program is found from any folder and speaks English."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "LC_ALL": "C.UTF-8"}


def same_digests(artifacts: Path) -> dict[str, str]:
    """Return the digests of the one finished run in a folder."""
    (manifest,) = artifacts.glob("runs/*/manifest.json")
    digests: dict[str, str] = json.loads(manifest.read_text(encoding="utf-8"))["same"]
    return digests


def children_cpu() -> float:
    """Return the CPU seconds of all child processes that have ended."""
    times = os.times()
    return times.children_user + times.children_system
