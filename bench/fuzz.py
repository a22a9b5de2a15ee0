"""Damaged input of every kind by the thousand: each is read right, or refused in words.

    python -m bench.fuzz [--cases=10000 | --minutes=N] [--seed=1] [--only=KIND] [--case=N]

A case is a valid file, left as it is or damaged. Its outcome is ``read`` (and then it has as many
rows as an independent count gives; an undamaged one also the values), or ``refused`` (one line that
names the file). Anything else fails: another exception, no end within ``ALARM_S``, more memory than
``MOST_BYTES`` beyond the start, a lost row. ``--case`` runs one case again and shows its traceback.
"""

import argparse
import collections
import importlib
import io
import itertools
import json
import random
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from assay.data.ingest import Table, read_source, snapshot
from assay.data.validate import validate_table
from assay.errors import DataRefused, StudyError
from assay.store.canonical import digest_bytes
from assay.store.records import Ref
from assay.study.load import load
from assay.study.plans import ImageSource
from assay.study.sources import LocatedImages, Source, Suite
from bench import bench_values, fuzz_runs, independent, valid_files
from bench.fuzz_bundles import bundle_case
from bench.fuzz_requests import request_case
from bench.mutate import damaged, mutated
from bench.our_reading import peak_bytes
from bench.program import ROOT

ALARM_S = 30
MOST_SHOWN = 10
MOST_BYTES = 1_500_000_000
GOOD = ("read", "refused")
_NOWHERE = Ref(kind="bytes", digest="0" * 64, size=0)
_SHARE_UNTOUCHED = 0.05
_STUDIES = sorted((ROOT / "hypotheses").glob("*.toml"))
_SUITES = sorted((ROOT / "expectations").glob("*.json"))


class TooSlow(BaseException):
    """A case did not end; no handler of the program may take it for something else."""


class Lost(AssertionError):
    """A file was read, but not as it is."""


Case = Callable[[random.Random, Path], str]


def run_case(kind: str, number: int, seed: int, folder: Path) -> tuple[str, str]:
    """Return the outcome of one case, and what was said or shown."""
    draw = random.Random(f"{seed}-{kind}-{number}")
    if kind == "suite":
        _load_great_expectations()
    before = peak_bytes()
    try:
        with _alarm(), warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            text = KINDS[kind](draw, folder)
    except (DataRefused, StudyError) as error:
        return _judged(str(error), folder)
    except TooSlow:
        return "hang", f"no end after {ALARM_S} s"
    except Lost as error:
        return "lost", str(error)
    except MemoryError:
        return "memory", traceback.format_exc()
    except BaseException as error:  # whatever it is, it is no sentence
        if isinstance(error, KeyboardInterrupt):
            raise
        return "traceback", traceback.format_exc()
    if peak_bytes() - before > MOST_BYTES:
        return "memory", f"{(peak_bytes() - before) / 1e9:.1f} GB more"
    return "read", text


def _judged(text: str, folder: Path) -> tuple[str, str]:
    if "\n" in text or not text.endswith((".", ")", "?")) or len(text) > 1000:
        return "unclear", text
    ours = (str(folder / name) for name in ("study.toml", "bundle", "rows.jsonl"))
    inside = str(folder) in text.removeprefix(next(filter(text.startswith, ours), ""))
    return ("unclear", text) if inside else ("refused", text)


@contextmanager
def _alarm() -> Iterator[None]:
    def ring(_signal: int, _frame: Any) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, ALARM_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@cache
def _load_great_expectations() -> None:
    """Load it outside of any case: on a busy machine that alone takes longer than a case may."""
    importlib.import_module("great_expectations")


# Cases -----------------------------------------------------------------------------------------


@cache
def _files() -> tuple[pd.DataFrame, dict[str, bytes]]:
    table = valid_files.table()
    return table, valid_files.files(table)


def text_case(draw: random.Random, folder: Path) -> str:
    return _file_case(draw, folder, (".csv", ".txt", ".tsv", ".gz", ".zip", ".jsonl"))


def binary_case(draw: random.Random, folder: Path) -> str:
    return _file_case(draw, folder, (".parquet", ".npz"))


