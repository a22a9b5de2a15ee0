"""What a whole check takes outside training: the first time, and where results are stored.

    python -m bench.bench_overhead [STUDY] [--rounds N] [--json] [--set KEY=VALUE]...

All in one process. Training is what the stages gate, self_test, tune and final say they took. ``first``: an empty
artifacts folder. ``stored``: the run's folder is taken away, so that the flow runs and every stage
finds its result. ``finished``: the same command on a finished run. Medians over N rounds (3).
"""

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.program import Run, run_program

TRAINING = ("gate", "self_test", "tune", "final")


def outside_s(run: Run) -> float:
    """Return the wall seconds of a run outside training."""
    return run.wall_s - run.stage_seconds(*TRAINING)


def measured(command: Sequence[str]) -> dict[str, float]:
    """Run a check three times in one new folder, and say what each took.

    Raises
    ------
    RuntimeError
        If the check fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        whole = ["check", *command, "--runner", "local", "--artifacts", folder]
        first = _checked(whole)
        finished = _checked(whole)
        shutil.rmtree(Path(folder) / "runs")
        stored = _checked(whole)
    return {
        "first_wall_s": first.wall_s,
        "first_outside_s": outside_s(first),
        "first_outside_stages_s": first.wall_s - first.stage_seconds(),
        "stored_outside_s": outside_s(stored),
        "stored_cpu_s": stored.cpu_s,
        "finished_wall_s": finished.wall_s,
        "finished_cpu_s": finished.cpu_s,
    }


def _checked(command: Sequence[str]) -> Run:
    run = run_program(command)
    if run.code:
        raise RuntimeError(run.err)
    return run


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("study", nargs="?", default="hypotheses/digits.toml")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args(arguments)
    settings = [word for item in options.set for word in ("--set", item)]
    rounds = [measured([options.study, *settings]) for _ in range(options.rounds)]
    figures = {
        name: float(np.median([item[name] for item in rounds])) for name in rounds[0]
    }
    print("\n".join(f"{name:24} {value:7.2f}" for name, value in figures.items()))
    if options.json:
        print(json.dumps({"study": options.study} | figures))


if __name__ == "__main__":
    main()
