"""Modules run as processes of their own, from cold: what they say last, and what they cost."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.program import ROOT, children_cpu


@dataclass(frozen=True)
class Cost:
    """What processes started together said on their last line, in order, and cost together."""

    said: tuple[dict[str, Any], ...]
    wall_s: float
    cpu_s: float


def run_cold(*commands: Sequence[str]) -> Cost:
    """Run ``python -m COMMAND`` for each command, all at once, and wait for all.

    Raises
    ------
    RuntimeError
        If one fails; what it wrote follows.
    """
    begun, before = time.perf_counter(), children_cpu()
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / str(number) for number in range(len(commands))]
        processes = [
            _started(command, file)
            for command, file in zip(commands, files, strict=True)
        ]
        codes = [process.wait() for process in processes]
        wall_s, cpu_s = time.perf_counter() - begun, children_cpu() - before
        outputs = [file.read_text(encoding="utf-8") for file in files]
    for code, command, lines in zip(codes, commands, outputs, strict=True):
        if code:
            raise RuntimeError(f"{' '.join(command)} failed:\n{lines}")
    records = tuple(json.loads(lines.splitlines()[-1]) for lines in outputs)
    return Cost(records, wall_s, cpu_s)


def _started(command: Sequence[str], file: Path) -> subprocess.Popen[bytes]:
    """Start a module; a file takes what it says, because a full pipe would hold it up."""
    with file.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        )
