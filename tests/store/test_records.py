import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from assay.store.records import (
    AuditReport,
    Flag,
    FoldResult,
    ModelFit,
    Place,
    Record,
    Ref,
    Split,
    Trial,
    record_class,
)
from tests.factories import NOWHERE, make_cleaned, make_labels

digests = st.text("0123456789abcdef", min_size=64, max_size=64)
finite = st.floats(allow_nan=False, allow_infinity=False)


def make_fit(fit_s: float = 1.0, score: float | None = 0.9) -> ModelFit:
    trial = Trial(number=0, hyperparameters={"depth": 1}, score=0.9)
    return ModelFit(
        trials=(trial,),
        winner=0,
        predictions=NOWHERE,
        score=score,
        fit_s=fit_s,
        predict_s=0.1,
        size=8,
    )


def make_result(**changes: float | None) -> FoldResult:
    return FoldResult(
        place=Place(repeat=0, fold=1), models={"network": make_fit(**changes)}
    )


@given(finite, finite)
def test_essence_ignores_times_at_any_depth(one, other):
    assert (
        make_result(fit_s=one).essence_digest()
        == make_result(fit_s=other).essence_digest()
    )


@given(finite, finite)
def test_essence_sees_scores_at_any_depth(one, other):
    same = (
        make_result(score=one).essence_digest()
        == make_result(score=other).essence_digest()
    )

    assert same == (repr(one) == repr(other))


@given(st.lists(digests, max_size=5))
def test_refs_are_found_at_any_depth_in_order(found):
    refs = [Ref(kind="bytes", digest=digest, size=1) for digest in found]
    models = {
        f"model {n}": make_fit().model_copy(update={"predictions": ref})
        for n, ref in enumerate(refs)
    }

    assert list(FoldResult(place=Place(repeat=0, fold=0), models=models).refs()) == refs


def test_a_record_comes_back_equal_from_its_json():
    result = make_result(score=0.1 + 0.2)

    assert FoldResult.model_validate_json(result.model_dump_json()) == result


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_record_refuses_a_number_that_is_not_finite(value):
    with pytest.raises(ValidationError, match="finite"):
        make_fit(score=value)


def test_a_record_refuses_unknown_keys_and_change():
    with pytest.raises(ValidationError, match="Extra"):
        Place(repeat=0, fold=0, trial=0)
    with pytest.raises(ValidationError, match="frozen"):
        Place(repeat=0, fold=0).fold = 1


@pytest.mark.parametrize("digest", ["", "0" * 63, "G" * 64, "0" * 64 + "\n", "A" * 64])
def test_a_reference_holds_a_digest_and_nothing_else(digest):
    """What is joined to a path must not lead anywhere else."""
    with pytest.raises(ValidationError):
        Ref(kind="bytes", digest=digest, size=0)


def test_a_stored_result_names_a_record_and_nothing_else_loads():
    assert record_class("Split") is Split
    for name in ("Record", "Store", "os"):
        with pytest.raises(KeyError):
            record_class(name)


def test_every_kind_of_record_has_a_name_of_its_own():
    names = [cls.__name__ for cls in Record.__subclasses__()]

    assert len(names) == len(set(names))


@given(st.integers(1, 5), st.integers(2, 6))
def test_a_split_has_one_place_per_repeat_and_fold(repeats, folds):
    split = Split(
        scheme="stratified",
        unit="row",
        outer=NOWHERE,
        inner=NOWHERE,
        repeats=repeats,
        folds=folds,
        inner_folds=2,
    )

    assert len(set(split.places())) == repeats * folds


def test_samples_too_few_to_compare_models_on_say_so():
    assert make_cleaned(make_labels(150, 50)).comparable
    assert not make_cleaned(make_labels(150, 49)).comparable
    assert not make_cleaned(make_labels(171, 29)).comparable
    few_units = make_cleaned(make_labels(150, 50)).model_copy(update={"n_units": 19})
    assert not few_units.comparable


def test_an_audit_is_suspect_until_every_flag_is_answered():
    flag = Flag(sentinel="duplicates", columns=(), rows=(1,), evidence="e", answer="a")
    answered = flag.model_copy(update={"accepted": "known"})

    assert AuditReport(flags=(answered, flag), looked_for=()).suspect
    assert not AuditReport(flags=(answered,), looked_for=()).suspect
    assert not AuditReport(flags=(), looked_for=()).suspect


@pytest.mark.parametrize(
    "stored",
    [
        {"key": "no.such_sentence", "values": {}},
        {"key": "records.metric.auc.deeper", "values": {"a": 1}},
        {"key": "api.no_such_file", "values": {"name": "without an outcome"}},
        {"key": "dry_run.fits_left", "values": {"n": "no number"}},
    ],
)
def test_a_sentence_that_this_version_does_not_know_is_its_text(stored):
    """Of another version, or of a stranger: reading and showing it never ends in a traceback."""
    flag = {"sentinel": "self_test", "columns": [], "rows": [], "answer": "do it"}

    told = Flag.model_validate(flag | {"evidence": stored | {"text": "as it was"}})
    bare = Flag.model_validate(flag | {"evidence": stored})

    assert str(told.evidence) == "as it was"
    assert str(bare.evidence) == stored["key"]
