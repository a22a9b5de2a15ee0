"""What processes gain: one study in one process and spread over several, in pairs.

    python -m bench.bench_runner [STUDY] [--pairs=3] [--json] [OPTION OF check]...

Whole commands, start-up included; ratios are medians over the pairs, processes against one.
"""

import json
import sys
import tempfile
from pathlib import Path
from statistics import median

from assay.environment import cores_allowed
from bench.program import Run, run_program, same_digests

RUNNERS = ("local", "processes")


def main(arguments: list[str]) -> None:
    study, n_pairs, options = "hypotheses/digits.toml", 3, []
    for one in arguments:
        if one.startswith("--pairs="):
            n_pairs = int(one.removeprefix("--pairs="))
        elif one.endswith(".toml"):
            study = one
        elif one != "--json":
            options.append(one)
    pairs = []
    for number in range(n_pairs):
        with tempfile.TemporaryDirectory() as folder:
            order = RUNNERS if number % 2 == 0 else RUNNERS[::-1]
            made = {
                name: _check(study, options, name, Path(folder) / name)
                for name in order
            }
            local, spread = (same_digests(Path(folder) / name) for name in RUNNERS)
            if local != spread:
                sys.exit(f"{study}: processes gave other digests")
            pairs.append(made)
    figures = {"study": study, "cores": cores_allowed(), "pairs": n_pairs} | {
        f"{kind}_{name}": round(median(getattr(pair[name], kind) for pair in pairs), 1)
        for kind in ("wall_s", "cpu_s")
        for name in RUNNERS
    }
    for kind in ("wall", "cpu"):
        ratios = [
            getattr(pair["processes"], f"{kind}_s")
            / getattr(pair["local"], f"{kind}_s")
            for pair in pairs
        ]
        figures[f"{kind}_ratio"] = round(median(ratios), 2)
    if "--json" in arguments:
        print(json.dumps(figures))
    else:
        print("\n".join(f"{name:18} {value}" for name, value in figures.items()))


def _check(study: str, options: list[str], runner: str, artifacts: Path) -> Run:
    command = ["check", study, "--runner", runner, "--artifacts", str(artifacts)]
    run = run_program([*command, *options])
    if run.code:
        sys.exit(run.err)
    return run


if __name__ == "__main__":
    main(sys.argv[1:])
