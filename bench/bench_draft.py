"""Does a drafted study run unedited? Draft and check tables of many shapes, and tell what came of each.

    python -m bench.bench_draft [FOLDER] [--only NAME]...

Without a folder, scikit-learn's own tables. In a folder, every CSV file; ``targets.toml`` beside them
says of each, by its name without ending, ``target`` and perhaps ``unit`` or ``order``; the target of
a table that is not there is its last column. The budget is small: whether it runs is asked, not how well.
"""

import itertools
import json
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from sklearn import datasets

from bench.program import run_program

BUDGET = {
    "plan.a.split.repeats": "1",
    "plan.a.tune.trials": "2",
    "plan.a.tune.seeds": "2",
    "plan.a.tune.epochs": "10",
    "plan.a.audit.self_test": "5",
}


def main(arguments: list[str]) -> None:
    only = [
        name for option, name in itertools.pairwise(arguments) if option == "--only"
    ]
    given = [
        argument
        for argument in arguments
        if not argument.startswith("-") and argument not in only
    ]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(given[0]) if given else scikit_learn(Path(scratch) / "tables")
        print(
            "| table | rows x columns | asked | outcome | seconds |\n|---|---|---|---|---|"
        )
        for path, options in tables(folder):
            if not only or path.stem in only:
                print(line(path, options, Path(scratch) / "artifacts"), flush=True)


def tables(folder: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield each table of a folder with what is asked of it."""
    declared = folder / "targets.toml"
    asked = (
        tomllib.loads(declared.read_text(encoding="utf-8"))
        if declared.is_file()
        else {}
    )
    for path in sorted(folder.glob("*.csv")):
        last = str(pd.read_csv(path, nrows=1).columns[-1])
        yield path, asked.get(path.stem, {"target": last})


def line(path: Path, options: dict[str, str], artifacts: Path) -> str:
    """Draft and check one table; return a line of the report."""
    frame = pd.read_csv(path)
    command = ["check", str(path), "--artifacts", str(artifacts), "--json"]
    for name, value in options.items():
        command += [f"--{name}", value]
    for key, value in BUDGET.items():
        command += ["--set", f"{key}={value}"]
    run = run_program(command)
    if run.code == 0:
        verdict = json.loads(run.out.splitlines()[-1])
        alarms = sorted(
            f"{flag['sentinel']} {' '.join(flag['columns'])}".strip()
            for flag in verdict["flags"]
        )
        outcome = verdict["outcome"] + (f" ({', '.join(alarms)})" if alarms else "")
        if "all met" not in run.err:
            outcome += ", expectations not met"
    else:
        outcome = f"exit {run.code}: {run.err.strip().splitlines()[-1]}"
    asked = " ".join(f"{name} {value}" for name, value in options.items())
    n_rows, n_columns = frame.shape
    return f"| {path.stem} | {n_rows:,} x {n_columns} | {asked} | {outcome} | {run.wall_s:.0f} |"


def scikit_learn(folder: Path) -> Path:
    """Write the tables that scikit-learn brings as CSV files and return their folder."""
    folder.mkdir(parents=True)
    for name in ("iris", "wine", "breast_cancer", "digits", "diabetes", "linnerud"):
        bunch = getattr(datasets, f"load_{name}")(as_frame=True)
        table = bunch.data.copy()
        if name == "linnerud":
            table["Weight"] = bunch.target["Weight"]
        elif name == "diabetes":
            table["progression"] = bunch.target
        else:
            table["class"] = [str(bunch.target_names[code]) for code in bunch.target]
        table.to_csv(folder / f"{name}.csv", index=False)
    return folder


if __name__ == "__main__":
    main(sys.argv[1:])
