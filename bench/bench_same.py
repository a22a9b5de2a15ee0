"""Equal digests: twice, killed in the gate, in tuning and before the bundle, and two at once.

python -m bench.bench_same [STUDY] [--json]
"""

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bench.program import Run, computed, run_program, same_digests


def _after(stage: str, wait_s: float = 0.0) -> Callable[[str], bool]:
    def reached(line: str) -> bool:
        if computed(line, stage):
            time.sleep(wait_s)
            return True
        return False

    return reached


def main(arguments: list[str]) -> None:
    study = next(
        (argument for argument in arguments if not argument.startswith("-")),
        "hypotheses/digits.toml",
    )
    kills = {
        "killed in gate": _after("audit", 6.0),
        "killed in tune": _after("tune"),
        "killed before bundle": _after("judge"),
    }
    digests: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("undisturbed", "again"):
            _check(study, Path(folder) / name)
            digests[name] = same_digests(Path(folder) / name)
        for name, until in kills.items():
            killed = run_program(
                ["check", study, "--artifacts", str(Path(folder) / name)], until=until
            )
            assert killed.code == -9, killed.err
            _check(study, Path(folder) / name)
            digests[name] = same_digests(Path(folder) / name)
        at_once = Path(folder) / "two at once"
        threads = [
            threading.Thread(target=_check, args=(study, at_once)) for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        digests["two at once"] = same_digests(at_once)
    reference = digests["undisturbed"]
    equal = {name: digest == reference for name, digest in digests.items()}
    if "--json" in arguments:
        print(json.dumps({"study": study, "equal": equal, "digests": reference}))
    else:
        print(
            "\n".join(
                f"{name:22} {'equal' if same else 'DIFFERS'}"
                for name, same in equal.items()
            )
        )
    sys.exit(not all(equal.values()))


def _check(study: str, artifacts: Path) -> Run:
    run = run_program(["check", study, "--artifacts", str(artifacts)])
    assert run.code == 0, run.err
    return run


if __name__ == "__main__":
    main(sys.argv[1:])
