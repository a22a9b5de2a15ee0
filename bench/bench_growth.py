"""What files made to be dear cost: CPU time and memory grow with their bytes, or stay below a bound.

    python -m bench.bench_growth [--doublings=3] [--only=NAME] [--json]

Each kind of file is written in sizes that double, and read by training. ``exponent`` is the slope of the
CPU time over the size, both as logarithms: 1 where a file of twice the size costs twice as much, 2 where it
costs four times. Kinds in ``BOMBS`` hold more than their bytes: of these memory and time have a bound.
"""

import argparse
import gzip
import io
import json
import math
import resource
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from assay.data.ingest import read_source
from assay.errors import DataRefused
from assay.formats.limits import most_unpacked, workbook_limits
from assay.store.canonical import digest_bytes
from assay.study.sources import Source
from bench.our_reading import peak_bytes
from bench.valid_files import ods, xlsx, zipped

MOST_EXPONENT = 1.35
MOST_BYTES_A_BYTE = 400  # of memory, of a file of more than a MB
MOST_OF_UNPACKED = (
    14  # an integer of one digit takes two bytes of text, and eight in memory, twice
)
MOST_S = 60
_REPEATS = 3

Maker = Callable[[int], bytes]


def _names(n: int) -> list[str]:
    return [f"c{at}" for at in range(n)]


def _csv(header: list[str], *rows: list[str]) -> bytes:
    return "".join(",".join(row) + "\n" for row in (header, *rows)).encode()


def _json_keys(n: int) -> str:
    return ",".join(f'"k{at}":1' for at in range(n))


def _parquet(table: pa.Table, rows: int | None = None) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=rows)
    return buffer.getvalue()


def _repeated(length: int, n: int) -> bytes:
    texts = pa.array(["x" * length])
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), texts)
    return _parquet(pa.table({"a": column, "b": pa.array(range(n))}))


def _repeated_row(n: int) -> bytes:
    table = ods({"One": [["a"], ["x" * 3000]]})
    with zipfile.ZipFile(io.BytesIO(table)) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    before = (
        b'<table:table-row><table:table-cell office:value-type="string"><text:p>xxx'
    )
    repeated = f'<table:table-row table:number-rows-repeated="{n}">'.encode()
    content = parts["content.xml"].replace(
        before, before.replace(b"<table:table-row>", repeated)
    )
    return zipped(parts | {"content.xml": content})


