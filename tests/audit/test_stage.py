"""The audit as a whole: what it hands on of its sentinels, and how a study answers."""

import re
import tomllib

import numpy as np
import pytest

from assay.audit.stage import audit_samples
from assay.errors import StudyError
from assay.store.records import AuditReport
from assay.study.plans import AuditPlan
from tests.factories import make_labels, make_samples

SEED = 7


def accepting(*accepts: dict[str, object]) -> AuditPlan:
    return AuditPlan.model_validate({"accept": accepts})


def audit(labels, plan: AuditPlan | None = None, **columns) -> AuditReport:
    return audit_samples(make_samples(labels, **columns), plan or AuditPlan(), SEED)


def leaky(n: int = 160):
    """Return labels, and columns of which one copies them."""
    labels = make_labels(n // 2, n // 2)
    noise = np.random.default_rng(0).normal(size=(2, n))
    return labels, {"copy": labels.astype(float), "x": noise[0], "z": noise[1]}


def test_a_table_without_a_leak_passes_and_says_what_was_looked_for():
    labels, columns = leaky(200)
    del columns["copy"]
    report = audit(labels, **columns)

    assert report.flags == ()
    assert not report.suspect
    assert set(report.looked_for) == {
        "single_column",
        "duplicates",
        "near_duplicates",
        "row_order",
    }


def test_what_was_not_looked_for_is_said_with_its_reason():
    labels, columns = leaky(200)
    report = audit(labels, **columns)

    assert set(report.not_looked_for) == {"undeclared_unit", "confounder"}
    assert all(report.not_looked_for.values())
    assert not set(report.not_looked_for) & set(report.looked_for)


def test_of_a_tiny_table_only_what_can_be_seen_is_claimed():
    labels = make_labels(12, 12)
    x = np.random.default_rng(1).normal(size=24)
    report = audit(labels, x=x, town=np.tile(["a", "b"], 12))

    assert report.looked_for == ("single_column", "duplicates")


def test_an_accepted_alarm_keeps_its_flag_with_the_reason():
    labels, columns = leaky()
    plan = accepting(
        {"sentinel": "single_column", "columns": ["copy"], "reason": "pitch"}
    )
    report = audit(labels, plan, **columns)

    assert [flag.accepted for flag in report.flags] == ["pitch"]
    assert not report.suspect


def test_accepting_one_column_or_another_sentinel_answers_nothing():
    labels, columns = leaky()
    plan = accepting(
        {"sentinel": "single_column", "columns": ["x"], "reason": "r"},
        {"sentinel": "single_column", "reason": "no column named"},
        {"sentinel": "confounder", "columns": ["copy"], "reason": "r"},
    )

    assert audit(labels, plan, **columns).suspect


def test_what_an_alarm_says_can_be_written_into_the_study():
    """Each answer, read as TOML, accepts the alarm it stands beside and no other."""
    labels, columns = leaky()
    order = np.argsort(labels, kind="stable")
    sorted_columns = {name: values[order] for name, values in columns.items()}
    report = audit(labels[order], **sorted_columns)

    assert {flag.sentinel for flag in report.flags} == {"single_column", "row_order"}
    for flag in report.flags:
        (written,) = re.findall(r"\{sentinel.*?\}", str(flag.answer))
        accept = tomllib.loads(f"accept = [{written}]")["accept"]
        answered = audit(labels[order], accepting(*accept), **sorted_columns)
        assert [one.accepted is not None for one in answered.flags] == [
            one == flag for one in report.flags
        ]


def test_a_column_set_aside_is_no_leak():
    """No model is shown it, so however well it tells the label, it does not give it away."""
    labels, columns = leaky()
    copy = columns.pop("copy")

    assert audit(labels, aside={"copy": copy + 0.5}, **columns).flags == ()


@pytest.mark.parametrize("times", [1, 4])
def test_texts_are_looked_at_as_levels_and_raise_no_alarm_of_their_own(times):
    """Sentences that no two rows share, or few; some say when, some are missing or empty."""
    labels, columns = leaky(200)
    del columns["copy"]
    said = [
        f"{2000 + row % 20} was the year of row {row // times}" for row in range(200)
    ]
    said[3:6] = None, "", "2020-02-30"
    title = np.array(said, dtype=object)[np.random.default_rng(5).permutation(200)]

    assert audit(labels, title=title, **columns).flags == ()


def test_a_source_that_is_not_there_is_a_mistake_in_the_study():
    labels, columns = leaky()

    with pytest.raises(StudyError, match=r"audit\.sources names a column 'site'"):
        audit(labels, AuditPlan(sources=("site",)), **columns)


def test_the_same_audit_says_the_same():
    labels, columns = leaky(200)
    columns["town"] = np.random.default_rng(3).choice(["a", "b", "c"], size=200)

    assert audit(np.sort(labels), **columns) == audit(np.sort(labels), **columns)
