"""What one check costs: wall, CPU and memory of a first run, and CPU of the same command again.

    python -m bench.bench_run [STUDY] [--json]

In one process, where the times of the stages add up. Prefect's own share is the wall time outside our stages and outside the interpreter's start.
"""

import json
import sys
import tempfile
from pathlib import Path

from bench.program import run_program


def main(arguments: list[str]) -> None:
    study = next(
        (argument for argument in arguments if not argument.startswith("-")),
        "hypotheses/digits.toml",
    )
    with tempfile.TemporaryDirectory() as folder:
        command = ["check", study, "--runner", "local", "--artifacts", folder]
        first = run_program(command)
        if first.code:
            sys.exit(first.err)
        (manifest,) = Path(folder).glob("runs/*/manifest.json")
        peak_mb = json.loads(manifest.read_text(encoding="utf-8"))["circumstances"][
            "peak_memory_mb"
        ]
        again = run_program(command)
    figures = {
        "study": study,
        "wall_s": round(first.wall_s, 1),
        "cpu_s": round(first.cpu_s, 1),
        "peak_memory_mb": round(peak_mb),
        "stages_s": round(first.stage_seconds(), 1),
        "outside_stages_s": round(first.wall_s - first.stage_seconds(), 1),
        "again_wall_s": round(again.wall_s, 2),
        "again_cpu_s": round(again.cpu_s, 2),
    }
    if "--json" in arguments:
        print(json.dumps(figures))
    else:
        print(first.out.strip())
        print("\n".join(f"{name:18} {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main(sys.argv[1:])
