from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from assay.audit.confounder import detect
from assay.audit.sentinel import Case
from assay.data.samples import Samples
from assay.errors import StudyError
from assay.study.plans import AuditPlan
from tests.factories import make_samples

SEED = 7


def seen(samples: Samples, plan: AuditPlan | None = None, named=frozenset()):
    with threadpool_limits(1):
        case = Case.of(samples, plan or AuditPlan(), SEED)
        return detect(replace(case, flagged=named))


def sites(n: int = 400, n_sites: int = 4, seed: int = 0):
    """Return sites, and columns that each site's instrument shifts."""
    generator = np.random.default_rng(seed)
    site = generator.integers(0, n_sites, n)
    shift = 1.5 * generator.normal(size=(n_sites, 6))[site]
    table = generator.normal(size=(n, 6))
    columns = {f"x{k}": column for k, column in enumerate((table + shift).T)}
    return site, columns, table, generator


def spelled(site):
    return np.array([f"site {number}" for number in site])


def by_rate(site, generator):
    """Return labels whose rate is the site's, between .12 and .88, and nothing else."""
    logit = np.linspace(-2, 2, site.max() + 1)[site]
    return (logit + generator.logistic(size=len(site)) > 0).astype(np.int32)


def honest(table, generator):
    return (2 * table[:, 0] + generator.logistic(size=len(table)) > 0).astype(np.int32)


@pytest.mark.parametrize("where", ["aside", "features"])
def test_a_signal_that_is_the_sites_alarms(where: str):
    site, columns, _, generator = sites()
    labels = by_rate(site, generator)
    if where == "aside":
        samples = make_samples(labels, aside={"site": spelled(site)}, **columns)
    else:
        samples = make_samples(labels, site=site + 0.0, **columns)
    (flag,) = seen(samples).flags

    assert flag.columns == ("site",)
    assert "the signal in the other columns is mostly that of 'site'" in str(
        flag.evidence
    )


def test_a_site_that_decides_the_label_alarms_unless_another_sentinel_names_it():
    site, columns, _, _ = sites()
    labels = (site // 2).astype(np.int32)
    samples = make_samples(labels, site=spelled(site), **columns)

    assert "0.500 among rows that share" in str(seen(samples).flags[0].evidence)
    assert seen(samples, named=frozenset({"site"})).flags == ()


def test_a_number_that_is_the_sites_alarms():
    site, columns, _, generator = sites()
    target = site + generator.normal(size=400)
    samples = make_samples(target, aside={"site": spelled(site)}, **columns)

    assert "correlation" in str(seen(samples).flags[0].evidence)


def test_an_honest_signal_does_not_alarm_though_the_sites_shift_the_columns():
    for seed in range(5):
        site, columns, table, generator = sites(seed=seed)
        labels = honest(table, generator)
        samples = make_samples(labels, aside={"site": spelled(site)}, **columns)

        assert seen(samples).flags == ()


def test_a_category_that_goes_a_little_with_the_label_does_not_alarm():
    for seed in range(5):
        site, _, table, generator = sites(seed=seed)
        logit = 2 * table[:, 0] + np.linspace(-0.5, 0.5, 4)[site]
        labels = (logit + generator.logistic(size=400) > 0).astype(np.int32)
        samples = make_samples(labels, town=spelled(site), x=table[:, 0])

        assert seen(samples).flags == ()


def test_a_column_that_is_the_label_explains_nothing_where_there_is_no_signal():
    """A lead that chance has is no lead, even if all of it is gone inside the levels."""
    for seed in range(10):
        generator = np.random.default_rng(seed)
        labels = generator.integers(0, 2, 100).astype(np.int32)
        noise = generator.normal(size=100)

        assert seen(make_samples(labels, {"y": labels + 0.0}, x=noise)).flags == ()


def test_the_declared_unit_and_order_are_no_news():
    site, columns, _, generator = sites(n_sites=25)
    labels = by_rate(site, generator)
    aside = {"site": spelled(site)}
    of_units = make_samples(labels, aside, units=site, unit="site", **columns)
    in_time = make_samples(labels, aside, times=np.arange(400), order="site", **columns)

    assert seen(of_units).looked_for == seen(in_time).looked_for == ()


def test_unit_is_an_answer_only_where_there_are_enough_of_them():
    for n_sites, offered in ((4, False), (30, True)):
        site, columns, _, generator = sites(800, n_sites)
        labels = by_rate(site, generator)
        aside = {"site": spelled(site)}
        (flag,) = seen(make_samples(labels, aside, **columns)).flags

        assert ("unit = 'site'" in str(flag.answer)) == offered


def test_a_declared_source_is_looked_at_whatever_its_levels():
    site, columns, _, generator = sites()
    labels = by_rate(site, generator)
    samples = make_samples(labels, aside={"batch": site + 0.5}, **columns)

    assert seen(samples).looked_for == ()
    assert len(seen(samples, AuditPlan(sources=("batch",))).flags) == 1


def test_a_source_that_is_not_there_is_refused():
    site, columns, _, generator = sites()
    samples = make_samples(by_rate(site, generator), **columns)

    with pytest.raises(StudyError, match="'scanner'"):
        seen(samples, AuditPlan(sources=("scanner",)))


def test_rows_in_time_are_looked_at_in_blocks():
    site, columns, _, generator = sites()
    labels = by_rate(site, generator)
    aside = {"site": spelled(site)}
    samples = make_samples(labels, aside, times=np.arange(400), **columns)

    assert len(seen(samples).flags) == 1


def test_what_cannot_be_looked_for_is_said():
    site, columns, _, generator = sites()
    without = make_samples(by_rate(site, generator), **columns)
    few = make_samples(np.tile([0, 1], 20).astype(np.int32), x=np.arange(40.0))

    for samples in (without, few):
        report = seen(samples)
        assert report.looked_for == ()
        assert report.not_looked_for["confounder"]
