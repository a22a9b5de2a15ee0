import numpy as np
import pandas as pd
import pytest

from assay.data.samples import Samples, opened
from assay.store.store import Store
from tests.factories import make_labels, make_samples

UNITS = np.repeat(np.arange(20), 3)

KINDS = {
    "rows": make_samples(make_labels(40, 20), x=np.arange(60.0)),
    "number": make_samples(np.linspace(-1e30, 1e-30, 60), x=np.arange(60.0)),
    "units": make_samples(
        make_labels(30, 20, 10),
        {"person": [f"p{unit}" for unit in UNITS]},
        units=UNITS,
        unit="person",
        x=[np.nan, *range(59)],
        town=["Busan", None, "Seoul"] * 20,
    ),
    "time": make_samples(
        make_labels(30, 30),
        {"day": np.arange(60) // 2},
        times=np.arange(60) // 2,
        order="day",
        x=np.arange(60.0),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_samples_come_back_from_the_store_as_they_were(kind, tmp_path):
    samples, store = KINDS[kind], Store(tmp_path)
    again = opened(store, samples.keep(store))

    pd.testing.assert_frame_equal(again.features, samples.features)
    pd.testing.assert_frame_equal(
        again.aside.reset_index(drop=True), samples.aside.reset_index(drop=True)
    )
    for name in ("labels", "units", "times"):
        first, other = getattr(again, name), getattr(samples, name)
        assert (first is None) == (other is None)
        assert first is None or (
            first.dtype == other.dtype and np.array_equal(first, other)
        )
    for name in ("task", "classes", "unit", "order", "log"):
        assert getattr(again, name) == getattr(samples, name)


def test_the_record_counts_rows_units_and_classes(tmp_path):
    record = KINDS["units"].keep(Store(tmp_path))

    assert (record.n_rows, record.n_units, record.unit) == (60, 20, "person")
    assert record.counts == (30, 20, 10)
    assert (record.numeric, record.categorical) == (("x",), ("town",))


def test_every_row_is_a_unit_where_none_is_declared():
    samples: Samples = KINDS["rows"]

    assert samples.n_units == 60
    assert samples.unit_of_rows().tolist() == list(range(60))


def test_a_class_that_no_row_has_is_counted_all_the_same():
    samples = Samples(
        pd.DataFrame({"x": [1.0, 2.0]}),
        np.zeros(2, dtype=np.int32),
        task="binary",
        classes=("no", "yes"),
    )

    assert samples.counts() == (2, 0)
