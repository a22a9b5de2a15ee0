"""What each stage of a check costs: CPU-seconds of the program and all it starts, and its share of the whole.

    python -m bench.bench_stages STUDY [--set=KEY=VALUE]... [--small] [--json]

STUDY is the name of a shipped one, which ``--small`` checks with the budget of ``bench_parity``. All
stages run one after the other (``--runner local``), from nothing. A stage's seconds are those that passed
until its line was told, so that what lies between two stages counts with the later one. Linux.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.bench_parity import small
from bench.program import ROOT, run_program

_TICKS = os.sysconf("SC_CLK_TCK")


def measured(study: str, changes: Sequence[str], *, cut: bool) -> dict[str, float]:
    """Check a study, with the small budget if ``cut``, and return the CPU-seconds of each stage, in their order."""
    seconds: dict[str, float] = {}
    last = 0.0

    def hear(line: str) -> bool:
        nonlocal last
        name, *rest = line.split() or [""]
        if len(rest) > 1 and rest[1] == "s":
            now = sum(map(cpu_of, descendants(os.getpid())))
            seconds[name] = seconds.get(name, 0.0) + now - last
            last = now
        return False

    with tempfile.TemporaryDirectory() as artifacts:
        changes = [*small(study, Path(artifacts)), *changes] if cut else changes
        command = ["check", str(ROOT / "hypotheses" / f"{study}.toml")]
        command += ["--runner", "local", "--artifacts", artifacts]
        command += [word for change in changes for word in ("--set", change)]
        run = run_program(command, until=hear)
    if run.code:
        sys.exit(run.err[-2000:])
    return seconds


def descendants(process: int) -> Iterator[int]:
    """Yield the processes that one has started, and theirs, as far as they are still there."""
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, children.read_text(encoding="utf-8").split()):
            yield child
            yield from descendants(child)


def cpu_of(process: int) -> float:
    """Return the CPU-seconds of a process and of its children that have ended; 0 if it is gone."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    return sum(map(int, stat.rpartition(")")[2].split()[11:15])) / _TICKS


def table(seconds: dict[str, float]) -> str:
    """Return the stages as a table in Markdown."""
    whole = sum(seconds.values())
    lines = ["| stage | CPU-seconds | of all |", "| --- | ---: | ---: |"]
    lines += [f"| {k} | {v:.1f} | {v / whole:.0%} |" for k, v in seconds.items()]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("study")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    seconds = measured(asked.study, asked.set, cut=asked.small)
    print(json.dumps(seconds) if asked.json else table(seconds))


if __name__ == "__main__":
    main(sys.argv[1:])
