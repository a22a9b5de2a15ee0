import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from assay.audit import _column_auc, audit_samples, leak_p_value
from assay.plans import AuditPlan
from tests.factories import make_labels

SEED = 7


def of_auc(area: float, labels, seed: int = 0):
    """Return a normal column whose true AUC for class 1 is ``area``."""
    noise = np.random.default_rng(seed).normal(size=len(labels))
    return noise + np.sqrt(2) * norm.ppf(area) * (labels == 1)


def audit(labels, plan: AuditPlan | None = None, **columns):
    return audit_samples(pd.DataFrame(columns), labels, plan or AuditPlan(), SEED)


def accepting(*accepts: dict[str, object]) -> AuditPlan:
    return AuditPlan.model_validate({"accept": accepts})


# A single column -------------------------------------------------------------------------------


@pytest.mark.parametrize("counts", [(50, 50), (300, 300), (500, 40)])
def test_an_exact_copy_of_the_target_alarms_either_way_round_and_as_text(counts):
    labels = make_labels(*counts)
    report = audit(
        labels,
        copy=labels.astype(float),
        mirrored=-2.0 * labels,
        spelled=np.where(labels == 1, "y", "n"),
        honest=of_auc(0.8, labels),
    )

    assert [flag.columns for flag in report.flags] == [
        ("copy",),
        ("mirrored",),
        ("spelled",),
    ]
    assert report.suspect


def test_a_copy_of_one_class_of_many_alarms():
    labels = make_labels(60, 60, 60)

    assert audit(labels, third=(labels == 2).astype(float)).suspect


def test_honest_columns_do_not_alarm():
    """Twenty columns of true AUC .90 at each of two sizes, and not one alarm."""
    for counts in ((100, 100), (400, 200)):
        labels = make_labels(*counts)
        columns = {f"x{n}": of_auc(0.9, labels, seed=n) for n in range(20)}

        assert audit(labels, **columns).flags == ()


def test_columns_of_unique_texts_do_not_alarm():
    """Rates are counted on other folds' rows; on the row itself every name would be a leak."""
    labels = make_labels(100, 100)

    assert (
        audit(
            labels, name=[f"name {n}" for n in range(200)], x=of_auc(0.6, labels)
        ).flags
        == ()
    )


def test_an_accepted_column_keeps_its_flag_with_the_reason():
    labels = make_labels(100, 100)
    plan = accepting(
        {"sentinel": "single_column", "columns": ["copy"], "reason": "pitch"}
    )
    report = audit(labels, plan, copy=labels.astype(float))

    assert [flag.accepted for flag in report.flags] == ["pitch"]
    assert not report.suspect


def test_accepting_one_column_does_not_accept_another():
    labels = make_labels(100, 100)
    plan = accepting(
        {"sentinel": "single_column", "columns": ["other"], "reason": "r"},
        {"sentinel": "single_column", "reason": "no column named"},
        {"sentinel": "duplicates", "columns": ["copy"], "reason": "r"},
    )

    assert audit(labels, plan, copy=labels.astype(float)).suspect


def test_what_a_flag_says_can_be_written_into_the_study():
    labels = make_labels(100, 100)
    (flag,) = audit(labels, copy=labels.astype(float)).flags

    assert "AUC 1.0000" in flag.evidence
    assert "columns = ['copy']" in flag.answer
    assert "clean.drop" in flag.answer


@given(st.integers(10, 60), st.integers(10, 60), st.data())
def test_the_leak_p_value_falls_as_the_auc_rises(n1, n0, data):
    low, high = sorted(data.draw(st.tuples(st.floats(0.5, 1), st.floats(0.5, 1))))
    p_low, p_high = (
        leak_p_value(area, n1, n1 + n0, 0.95, SEED) for area in (low, high)
    )

    assert 0 <= p_high <= p_low <= 1


@given(st.integers(0, 999))
def test_a_columns_auc_ignores_direction_scale_and_order(seed):
    labels = make_labels(20, 30)
    column = pd.Series(of_auc(0.7, labels, seed))
    area = _column_auc(column, labels == 1, SEED)

    assert 0.5 <= area <= 1
    assert _column_auc(-3 * column + 1, labels == 1, SEED) == pytest.approx(area)
    order = np.random.default_rng(seed).permutation(50)
    assert _column_auc(column[order], (labels == 1)[order], SEED) == pytest.approx(area)


def test_ties_count_half():
    positive = np.array([False, False, True, True])

    assert _column_auc(pd.Series([1.0, 2.0, 2.0, 3.0]), positive, SEED) == 0.875
    assert _column_auc(pd.Series([5.0, 5.0, 5.0, 5.0]), positive, SEED) == 0.5


# Copies ----------------------------------------------------------------------------------------


def test_copies_alarm_where_a_column_is_continuous():
    labels = make_labels(50, 50)
    x = of_auc(0.7, labels)
    x[[90, 95]] = x[[0, 1]]
    (flag,) = audit(labels, x=x).flags

    assert flag.sentinel == "duplicates"
    assert flag.rows == (90, 95)
    assert flag.evidence.startswith("2 of 100 rows")


def test_equal_rows_of_a_table_without_a_continuous_column_are_ordinary():
    labels = make_labels(50, 50)
    rolls = np.random.default_rng(1).integers(0, 6, size=(2, 100)).astype(float)

    assert audit(labels, one=rolls[0], other=rolls[1]).flags == ()


def test_a_single_copy_does_not_alarm():
    labels = make_labels(50, 50)
    x = of_auc(0.7, labels)
    x[90] = x[0]

    assert audit(labels, x=x).flags == ()


def test_accepted_copies_keep_their_flag_with_the_reason():
    labels = make_labels(50, 50)
    x = of_auc(0.7, labels)
    x[50:60] = x[:10]
    report = audit(
        labels, accepting({"sentinel": "duplicates", "reason": "twins"}), x=x
    )

    assert [flag.accepted for flag in report.flags] == ["twins"]
    assert not report.suspect


def test_the_same_audit_says_the_same():
    labels = make_labels(60, 60)
    columns = {"copy": labels.astype(float), "town": np.where(labels > 0, "a", "b")}

    assert audit(labels, **columns) == audit(labels, **columns)


def test_a_column_that_leaks_by_being_empty_is_seen():
    """Models are shown whether a cell was missing, so the sentinel must look at that too."""
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1], 100).astype(np.int32)
    refund = np.where(labels == 1, generator.normal(size=200), np.nan)
    features = pd.DataFrame({"refund": refund, "x": generator.normal(size=200)})

    report = audit_samples(features, labels, AuditPlan(), seed=1)

    assert [flag.columns for flag in report.flags] == [("refund",)]
