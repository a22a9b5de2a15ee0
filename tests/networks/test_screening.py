import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import f_oneway, linregress

from assay.networks.encoding import encoding
from assay.networks.screening import emphasis, f_statistics
from assay.preprocess.fit import fit
from assay.study.plans import CleanPlan

N = 120


def table(seed=0, n_columns=70):
    """Columns of noise but for the first, which the classes part; the second never changes."""
    generator = np.random.default_rng(seed)
    labels = np.arange(N) % 3
    inputs = generator.normal(size=(N, n_columns)).astype(np.float32)
    inputs[:, 0] += labels
    inputs[:, 1] = 4.0
    return inputs, labels


def test_classes_are_told_apart_as_one_way_analysis_of_variance_says():
    inputs, labels = table()
    rows = np.arange(100)
    found = f_statistics(inputs, labels, rows, None, classes=True, seed=1)
    by_class = [inputs[rows][labels[rows] == k] for k in range(3)]
    by_hand = [f_oneway(*(part[:, j] for part in by_class)).statistic for j in (0, 69)]

    assert found.shape == (70,)
    assert found[[0, 69]] == pytest.approx(by_hand, rel=1e-6)
    assert found[0] == found.max() > 10
    assert found[1] == 0


def test_numbers_are_told_as_a_straight_line_says():
    """F is the square of the slope's t."""
    inputs, _ = table()
    numbers = inputs[:, 2] + np.random.default_rng(1).normal(size=N)
    found = f_statistics(inputs, numbers, np.arange(N), None, classes=False, seed=1)
    line = linregress(inputs[:, 2].astype(float), numbers)

    assert found[2] == pytest.approx((line.slope / line.stderr) ** 2, rel=1e-5)


def test_pieces_of_inputs_have_statistics_of_their_own():
    """Of a column that is the label's distance from the middle only the pieces tell anything."""
    generator = np.random.default_rng(0)
    inputs = generator.uniform(-1, 1, (4000, 12)).astype(np.float32)
    labels = (np.abs(inputs[:, 11]) > 0.5).astype(np.int32)
    pieces = encoding(inputs, 8)
    rows = np.arange(0, 4000, 2)
    found = f_statistics(inputs, labels, rows, pieces, classes=True, seed=1)
    of_pieces = found[12:].reshape(12, 8)
    encoded = pieces.apply(inputs[rows])

    assert found[11] < 10 < of_pieces[11].max()
    assert found == pytest.approx(
        f_statistics(
            *(encoded.astype(np.float32), labels[rows], np.arange(2000), None),
            classes=True,
            seed=1,
        ),
        rel=1e-3,
        abs=1e-3,
    )


@pytest.mark.parametrize("labels", [np.zeros(N), np.full(N, 2.5)])
def test_labels_that_never_change_tell_nothing(labels):
    found = f_statistics(table()[0], labels, np.arange(N), None, classes=False, seed=1)

    assert not found.any()
    assert (emphasis(found, 2.0) == 1).all()


@pytest.mark.parametrize("n_rows", [40, 61, 200])
@pytest.mark.parametrize(("n_levels", "classes"), [(2, True), (3, True), (2, False)])
def test_an_input_that_tells_all_is_shown_most(n_rows, n_levels, classes):
    """What is left of its sum of squares is next to nothing, and never less than that."""
    generator = np.random.default_rng(n_rows)
    labels = generator.permutation(np.arange(n_rows) % n_levels)
    table = pd.DataFrame(generator.normal(size=(n_rows, 5)), columns=list("abcde"))
    table["copy"] = 0.1 * labels + 7.3
    inputs = fit(table, CleanPlan()).apply(table)
    known = labels if classes else labels.astype(np.float64)
    found = f_statistics(
        inputs, known, np.arange(n_rows), None, classes=classes, seed=1
    )
    shown = emphasis(found, 2.0)

    assert np.isfinite(found).all()
    assert (found >= 0).all()
    assert shown[5] == shown.max() > 0


def test_of_very_many_rows_a_part_is_looked_at_without_a_rhythm():
    """Labels that take turns are all seen, and an input that tells them."""
    n = 2**17 + 2**15
    labels = np.arange(n) % 2
    noise = np.random.default_rng(0).normal(size=(n, 2))
    inputs = (noise + [[0, 0.1]] * labels[:, None]).astype(np.float32)
    found = [
        f_statistics(inputs, labels, np.arange(n), None, classes=True, seed=seed)
        for seed in (1, 1, 2)
    ]

    assert found[0][1] > 100 > 20 > found[0][0] > 0
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


@given(st.lists(st.floats(0, 1e30), min_size=1, max_size=30), st.floats(0, 50))
def test_what_is_shown_keeps_its_sum_of_squares_and_its_order(statistics, least):
    statistics = np.array(statistics)
    shown = emphasis(statistics, least).astype(np.float64)

    assert (shown**2).mean() == pytest.approx(1.0, abs=1e-5)
    assert (np.diff(shown[np.argsort(statistics)]) >= 0).all()
    if least and (statistics > least).any():
        assert not shown[statistics <= least].any()
