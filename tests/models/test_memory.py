"""A table that is too large is refused with both figures, before anything trains on it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.data.samples import Samples
from assay.errors import DataRefused
from assay.models.memory import n_inputs, processes_that_fit
from assay.store.store import Store
from assay.study.plans import CleanPlan

GB = 1_000_000_000


@given(
    n_rows=st.integers(1, 10**6),
    n_columns=st.integers(1, 500),
    n_folds=st.integers(1, 5),
    allowed=st.integers(32 * GB, 64 * GB),
)
def test_as_many_processes_fit_as_some_tables_and_a_program_each(
    n_rows, n_columns, n_folds, allowed
):
    """A table in float32 eight times, and once for each inner fold that is prepared."""
    needed = 4 * (8 + n_folds) * n_rows * n_columns + 1.5 * GB

    fit = processes_that_fit(n_rows, n_columns, allowed, n_folds)

    assert fit * needed <= allowed < (fit + 1) * needed


def test_a_table_without_room_is_refused_with_what_it_takes_and_what_is_allowed():
    with pytest.raises(DataRefused) as refused:
        processes_that_fit(1_000_000, 500, allowed=4 * GB)

    assert "1,000,000 rows with 500 inputs takes about 19.5 GB" in str(refused.value)
    assert "4.0 GB are allowed" in str(refused.value)


def test_a_category_counts_by_its_levels_up_to_what_preparing_keeps(tmp_path: Path):
    store = Store(tmp_path)
    many = [f"level {i}" for i in range(600)]
    table = pd.DataFrame({"x": np.arange(600.0), "two": ["a", "b"] * 300, "many": many})
    labels = np.tile([0, 1], 300).astype(np.int32)
    cleaned = Samples(table, labels, "binary", ("no", "yes")).keep(store)

    assert n_inputs(store, cleaned, CleanPlan()) == 1 + 2 + 255
    read = CleanPlan(text=["two"], lists=[{"column": "many", "most": 8}])
    assert n_inputs(store, cleaned, read) == 1 + 33 + 10
