"""What a shared store costs and moves: one study on two machines that share nothing else.

    python -m bench.bench_store [STUDY] [--store=s3://BUCKET/EMPTY-PREFIX] [--json] [OPTION OF check]...

Three whole commands in one process each, start-up included: alone; on a first machine that shares; on a second one, which
finds everything. Bytes are of what lies in the store then: a stage's results, and the objects that no earlier
stage put. ``in`` is what a machine with an empty folder reads before its first fold, once for all folds of it.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import fsspec

from assay.stages.stage import decode
from assay.store.records import Record
from bench.program import run_program, same_digests

STAGES = ["ingest", "validate", "clean", "split", "audit", "gate", "self_test", "tune", "final", "judge", "weigh", "explain", "bundle"]  # fmt: skip
HANDED = ("clean", "split")  # whose objects a fold begins with


def main(arguments: list[str]) -> None:
    study, address, options = "hypotheses/digits.toml", None, []
    for argument in arguments:
        if argument.startswith("--store="):
            address = argument.removeprefix("--store=")
        elif argument.endswith(".toml"):
            study = argument
        elif argument != "--json":
            options.append(argument)
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(study, options, Path(folder), address)
    if "--json" in arguments:
        print(json.dumps(figures))
        return
    print("machine   wall s  CPU s")
    for name, cost in figures["machines"].items():
        print(f"{name:8}  {cost['wall_s']:6.1f}  {cost['cpu_s']:5.1f}")
    print("stage      calls  results B  objects B")
    for name, kept in figures["stages"].items():
        print(
            f"{name:9}  {kept['calls']:5}  {kept['results']:9,}  {kept['objects']:9,}"
        )
    print(f"a fold: {figures['in']:,} B in, once a machine; {figures['out']:,} B out")


def measured(
    study: str, options: list[str], folder: Path, address: str | None
) -> dict[str, Any]:
    """Return what each machine's command cost, what every stage kept, and what a fold takes and gives."""
    (folder / "mounted").mkdir()
    address = address or f"file://{folder}/mounted"
    costs = {}
    for name, sharing in {
        "alone": [],
        "first": ["--store", address],
        "second": ["--store", address],
    }.items():
        command = ["check", study, "--runner", "local", *options, *sharing]
        run = run_program([*command, "--artifacts", str(folder / name)])
        if run.code:
            sys.exit(run.err)
        if same_digests(folder / name) != same_digests(folder / "alone"):
            sys.exit(f"{study}: {name} gave other digests")
        costs[name] = {"wall_s": round(run.wall_s, 1), "cpu_s": round(run.cpu_s, 1)}
    stages = kept(address)
    folds = stages["tune"]
    return {
        "study": study,
        "machines": costs,
        "stages": stages,
        "in": sum(stages[name]["objects"] for name in HANDED),
        "out": (folds["results"] + folds["objects"]) // folds["calls"],
    }


def kept(address: str) -> dict[str, dict[str, int]]:
    """Return how many results of each stage lie at an address, and how many bytes they and their objects have."""
    files, seen = fsspec.filesystem(address.partition(":")[0]), set()
    sizes = {}
    for stage in STAGES:
        place = f"{address}/results/{stage}"
        contents = [files.cat_file(name) for name in files.find(place)]
        if not contents:
            continue
        refs = {ref for content in contents for ref in record(content).refs()} - seen
        seen |= refs
        sizes[stage] = {
            "calls": len(contents),
            "results": sum(map(len, contents)),
            "objects": sum(ref.size for ref in refs),
        }
    return sizes


def record(content: bytes) -> Record:
    """Return the record in a stored result: behind the line of its digest."""
    return decode(content.partition(b"\n")[2])


if __name__ == "__main__":
    main(sys.argv[1:])
