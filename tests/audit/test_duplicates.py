from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest

from assay.audit.duplicates import NEAR, detect, near_copy_p_values
from assay.audit.sentinel import Case
from assay.study.plans import AuditPlan
from tests.factories import make_labels, make_samples

SEED = 7


def scattered(n: int, p: int, seed: int = 0):
    return np.random.default_rng(seed).normal(size=(n, p))


def detected(samples):
    return detect(Case.of(samples, AuditPlan(), SEED))


def seen(table, **known):
    """Return what is seen of a table without other meaning."""
    columns = {f"x{k}": column for k, column in enumerate(np.transpose(table))}
    labels = np.arange(len(table), dtype=np.int32) % 2
    return detected(make_samples(labels, **columns, **known))


def p_values(points, units=None):
    rows = np.arange(len(points))
    units = rows if units is None else units
    return near_copy_p_values(points, units.astype(np.int32), rows)


# Exact copies ----------------------------------------------------------------------------------


def test_copies_alarm_where_a_column_is_continuous():
    labels = make_labels(50, 50)
    x = scattered(100, 1)[:, 0]
    x[[90, 95]] = x[[0, 1]]
    (flag,) = detected(make_samples(labels, x=x)).flags

    assert flag.sentinel == "duplicates"
    assert flag.rows == (90, 95)
    assert str(flag.evidence).startswith("2 of 100 rows are exact copies")


def test_images_of_few_values_are_held_to_be_copies_where_all_their_pixels_are():
    pixels = np.random.default_rng(0).integers(0, 8, (100, 16))
    pixels[[90, 95]] = pixels[[0, 1]]
    columns = {f"pixel_{k}": column for k, column in enumerate(pixels.T)}
    table = make_samples(make_labels(50, 50), **columns)

    assert detected(table).flags == ()
    (flag,) = detected(replace(table, image=True)).flags

    assert flag.rows == (90, 95)


def test_a_single_copy_does_not_alarm():
    x = scattered(100, 3)
    x[90] = x[0]

    assert seen(x).flags == ()


def test_copies_of_one_declared_unit_are_no_news():
    x = scattered(100, 3)
    x[50:60] = x[:10]
    names = [f"speaker {i if i < 50 or i >= 60 else i - 50}" for i in range(100)]
    units = np.unique(names, return_inverse=True)[1].astype(np.int32)
    speakers = {"units": units, "aside": {"speaker": names}}

    assert seen(x, **speakers, unit="speaker").flags == ()
    (flag,) = seen(x, **speakers, unit="row with its copies").flags
    assert (
        "10 of 100 rows are exact copies of earlier ones, which folds keep together"
        in str(flag.evidence)
    )


def test_equal_rows_of_a_table_without_a_continuous_column_are_ordinary():
    rolls = np.random.default_rng(1).integers(0, 6, size=(100, 2)).astype(float)
    report = seen(rolls)

    assert report.flags == report.looked_for == ()
    assert "continuous" in str(report.not_looked_for["duplicates"])


# Near copies -----------------------------------------------------------------------------------


def test_near_copies_alarm():
    x = scattered(200, 10)
    near = np.vstack([x, x[:10] + 0.01 * scattered(10, 10, seed=1)])
    (flag,) = seen(near).flags

    assert set(flag.rows) <= {*range(10), *range(200, 210)}
    assert "20 of 210 rows lie closer to another row" in str(flag.evidence)


def test_near_copies_of_one_unit_are_no_news():
    x = scattered(200, 10)
    near = np.vstack([x, x[:10] + 0.01 * scattered(10, 10, seed=1)])

    assert seen(near, units=[*range(200), *range(10)]).flags == ()


@pytest.mark.parametrize("kind", ["normal", "heavy", "clusters", "plane", "rounded"])
def test_rows_without_copies_do_not_alarm(kind: str):
    for seed in range(10):
        generator = np.random.default_rng(seed)
        x = generator.normal(size=(150, 6))
        if kind == "heavy":
            x = generator.standard_t(1, size=(150, 6))
        if kind == "clusters":
            x += 4 * generator.normal(size=(5, 6))[generator.integers(0, 5, 150)]
        if kind == "plane":
            x = x[:, :2] @ generator.normal(size=(2, 6)) + x / 20
        if kind == "rounded":
            x = np.round(x, 2)

        assert seen(x).flags == ()


def test_p_values_of_evenly_scattered_points_are_uniform():
    """The null of the formula itself: a thousand points in a square, far from its rim."""
    points = np.random.default_rng(0).uniform(size=(4000, 2))
    inner = (np.abs(points - 0.5) < 0.4).all(axis=1)
    p = p_values(points)[inner]

    assert kstest(p, "uniform").statistic < 0.06


def test_p_values_ignore_scale_and_the_order_of_columns():
    x = scattered(120, 4)

    assert p_values(x) == pytest.approx(p_values(7 * x[:, ::-1]))


def test_points_that_are_as_near_as_rounding_allows_are_no_copies():
    """On a fine grid neighbours often share a cell: a distance of 0 means a distance below the step."""
    points = np.random.default_rng(0).integers(0, 60, size=(400, 2)).astype(float)

    assert p_values(np.unique(points, axis=0)).min() > 1e-4


def test_a_point_among_its_own_unit_only_is_passed_over():
    x = scattered(300, 2)
    units = np.zeros(300)
    units[:30] = np.arange(30) + 1

    p = p_values(x, units)
    assert (p[30:] == 1).sum() > 100
    assert (p[:30] < 1).all()


def test_what_is_too_small_for_near_copies_is_said():
    assert seen(scattered(40, 3)).looked_for == ("duplicates",)
    assert "near_duplicates" in seen(scattered(200, 1)).not_looked_for


def test_of_many_rows_some_are_compared_with_all():
    """5,000 rows of which 4,000 are asked: the copies among them are still seen."""
    x = scattered(4750, 8)
    near = np.vstack([x, x[:250] + 0.01 * scattered(250, 8, seed=1)])
    report = seen(near)

    assert len(report.flags) == 1
    assert str(report.not_looked_for[NEAR]) == (
        "4,000 of 5,000 rows were compared with all"
    )


def test_gaps_are_left_out_of_the_comparison():
    """Filled with one number, rows with gaps would look like copies of each other."""
    x = scattered(300, 3)
    x[::15, 0] = np.nan

    assert seen(x).flags == ()
