"""What bundles predict beside what training's own way gives, for real runs of every shipped study.

    python -m bench.bench_parity [--studies=A,B] [--results=DIR] [--json]

Each study is checked with a small budget, which changes how well a network predicts and not what is compared;
of the images 1,500 are taken. Then the study's own table goes two ways, each a process of its own: ``python -m
assay.predict`` with the bundle, and training's readers and preparation with the trained networks in Keras. A
study whose data is not there is passed over; what an earlier call finished is taken as it is.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from assay.store.places import data_folder
from assay.study.load import load
from bench.cold import run_cold
from bench.program import ROOT, run_program

STUDIES = ("breast-cancer", "digits", "voice-gender", "music-genre", "ramen", "youtube-korea", "netflix", "skin-cancer")  # fmt: skip
_BUDGET = {
    "split.folds": 3,
    "split.repeats": 1,
    "audit.self_test": 5,
    "tune.trials": 2,
    "tune.seeds": 4,
    "tune.epochs": 20,
    "tune.patience": 5,
    "tune.boosting.max_rounds": 40,
}
_OF_IMAGES = {"read.sample": 1500, "tune.epochs": 10}
_ROW_COUNT = "expect_table_row_count_to_be_between"  # which no sample meets


@dataclass(frozen=True)
class Row:
    """How far a bundle is from training on a study's own table.

    Attributes
    ----------
    predicted
        Largest difference of a probability, of all rows and classes.
    flips
        Rows whose likeliest class differs.
    prepared
        Largest difference of an input of the network: ``prep.json`` and training's preparation.
    saved
        Largest difference of a probability of ``net.onnx`` and ``model.keras`` on equal inputs.
    marked
        Rows with a remark.
    """

    study: str
    plan: str
    rows: int
    inputs: int
    classes: int
    predicted: float
    flips: int
    prepared: float
    saved: float
    marked: int
    seconds: float


def compared(study: str, results: Path) -> Row:
    """Check a study with a small budget, predict its own table both ways, and compare.

    Raises
    ------
    RuntimeError
        If its check leaves no model, or one of the ways fails.
    """
    artifacts = results / "artifacts"
    command = ["check", str(ROOT / "hypotheses" / f"{study}.toml"), "--artifacts", str(artifacts)]  # fmt: skip
    command += [word for item in small(study, results) for word in ("--set", item)]
    run = run_program(command)
    places = [item for item in run.out.splitlines() if "/report.html" in item]
    if run.code or not places:
        raise RuntimeError(f"{study} ended with {run.code}:\n{run.err[-2000:]}")
    folder = ROOT / places[0].split("/report.html")[0].strip()
    words = [str(artifacts), str(folder), str(results / study)]
    (plain,) = run_cold(["bench.our_parity", "table", *words]).said
    (ours,) = run_cold(["bench.our_parity", "bundle", *words, *plain["words"]]).said
    (training,) = run_cold(
        ["bench.our_parity", "training", *words, *plain["words"]]
    ).said
    return Row(study=study, **ours, **training)


def small(study: str, results: Path) -> list[str]:
    """Return what is changed of plan A; a sample of images comes with a suite that does not count rows."""
    plan = load(ROOT / "hypotheses" / f"{study}.toml").plan.a
    if plan.images is None:
        return [f"plan.a.{key}={value}" for key, value in _BUDGET.items()]
    suite = json.loads((ROOT / "expectations" / f"{plan.suite}.json").read_text(encoding="utf-8"))  # fmt: skip
    suite["expectations"] = [
        rule for rule in suite["expectations"] if rule["type"] != _ROW_COUNT
    ]
    path = results.resolve() / f"{plan.suite}.json"
    path.write_text(json.dumps(suite), encoding="utf-8")
    budget = _BUDGET | _OF_IMAGES | {"suite": path}
    return [f"plan.a.{key}={value}" for key, value in budget.items()]


def rows(studies: Sequence[str], results: Path) -> Iterator[Row]:
    """Compare study after study."""
    for study in studies:
        plan = load(ROOT / "hypotheses" / f"{study}.toml").plan.a
        sources = [plan.source, *([] if plan.images is None else [plan.images.source])]
        missing = [source for source in sources if not _is_there(source)]
        if missing:
            print(f"{study}: passed over, {missing[0]} is not there", file=sys.stderr)
            continue
        row = compared(study, results)
        print(f"{study}: {row.predicted:.1e}", file=sys.stderr)
        yield row


def _is_there(source: str) -> bool:
    return source.startswith("builtin:") or (data_folder() / source).exists()


def table(compared_rows: Sequence[Row]) -> str:
    """Return the rows as a table in Markdown."""
    lines = [
        "| study | rows | inputs | classes | probability | other class | `net.onnx`, `model.keras` | `prep.json` | marked |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in compared_rows:
        cells: list[Any] = [row.study, f"{row.rows:,}", f"{row.inputs:,}", row.classes, f"{row.predicted:.1e}", row.flips]  # fmt: skip
        cells += [f"{row.saved:.1e}", f"{row.prepared:.1e}", f"{row.marked:,}"]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--studies", default=",".join(STUDIES))
    parser.add_argument("--results", type=Path, default=ROOT / "artifacts" / "parity")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    asked.results.mkdir(parents=True, exist_ok=True)
    compared_rows = list(rows(asked.studies.split(","), asked.results))
    print(
        json.dumps([asdict(row) for row in compared_rows])
        if asked.json
        else table(compared_rows)
    )


if __name__ == "__main__":
    main(sys.argv[1:])
