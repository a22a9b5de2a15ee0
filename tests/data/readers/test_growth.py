"""What a file costs grows with its bytes; ``bench.bench_growth`` measures more of them, and larger ones."""

import io
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import bench_growth


@pytest.mark.parametrize(
    ("name", "n"),
    [
        ("twice.jsonl", 500),
        ("groups.parquet", 400),
        ("blank.csv", 500),
        ("gaps.csv", 200),
        ("digits.csv", 200),
    ],
)
def test_a_file_four_times_as_large_takes_less_than_eight_times_as_long(
    tmp_path, name, n
):
    """What is quadratic takes sixteen times; CPU time, of which the least of some counts."""
    make = bench_growth.KINDS[name]
    bench_growth.cost_of(name, make(n), tmp_path, 1)
    first, last = (
        bench_growth.cost_of(name, make(size), tmp_path) for size in (n, 4 * n)
    )

    assert last.cpu_s < 8 * max(first.cpu_s, 0.001)


def repeated(length: int, n: int, **options) -> bytes:
    """One long text, as often as there are rows."""
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array(["x" * length]))  # fmt: skip
    buffer = io.BytesIO()
    pq.write_table(pa.table({"a": column}), buffer, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "options", [{}, {"store_schema": False}, {"row_group_size": 2000}]
)
def test_a_parquet_file_that_decodes_to_gigabytes_is_refused_by_its_dictionary(
    reading, options
):
    """34 GB in some hundred KB."""
    content = repeated(1_000_000, 34_000, compression="zstd", **options)
    usual = pa.default_memory_pool()
    counted = pa.proxy_memory_pool(usual)
    pa.set_memory_pool(counted)
    try:
        message = reading.refusal(content, "t.parquet")
    finally:
        pa.set_memory_pool(usual)

    assert len(content) < 2_000_000
    assert "unpacks to more than the" in message
    assert 0 < counted.max_memory() < 1e7


def test_rows_that_share_hardly_any_key_are_refused(reading):
    text = "".join(f'{{"k{n}": 1}}\n' for n in range(4_000))
    tracemalloc.start()
    message = reading.refusal(text, "t.jsonl")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert "rows of 3,163 keys, but only 3,163 values" in message
    assert peak < 1e8