KINDS: dict[str, Maker] = {
    "long.csv": lambda n: b"a,b\n" + b"1,x\n" * (10 * n),
    "wide.csv": lambda n: _csv(_names(n // 4), ["1.5"] * (n // 4)),
    "gaps.csv": lambda n: _csv(_names(n // 4), ["true"] * (n // 4), [""] * (n // 4)),
    "digits.csv": lambda n: _csv(_names(n // 8), ["9" * 18] * (n // 8), [""] * (n // 8)),
    "blank.csv": lambda n: b"a,b\n1,2\n" + b"\n" * (50 * n),
    "quotes.csv": lambda n: b"a,b\n" + b'"x""y","\n"\n' * (5 * n),
    "open.csv": lambda n: b"a\n1\n" + b'"x\n' * (20 * n + 1),
    "cell.csv": lambda n: b"a,b\n1," + b"x" * (500 * n) + b"\n",
    "mixed.csv": lambda n: b"a\n" + b"1\n" * (10 * n) + b"x\n" + b"%d\n" % 2**63 * (5 * n) + b"NA\n",
    "members.csv.gz": lambda n: gzip.compress(b"a,b\n") + gzip.compress(b"1,2\n") * (2 * n),
    "rows.jsonl": lambda n: b'{"a": 1, "b": "x"}\n' * (4 * n),
    "keys.jsonl": lambda n: ("{" + _json_keys(n // 2) + "}\n").encode(),
    "twice.jsonl": lambda n: ("{" + _json_keys(4 * n) + f',"k{4 * n - 1}":2}}\n').encode(),
    "sparse.jsonl": lambda n: "".join(f'{{"k{at}":1}}\n' for at in range(n)).encode(),
    "empty.jsonl": lambda n: ("{" + _json_keys(n) + "}\n").encode() + b"{}\n" * (10 * n),
    "escaped.jsonl": lambda n: ('{"a": "' + "\\u00e9\\n" * (100 * n) + '"}\n').encode(),
    "nested.jsonl": lambda n: b'{"a": ' + b"[" * (100 * n),
    "texts.parquet": lambda n: _parquet(pa.table({"a": [f"text number {at}" for at in range(50 * n)]})),
    "groups.parquet": lambda n: _parquet(pa.table({"a": ["x", "y"] * (n // 8)}), 2),
    "wide.parquet": lambda n: _parquet(pa.table({name: ["x"] for name in _names(n // 4)})),
    "cells.xlsx": lambda n: xlsx({"One": [["a", "b"], *([at, "x"] for at in range(4 * n))]}),
}  # fmt: skip
BOMBS: dict[str, Maker] = {
    "repeated.parquet": lambda n: _repeated(1000 * n, 40 * n),
    "constant.parquet": lambda n: _parquet(pa.table({"a": pa.array(np.zeros(20_000 * n, np.int64))})),
    "unpacked.csv.gz": lambda n: gzip.compress(b"a,b\n" + b"1,2\n" * (2_000 * n)),
    "repeated.ods": lambda n: _repeated_row(1000 * n),
}  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """What a file cost to read, or to refuse."""

    n_bytes: int
    cpu_s: float
    memory: int
    outcome: str


def cost_of(name: str, content: bytes, folder: Path, repeats: int = _REPEATS) -> Cost:
    """Return the least of some times, and the most memory held beyond what was held before."""
    path = folder / name
    path.write_bytes(content)
    source = Source(name=name, path=str(path), digest=digest_bytes(content))
    times, memory, outcome = [], 0, "read"
    for _ in range(repeats):
        _take_mark_back()
        before, start = peak_bytes(), _cpu_s()
        try:
            read_source(source)
        except DataRefused as refused:
            outcome = str(refused)
        times.append(_cpu_s() - start)
        memory = max(memory, peak_bytes() - before)
        if times[-1] > 1:
            break
    return Cost(len(content), min(times), memory, outcome)


def _cpu_s() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _take_mark_back() -> None:
    mark = Path("/proc/self/clear_refs")
    if mark.is_file():
        mark.write_text("5")


def exponent(first: Cost, last: Cost) -> float:
    """Return the slope of the time over the bytes, as logarithms; NaN for files of one size."""
    if last.n_bytes == first.n_bytes:
        return math.nan
    grown = math.log(last.n_bytes / first.n_bytes)
    return math.log(max(last.cpu_s, 1e-6) / max(first.cpu_s, 1e-6)) / grown


def bound_s(name: str, n_bytes: int) -> float:
    is_workbook = name.endswith((".xlsx", ".ods"))
    return MOST_S + (workbook_limits(n_bytes)[1] if is_workbook else 0)


def fault(name: str, costs: Sequence[Cost], path: Path) -> str:
    """Return what is wrong with the costs of a kind, empty if nothing is."""
    last = costs[-1]
    if name in BOMBS:
        source = Source(name=name, path=str(path), digest="0" * 64)
        if last.memory > MOST_OF_UNPACKED * most_unpacked(source, path):
            return f"{last.memory / 1e9:.1f} GB of memory"
        slow = last.cpu_s > bound_s(name, last.n_bytes)
        return f"{last.cpu_s:.0f} CPU-s" if slow else ""
    slope = exponent(costs[-3], last)
    if slope > MOST_EXPONENT:
        return f"CPU time grows with exponent {slope:.2f}"
    if last.n_bytes > 1e6 and last.memory > MOST_BYTES_A_BYTE * last.n_bytes:
        return f"{last.memory / last.n_bytes:.0f} bytes of memory for each of the file"
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--doublings", type=int, default=3)
    parser.add_argument("--start", type=int, default=1_000)
    parser.add_argument("--only", choices=sorted(KINDS | BOMBS))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    n_faults, answers = 0, {}
    print("kind               file MB   CPU-s  exponent  CPU-s/MB  memory MB  outcome")
    with tempfile.TemporaryDirectory() as folder:
        for name, make in (KINDS | BOMBS).items():
            if options.only not in (None, name):
                continue
            sizes = [options.start * 2**at for at in range(options.doublings + 1)]
            cost_of(name, make(sizes[0]), Path(folder), 1)  # what is loaded once
            costs = [cost_of(name, make(n), Path(folder)) for n in sizes]
            wrong, last = fault(name, costs, Path(folder) / name), costs[-1]
            n_faults += bool(wrong)
            answers[name] = [asdict(cost) for cost in costs]
            mb = last.n_bytes / 1e6
            print(
                f"{name:18} {mb:7.2f} {last.cpu_s:7.2f} {exponent(costs[-3], last):9.2f} {last.cpu_s / mb:9.2f} "
                f"{last.memory / 1e6:10.0f}  {last.outcome[:60]}  {wrong}",
                flush=True,
            )
    if options.json:
        print(json.dumps(answers))
    print(f"{len(answers)} kinds, {n_faults} grow too fast")
    return 1 if n_faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