def workbook_case(draw: random.Random, folder: Path) -> str:
    return _file_case(draw, folder, (".xlsx", ".ods", ".xls", ".xlsb"))


def _file_case(draw: random.Random, folder: Path, endings: tuple[str, ...]) -> str:
    table, files = _files()
    name = draw.choice([file for file in files if file.endswith(endings)])
    untouched = draw.random() < _SHARE_UNTOUCHED
    content = files[name] if untouched else damaged(name, files[name], draw)
    path = folder / name
    path.write_bytes(content)
    source = Source(name=name, path=str(path), digest=digest_bytes(content))
    table_read = read_source(source)
    n_rows = independent.n_rows(name, content, tuple(map(str, table_read.remarks)))
    if n_rows is not None and n_rows != len(table_read.frame):
        raise Lost(f"{name}: {len(table_read.frame)} rows read, {n_rows} counted")
    if name.endswith((".csv", ".txt", ".tsv")):
        independent.check_cells(
            content, tuple(map(str, table_read.remarks)), table_read.frame
        )
    if untouched:
        pd.testing.assert_frame_equal(table_read.frame, table)
    _keeps(source, table_read)
    return name


def _keeps(source: Source, table: Table) -> None:
    """Describe and store what was read, as the stage does."""
    buffer = io.BytesIO()
    table.frame.to_parquet(buffer, index=False)
    if snapshot(source, table, _NOWHERE).n_rows != len(pd.read_parquet(buffer)):
        raise Lost(f"{source.name}: not as many rows stored as read")


@cache
def _archives() -> dict[str, bytes]:
    pictures = {
        f"{n}.{kind.lower()}": valid_files.picture(n, kind)
        for n, kind in enumerate(("PNG", "JPEG", "PNG", "JPEG"))
    }
    return {
        "images.tar": valid_files.tarred(pictures),
        "images.tar.gz": valid_files.tarred(pictures, packed=True),
        "images.zip": valid_files.zipped(pictures),
    }


def image_case(draw: random.Random, folder: Path) -> str:
    name = draw.choice(list(_archives()))
    content = damaged(name, _archives()[name], draw)
    (folder / name).write_bytes(content)
    rows = b"image,label\n" + b"".join(b"%d,x\n" % n for n in range(4))
    (folder / "table.csv").write_bytes(rows)
    plan = ImageSource(source=name, column="image", height=8, width=8, channels=3)
    images = LocatedImages(
        name=name, path=str(folder / name), digest=digest_bytes(content), plan=plan
    )
    source = Source(
        name="table.csv",
        path=str(folder / "table.csv"),
        digest=digest_bytes(rows),
        images=images,
    )
    if read_source(source).frame.shape != (4, 2 + 8 * 8 * 3):
        raise Lost(f"{name}: not 4 rows of 194 columns")
    return name


def value_case(draw: random.Random, folder: Path) -> str:
    """A valid file, and every cell of it; ``bench.bench_values`` runs these alone."""
    kinds = list(bench_values.SHARES)
    [kind] = draw.choices(kinds, list(bench_values.SHARES.values()))
    seed = draw.randrange(2**32)
    outcome = bench_values.run_case(kind, 0, seed, folder)
    if outcome not in GOOD:
        raise Lost(f"bench_values --only {kind} --seed {seed} --case 0: {outcome}")
    return outcome


def study_case(draw: random.Random, folder: Path) -> str:
    path = folder / "study.toml"
    path.write_bytes(mutated(draw.choice(_STUDIES).read_bytes(), draw))
    study = load(path)
    if type(study).model_validate_json(study.model_dump_json()) != study:
        raise Lost("the study does not come back equal from its JSON")
    return study.name


_RULES = [
    {
        "type": kind,
        "kwargs": kwargs,
        "meta": {"id": f"rule-{n}", "why": "it has to be"},
        "severity": "warning",
    }
    for n, (kind, kwargs) in enumerate(
        [
            ("expect_column_to_exist", {"column": "town"}),
            ("expect_column_values_to_not_be_null", {"column": "town", "mostly": 0.9}),
            ("expect_column_values_to_be_between", {"column": "height", "min_value": -9, "max_value": 9}),
            ("expect_column_values_to_be_in_set", {"column": "open", "value_set": [True, False]}),
            ("expect_column_values_to_match_regex", {"column": "town", "regex": "^.+"}),
            ("expect_table_row_count_to_be_between", {"min_value": 1, "max_value": 99}),
        ]
    )
]  # fmt: skip


