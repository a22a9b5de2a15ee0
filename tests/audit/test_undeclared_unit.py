import numpy as np
import pytest
from scipy.stats import binom
from threadpoolctl import threadpool_limits

from assay.audit.sentinel import Case
from assay.audit.undeclared_unit import detect
from assay.data.samples import Samples
from assay.study.plans import AuditPlan
from tests.factories import make_samples

SEED = 7


def seen(samples: Samples, plan: AuditPlan | None = None, seed: int = SEED):
    with threadpool_limits(1):
        return detect(Case.of(samples, plan or AuditPlan(), seed))


def fingerprints(groups: int, size: int, seed: int = 0):
    """Return groups of rows that share a fingerprint in six columns, and the columns."""
    generator = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), size)
    table = generator.normal(size=(groups, 6))[group]
    table = table + generator.normal(size=table.shape) / 2
    return group, {f"x{k}": column for k, column in enumerate(table.T)}, generator


def spelled(codes):
    return np.array([f"patient {code}" for code in codes])


def labels_of(group, generator):
    """Return a label for each group, the same for all its rows."""
    return generator.integers(0, 2, group.max() + 1)[group].astype(np.int32)


@pytest.mark.parametrize("kind", ["text set aside", "whole number", "text feature"])
def test_patients_with_a_fingerprint_and_a_label_each_alarm(kind: str):
    group, columns, generator = fingerprints(40, 5)
    labels = labels_of(group, generator)
    values = spelled(group) if "text" in kind else group + 0.0
    if "feature" in kind:
        samples = make_samples(labels, **columns, patient=values)
    else:
        samples = make_samples(labels, aside={"patient": values}, **columns)
    (flag,) = seen(samples).flags

    assert flag.columns == ("patient",)
    assert "40 values" in str(flag.evidence)
    assert "unit = 'patient'" in str(flag.answer)


def test_a_number_to_predict_that_goes_with_the_patient_alarms():
    group, columns, generator = fingerprints(40, 5)
    target = generator.normal(size=40)[group] + generator.normal(size=200) / 2
    samples = make_samples(target, aside={"patient": spelled(group)}, **columns)

    assert "correlation" in str(seen(samples).flags[0].evidence)


def test_one_of_many_classes_for_each_patient_alarms():
    group, columns, generator = fingerprints(40, 5)
    labels = generator.integers(0, 3, 40)[group].astype(np.int32)

    assert seen(make_samples(labels, aside={"id": spelled(group)}, **columns)).flags


def test_meaningless_ids_alarm_no_more_often_than_the_level_says():
    """Of 30 tables with two such columns at most 2 alarm: .01 each, 99 % of the binomial."""
    alarms = 0
    for seed in range(30):
        generator = np.random.default_rng(seed)
        x = generator.normal(size=(3, 150))
        labels = (x[0] + generator.normal(size=150) > 0).astype(np.int32)
        ids = generator.permutation(np.arange(150) // 5)
        samples = make_samples(
            labels, aside={"id": spelled(ids)}, x=x[0], y=x[1], number=ids + 0.0
        )
        alarms += len(seen(samples, seed=seed).flags) > 0

    assert alarms <= binom.ppf(0.99, 30, 0.01)


def test_the_declared_unit_is_no_news():
    group, columns, generator = fingerprints(80, 5)
    labels = labels_of(group, generator)
    known = {"aside": {"patient": spelled(group)}, "units": group, "unit": "patient"}

    assert seen(make_samples(labels, **known, **columns)).flags == ()


def test_groups_of_declared_units_alarm():
    """Patients are declared, but they come from hospitals with a fingerprint and a label of their own."""
    hospital, columns, generator = fingerprints(20, 20)
    labels = labels_of(hospital, generator)
    samples = make_samples(
        labels,
        aside={"hospital": spelled(hospital)},
        units=np.arange(400) // 2,
        unit="patient",
        **columns,
    )

    assert [flag.columns for flag in seen(samples).flags] == [("hospital",)]


def test_an_honest_category_is_no_unit():
    """Its own effect is not counted: it is left out of the inputs, and no other column knows it."""
    generator = np.random.default_rng(0)
    level = generator.integers(0, 20, 400)
    x = generator.normal(size=400)
    logit = x + 2 * generator.normal(size=20)[level]
    labels = (logit + generator.logistic(size=400) > 0).astype(np.int32)

    assert seen(make_samples(labels, x=x, town=spelled(level))).flags == ()


def test_a_measurement_in_whole_numbers_is_no_unit():
    """Rows of equal age are alike, but so are rows of nearly equal age."""
    generator = np.random.default_rng(0)
    age = generator.integers(20, 60, 500).astype(float)
    height = age / 10 + generator.normal(size=500)
    labels = (age + 10 * generator.logistic(size=500) > 40).astype(np.int32)

    assert seen(make_samples(labels, age=age, height=height)).flags == ()


def test_a_value_that_fills_a_fold_makes_its_column_no_unit():
    generator = np.random.default_rng(0)
    ink = np.where(generator.random(300) < 0.5, 0, generator.integers(1, 17, 300))
    labels = (ink > 0).astype(np.int32)
    report = seen(make_samples(labels, ink=ink + 0.0, x=generator.normal(size=300)))

    assert report.looked_for == ()


def test_a_leak_worth_less_than_the_study_cares_for_does_not_alarm():
    group, columns, generator = fingerprints(40, 5)
    labels = labels_of(group, generator)
    samples = make_samples(labels, aside={"patient": spelled(group)}, **columns)

    assert seen(samples, AuditPlan(smallest_leak=0.49)).flags == ()


def test_single_rows_dilute_a_leak_but_do_not_hide_it():
    """Most patients have one row; those with two or more are compared, and their share counts."""
    group, columns, generator = fingerprints(40, 5)
    labels = labels_of(group, generator)
    alone = {name: generator.normal(size=150) for name in columns}
    samples = make_samples(
        np.concatenate([labels, generator.integers(0, 2, 150).astype(np.int32)]),
        aside={"patient": spelled(np.concatenate([group, np.arange(1000, 1150)]))},
        **{name: np.concatenate([columns[name], alone[name]]) for name in columns},
    )

    assert [flag.columns for flag in seen(samples).flags] == [("patient",)]


def test_of_a_large_table_whole_groups_are_looked_at():
    """Rows drawn one by one would often hold one of a patient only."""
    group, columns, generator = fingerprints(500, 3)
    labels = labels_of(group, generator)
    samples = make_samples(labels, aside={"patient": spelled(group)}, **columns)

    assert [flag.columns for flag in seen(samples).flags] == [("patient",)]


def test_what_cannot_be_looked_for_is_said():
    group, columns, generator = fingerprints(40, 5)
    labels = labels_of(group, generator)
    aside = {"id": spelled(group)}
    in_time = make_samples(labels, aside, times=np.arange(200), order="day", **columns)
    few = make_samples(labels[:40], x=np.arange(40.0))

    for samples in (in_time, few, make_samples(labels, **columns)):
        report = seen(samples)
        assert report.looked_for == report.flags == ()
        assert report.not_looked_for["undeclared_unit"]
