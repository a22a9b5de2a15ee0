"""Valid files by the thousand: every accepted cell is the value that was written, in training and in prediction.

    python -m bench.bench_values [--cases=20000] [--seed=1] [--only=csv|json|parquet|excel] [--case=N]

A case is a table of random columns, written as a file in a random form. What each cell must be follows from
what was written, by the rules of docs/bad-input.md, which are programmed here a second time; the trusted reader
is pyarrow, whose cells are compared as well. Then the bundle's readers read the file: what they make of a
cell is what training made of it. A refusal fails the case unless the generator meant it.
"""

import argparse
import collections
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from assay.data.ingest import read_source
from assay.errors import DataRefused
from assay.store.canonical import digest_bytes
from assay.study.plans import ReadPlan
from assay.study.sources import Source
from bench import value_files
from bench.value_checks import check_frame, check_prediction, check_trusted

SHARES = {"csv": 45, "json": 20, "parquet": 31, "excel": 4}


def run_case(kind: str, number: int, seed: int, folder: Path) -> str:
    """Return how one case came out: ``read``, ``refused``, or what is wrong."""
    draw = random.Random(f"{seed}-{kind}-{number}")
    case = value_files.KINDS[kind](draw)
    path = folder / case.name
    path.write_bytes(case.content)
    source = Source(
        name=case.name,
        path=str(path),
        digest=digest_bytes(case.content),
        read=ReadPlan.model_validate(case.read),
    )
    try:
        frame = read_source(source).frame
    except DataRefused as refused:
        return "refused" if case.may_refuse else f"refused: {refused}"
    except Exception:
        return traceback.format_exc()
    try:
        check_trusted(case)
        check_frame(case, frame)
        check_prediction(case, frame, path)
    except Exception:
        return traceback.format_exc(limit=-3)
    return "read"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=sorted(SHARES))
    parser.add_argument("--case", type=int)
    options = parser.parse_args(arguments)
    n_failed = n_cases = 0
    shares = {options.only: 100} if options.only else SHARES
    with tempfile.TemporaryDirectory() as folder:
        for kind, share in shares.items():
            n = -(-options.cases * share // 100)
            numbers = range(n) if options.case is None else [options.case]
            counts, start = collections.Counter[str](), time.process_time()
            for number in numbers:
                outcome = run_case(kind, number, options.seed, Path(folder))
                good = outcome in ("read", "refused")
                counts[outcome if good else "wrong"] += 1
                n_failed += not good
                if not good and n_failed <= 10:
                    print(f"{kind} case {number}: {outcome[:3000]}")
            n_cases += len(numbers)
            shown = ", ".join(f"{n:,} {what}" for what, n in counts.most_common())
            print(f"{kind:8} {len(numbers):6,} cases: {shown}, {time.process_time() - start:.0f} CPU-s", flush=True)  # fmt: skip
    print(f"{n_cases:,} cases, {n_failed} wrong")
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