def suite_case(draw: random.Random, folder: Path) -> str:
    """Half of the time the text is damaged, half of the time a value in it is another."""
    del folder
    table, _ = _files()
    rules = [draw.choice(_RULES) for _ in range(draw.randint(1, 2))]
    if draw.random() < 0.5:
        text = mutated(json.dumps({"expectations": rules}).encode(), draw).decode(
            "utf-8", "replace"
        )
    else:
        text = json.dumps({"expectations": [_altered(rule, draw) for rule in rules]})
    source = Source(name="table.csv", path="", digest="0" * 64)
    validate_table(
        table,
        Suite(name="fuzz", text=text),
        snapshot(source, Table(table, ()), _NOWHERE),
    )
    return "suite"


_ODD: tuple[Any, ...] = (
    None,
    "",
    "x",
    -1,
    1e308,
    True,
    [],
    ["x"],
    {},
    {"a": 1},
    "[",
    "(",
    10**30,
)


def _altered(value: Any, draw: random.Random) -> Any:
    if isinstance(value, dict) and value and draw.random() < 0.9:
        key = draw.choice(list(value))
        if draw.random() < 0.1:
            return {other: inner for other, inner in value.items() if other != key}
        return value | {key: _altered(value[key], draw)}
    return draw.choice(_ODD)


KINDS: dict[str, Case] = {
    "text": text_case,
    "binary": binary_case,
    "workbook": workbook_case,
    "image": image_case,
    "value": value_case,
    "study": study_case,
    "suite": suite_case,
    "request": request_case,
    "bundle": bundle_case,
    "run": fuzz_runs.run_case,
    "receipt": fuzz_runs.receipt_case,
}
SHARES = {
    "text": 40,
    "binary": 16,
    "workbook": 10,
    "image": 12,
    "value": 40,
    "study": 12,
    "suite": 4,
    "request": 20,
    "bundle": 20,
    "run": 2,
    "receipt": 1,
}


def drawn(
    shares: Mapping[str, int], n_cases: int, minutes: float | None
) -> Iterator[tuple[str, int]]:
    """Yield kinds and numbers of cases, all kinds in turn by their shares, to a number of cases or for some minutes."""
    ends = None if minutes is None else time.monotonic() + 60 * minutes
    n_done = 0
    for turn in itertools.count():
        for kind, share in shares.items():
            for number in range(turn * share, (turn + 1) * share):
                if n_done == n_cases if ends is None else time.monotonic() > ends:
                    return
                n_done += 1
                yield kind, number


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=sorted(KINDS))
    parser.add_argument("--case", type=int)
    options = parser.parse_args(arguments)
    shares = {options.only: SHARES[options.only]} if options.only else SHARES
    cases: Iterable[tuple[str, int]] = drawn(shares, options.cases, options.minutes)
    if options.case is not None:
        cases = [(kind, options.case) for kind in shares]
    counts = {kind: collections.Counter[str]() for kind in shares}
    cpu_s = dict.fromkeys(shares, 0.0)
    n_failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for kind, number in cases:
            begun = time.process_time()
            outcome, text = run_case(kind, number, options.seed, Path(folder))
            cpu_s[kind] += time.process_time() - begun
            counts[kind][outcome] += 1
            failed = outcome not in GOOD
            n_failed += failed
            if options.case is not None or (failed and n_failed <= MOST_SHOWN):
                print(f"{kind} case {number}: {outcome}\n{text[:4000]}", flush=True)
    for kind, outcomes in counts.items():
        shown = ", ".join(f"{n:,} {what}" for what, n in outcomes.most_common())
        n = outcomes.total()
        print(
            f"{kind:9} {n:7,} cases, {1000 * cpu_s[kind] / max(n, 1):6.1f} CPU-ms each: {shown}"
        )
    n = sum(outcomes.total() for outcomes in counts.values())
    print(f"{n:,} cases, {n_failed} failures, peak {peak_bytes() / 1e9:.2f} GB")
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
