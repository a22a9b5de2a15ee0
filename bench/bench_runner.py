"""What processes gain: one study in one process and spread over several, in pairs.

    python -m bench.bench_runner [STUDY] [--against=processes|dask] [--pairs=3] [--json] [OPTION OF check]...

Whole commands, start-up included; ratios are medians over the pairs, several against one. ``spread_s`` is the
part that is spread: self-test, outer folds and final fit, from the gate's end on. For a curve, give fewer cores: ``taskset -c 0-3 python -m ...``.
"""

import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from assay.store.machine import cores_allowed
from bench.program import run_program, same_digests


def main(arguments: list[str]) -> None:
    study, n_pairs, against, options = "hypotheses/digits.toml", 3, "processes", []
    for argument in arguments:
        if argument.startswith("--pairs="):
            n_pairs = int(argument.removeprefix("--pairs="))
        elif argument.startswith("--against="):
            against = argument.removeprefix("--against=")
        elif argument.endswith(".toml"):
            study = argument
        elif argument != "--json":
            options.append(argument)
    runners, pairs = ("local", against), []
    for number in range(n_pairs):
        with tempfile.TemporaryDirectory() as folder:
            order = runners if number % 2 == 0 else runners[::-1]
            made = {
                name: _check(study, options, name, Path(folder) / name)
                for name in order
            }
            local, spread = (same_digests(Path(folder) / name) for name in runners)
            if local != spread:
                sys.exit(f"{study}: processes gave other digests")
            pairs.append(made)
    figures = {"study": study, "cores": cores_allowed(), "pairs": n_pairs}
    for kind in ("wall_s", "cpu_s", "spread_s"):
        for name in runners:
            taken = median(getattr(pair[name], kind) for pair in pairs)
            figures[f"{kind}_{name}"] = round(taken, 1)
        ratios = (
            getattr(pair[against], kind) / getattr(pair["local"], kind)
            for pair in pairs
        )
        figures[f"{kind[:-2]}_ratio"] = round(median(ratios), 2)
    if "--json" in arguments:
        print(json.dumps(figures))
    else:
        print("\n".join(f"{name:18} {value}" for name, value in figures.items()))


@dataclass(frozen=True)
class Timed:
    """What a command took, and of it the part that can be spread."""

    wall_s: float
    cpu_s: float
    spread_s: float


def _check(study: str, options: list[str], runner: str, artifacts: Path) -> Timed:
    moments: dict[str, float] = {}

    def hear(line: str) -> bool:
        moments[line.split(" ", maxsplit=1)[0]] = time.perf_counter()
        return False

    command = ["check", study, "--runner", runner, "--artifacts", str(artifacts)]
    run = run_program([*command, *options], until=hear)
    if run.code:
        sys.exit(run.err)
    return Timed(run.wall_s, run.cpu_s, moments["final"] - moments["gate"])


if __name__ == "__main__":
    main(sys.argv[1:])
