import dataclasses
import io
import json
import tomllib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import normalize

from assay.bundle.stage import (
    Model,
    Scored,
    opened,
    run_files,
    same_digests,
)
from assay.judge.stage import judge_evidence
from assay.networks.net import Net, nets_digest, pack_nets, unpack_nets
from assay.networks.predict import predict
from assay.networks.spec import Shape, first_weights
from assay.networks.to_keras import from_archive
from assay.preprocess import fit as preprocess
from assay.preprocess.schema import Tables
from assay.store.code import core_lock
from assay.store.records import FinalFit, ModelFit, Trial
from assay.store.store import Store
from assay.store.verdict import Verdict
from assay.study.load import load
from assay.study.plans import CleanPlan, LabelRule, SplitPlan, Study, TunePlan
from assay.study.sources import Suite
from assay.study.toml import study_text
from tests.model_factories import (
    evidence_of,
    gate_result,
    identity,
    judging,
    line_table,
    number_case,
    plan,
    ref,
    registration,
    scored_case,
    steady,
    study,
)

pytestmark = [
    pytest.mark.slow,
    # Keras reads a variable with np.array, which TensorFlow's variables answer in the old way.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

ALWAYS = {
    "verdict.json",
    "registration.json",
    "study.toml",
    "report.html",
    "evidence.json",
    "trials.json",
    "requirements.txt",
    "bundle/suite.json",
    "bundle/DATA_SHEET.md",
    "bundle/DATA_SHEET.ko.md",
    "bundle/REFORMS.md",
    "bundle/REFORMS.ko.md",
}
OF_A_MODEL = {
    "bundle/manifest.json",
    "bundle/requirements.txt",
    "bundle/model.keras",
    "bundle/net.onnx",
    "bundle/prep.json",
    "bundle/prep.npz",
}
SUITE = Suite(name="toy", text='{"name": "toy", "expectations": []}')


# The study as TOML -----------------------------------------------------------------------------


def loaded(text, tmp_path, name="toy"):
    path = tmp_path / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def test_a_study_with_every_section_reads_back_the_same(tmp_path):
    everything = plan(
        target=LabelRule(
            column="digit", at_least=5, positive="5 to 9", negative="0 to 4"
        ),
        split=SplitPlan(folds=4, repeats=2, inner_folds=4),
        clean={
            "lists": [{"column": "cast", "separator": "|"}],
            "spellings": {"나라 이름": {"United States": "USA"}},
            "drop": [{"column": "a 'b' \"c\"", "reason": "back\\slash"}],
            "duplicates": "drop",
            "outliers": {"rule": "iqr", "factor": 1e-5, "columns_needed": 2},
        },
        audit={
            "alarm": 1e-7,
            "accept": [
                {"sentinel": "single_column", "columns": ["x", "y"], "reason": "known"}
            ],
        },
        tune=TunePlan(trials=2, seeds=1),
    )
    declared = study(
        seed=2**63 - 1, plan={"a": everything, "b": plan(target="other", positive="예")}
    )

    assert loaded(study_text(declared), tmp_path) == declared


def test_a_study_of_a_number_and_a_series_reads_back_the_same(tmp_path):
    """Every key of the second protocol: order, gap, a loss, its margin, sources, the self-test."""
    series = plan(
        task="regression",
        metric="absolute_error",
        at_least=None,
        at_most=12.5,
        margin=0.25,
        smallest_effect=0.15,
        order="when 'it' was",
        split=SplitPlan(folds=4, inner_folds=3, time="blocks", gap=7),
        audit={
            "sources": ["scanner", 'clinic "A"'],
            "self_test": 30,
            "smallest_leak": 0.05,
            "accept": [
                {"sentinel": "undeclared_unit", "reason": "new rows share them"}
            ],
        },
        gate={"permutations": 199, "stop": "never", "hidden": 8, "steps": 100},
    )
    people = plan(unit="person id", metric="log_loss", at_least=None, at_most=0.6)
    declared = study(plan={"a": series, "b": people})
    text = study_text(declared)

    assert loaded(text, tmp_path) == declared
    assert tomllib.loads(text)["plan"]["a"]["order"] == "when 'it' was"
    assert tomllib.loads(text)["plan"]["b"]["unit"] == "person id"


words = st.text(
    st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30
).filter(lambda text: text.strip())


@steady
@given(words, words, words, st.integers(0, 2**63 - 1), st.floats(1e-12, 0.49))
def test_any_text_and_number_survives_the_spelling_in_toml(
    question, reason, column, seed, margin
):
    declared = study(
        question=question,
        seed=seed,
        plan={
            "a": plan(
                margin=margin,
                target=LabelRule(column=column, one_of=(reason, question)),
                clean={"drop": [{"column": column, "reason": reason}]},
            )
        },
    )

    assert Study.model_validate(tomllib.loads(study_text(declared))) == declared


@steady
@given(st.lists(words, min_size=1, max_size=3))
def test_overrides_are_said_in_a_comment_and_cannot_leave_it(texts):
    """What was set is in the values already; a line break in it must not become a line of TOML."""
    plain = study()
    declared = plain.model_copy(
        update={"overrides": tuple(f"plan.a.claim={text}" for text in texts)}
    )
    text = study_text(declared)

    assert text.startswith("# Overrides applied: ")
    assert Study.model_validate(tomllib.loads(text)) == plain


# The files of a run ----------------------------------------------------------------------------


def model_of(seed=0, n_members=2, n_outputs=2, n=200):
    features, _ = line_table(n, seed)
    features["colour"] = np.array(["red", "green", "blue"], dtype=object)[
        np.arange(n) % 3
    ]
    said = np.array(["a red house", "파란 바다", None, "green tree"], dtype=object)
    features["title"] = said[np.arange(n) % 4]
    plan = CleanPlan(text=("title",), text_components=2)
    preparation = preprocess.fit(features, plan)
    shape = Shape(preparation.n_inputs, n_outputs, (8,))
    members = [Net(first_weights(shape, number)) for number in range(n_members)]
    tables = Tables(features, features, pd.DataFrame())
    return Model(preparation.packed(), pack_nets(members), tables)


def judged(case, **changed):
    return judge_evidence(
        case.evidence,
        case.samples,
        case.folds,
        case.predictions,
        judging(**changed),
        identity(),
    )


def scored_of(case):
    evidence = case.evidence
    return Scored(
        evidence.cleaned, case.labels, case.folds, evidence.results, case.predictions
    )


@pytest.fixture(scope="module")
def case():
    return scored_case({"logistic": 1.0, "net": 1.0}, n=200, repeats=2)


@pytest.fixture(scope="module")
def whole(case):
    """Every file of a run that went all the way."""
    return run_files(
        registration(),
        SUITE,
        case.evidence,
        judged(case),
        scored_of(case),
        model_of(),
    ).files


def test_a_whole_run_leaves_verdict_report_predictions_and_model(whole):
    assert set(whole) == ALWAYS | OF_A_MODEL | {"predictions.parquet"}
    assert all(isinstance(content, bytes) and content for content in whole.values())
    assert whole["requirements.txt"] == core_lock().read_bytes()
    assert whole["bundle/suite.json"].decode() == SUITE.text


def test_a_run_that_stopped_leaves_no_predictions_and_no_model(case):
    evidence = evidence_of(gate=gate_result("no_signal"))
    verdict = judge_evidence(
        evidence, case.samples, case.folds, {}, judging(), identity()
    )
    files = run_files(registration(), SUITE, evidence, verdict, None, None).files

    assert set(files) == ALWAYS
    assert json.loads(files["trials.json"]) == []
    assert json.loads(files["verdict.json"])["outcome"] == "no_signal"


def test_the_same_run_twice_leaves_the_same_bytes(case, whole):
    again = run_files(
        registration(),
        SUITE,
        case.evidence,
        judged(case),
        scored_of(case),
        model_of(),
    ).files

    assert [path for path in whole if whole[path] != again[path]] == []


def test_json_files_hold_no_nan_and_read_back(whole, case):
    for path in (
        "verdict.json",
        "registration.json",
        "trials.json",
        "bundle/prep.json",
    ):
        json.loads(whole[path], parse_constant=pytest.fail)

    assert json.loads(whole["verdict.json"]) == judged(case).verdict.model_dump(
        mode="json"
    )
    assert len(json.loads(whole["trials.json"])) == 2 * 5 * 2


def test_predictions_have_a_line_per_repeat_and_row(whole, case):
    table = pd.read_parquet(io.BytesIO(whole["predictions.parquet"]))

    assert len(table) == 2 * 200
    assert list(table["label"][:4]) == ["no", "yes", "no", "yes"]
    for repeat in (0, 1):
        part = table[table["repeat"] == repeat]
        assert np.array_equal(part["fold"], case.folds[repeat])
        for fold in range(5):
            found = part.loc[part["fold"] == fold, ["net:no", "net:yes"]].to_numpy()
            assert np.array_equal(found, case.predictions["net"][repeat][fold])


def test_the_bundled_model_predicts_from_its_files_alone(whole):
    """prep.json, prep.npz without pickle, model.keras: what a stranger needs, and it agrees."""
    form = json.loads(whole["bundle/prep.json"])
    with np.load(io.BytesIO(whole["bundle/prep.npz"]), allow_pickle=False) as saved:
        arrays = {name: saved[name] for name in saved.files}
    form = form | form["preparation"]
    model = model_of()
    rows = model.tables.features.iloc[:7]
    raw = rows[form["numeric"]].to_numpy(dtype=float)
    z = (np.where(np.isnan(raw), arrays["fill"], raw) - arrays["centre"]) / arrays[
        "scale"
    ]
    inputs = [
        z / np.sqrt(1 + (z / form["clip"]) ** 2),
        np.isnan(raw)[:, arrays["indicated"]],
    ]
    for name in form["categorical"]:
        known = rows[name].to_numpy()[:, None] == np.array(
            form["levels"][name], dtype=object
        )
        inputs += [known, ~known.any(axis=1, keepdims=True)]
    [text], missing = form["texts"], rows["title"].isna().to_numpy()[:, None]
    counted = CountVectorizer(
        analyzer="char_wb", ngram_range=(2, 4), vocabulary=text["terms"]
    ).transform(rows[text["column"]].fillna(""))
    weighted = normalize(counted.toarray() * arrays["text0_idf"])
    z = weighted @ arrays["text0_projection"] - arrays["text0_centre"]
    z = np.where(missing, 0, z / arrays["text0_scale"])
    inputs += [z / np.sqrt(1 + (z / form["clip"]) ** 2), missing]
    by_hand = np.concatenate(inputs, axis=1).astype(np.float32)
    found = np.asarray(from_archive(whole["bundle/model.keras"])(by_hand))

    assert by_hand.shape[1] == form["n_inputs"]
    assert form["classes"] == ["no", "yes"]
    assert form["task"] == "binary"
    assert text["indicated"]
    prepared = preprocess.unpack(model.preparation).apply(rows)
    assert np.array_equal(by_hand[:, :-3], prepared[:, :-3])
    assert by_hand == pytest.approx(prepared, abs=1e-6)
    members = [net.weights for net in unpack_nets(model.weights)]
    hidden = [np.maximum(by_hand @ w[0] + w[1], 0) @ w[2] + w[3] for w in members]
    odds = [np.exp(logits - logits.max(axis=1, keepdims=True)) for logits in hidden]
    expected = np.mean([odd / odd.sum(axis=1, keepdims=True) for odd in odds], axis=0)
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_bundle_of_a_number_predicts_it_and_says_so():
    """One column per model, labels as they are; the saved net has no softmax."""
    case = number_case({"linear": 8.0, "net": 4.0}, n=200, repeats=2)
    model = model_of(n_outputs=1)
    judgement = judged(case, metric="r2", at_least=0.5)
    files = run_files(
        registration(), SUITE, case.evidence, judgement, scored_of(case), model
    ).files
    table = pd.read_parquet(io.BytesIO(files["predictions.parquet"]))
    form = json.loads(files["bundle/prep.json"])
    rows = model.tables.features.iloc[:9]
    inputs = preprocess.unpack(model.preparation).apply(rows)
    found = np.asarray(from_archive(files["bundle/model.keras"])(inputs))

    assert list(table) == ["repeat", "row", "fold", "label", "linear", "net"]
    assert np.array_equal(table["label"], np.tile(case.labels, 2))
    for fold in range(5):
        part = table[(table["repeat"] == 1) & (table["fold"] == fold)]
        assert np.array_equal(part["net"], case.predictions["net"][1][fold][:, 0])
    assert form["task"] == "regression"
    assert form["classes"] == []
    assert found == pytest.approx(
        predict(unpack_nets(model.weights), inputs).mean(axis=0), abs=1e-5
    )


@pytest.mark.parametrize("make", [scored_case, number_case])
def test_rows_that_no_fold_tests_have_no_line(make):
    """The first block of a series: predicted by nothing, so nothing is said of it."""
    case = make({"logistic": 1.0, "net": 2.0}, n=200, repeats=1)
    first = case.folds[0] == 0
    outer = np.where(first, -1, case.folds - 1).astype(np.int16)
    later = {name: [of[0][1:]] for name, of in case.predictions.items()}
    scored = dataclasses.replace(scored_of(case), outer=outer, predictions=later)
    judgement = judged(case, metric="auc" if make is scored_case else "r2")
    files = run_files(
        registration(), SUITE, case.evidence, judgement, scored, None
    ).files
    table = pd.read_parquet(io.BytesIO(files["predictions.parquet"]))

    assert table["row"].tolist() == np.flatnonzero(~first).tolist()
    assert set(table["fold"]) == {0, 1, 2, 3}
    of_net = [name for name in table if name.startswith("net")]
    part = table.loc[table["fold"] == 0, of_net].to_numpy()
    assert np.array_equal(part, case.predictions["net"][0][1])


def test_nothing_in_a_bundle_is_a_pickle(whole):
    for path, content in whole.items():
        assert not content.startswith(b"\x80"), path
    assert b"pickle" not in whole["bundle/prep.json"]


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("bad", [np.nan, 1e30])
def test_a_saved_model_that_does_not_predict_what_was_trained_is_not_exported(
    case, bad, n_outputs
):
    """Weights that are no numbers, or beyond float32's reach, predict nothing that can be compared."""
    evidence, model = case.evidence, model_of(n_outputs=n_outputs)
    model.weights["0_0"][:] = bad
    model.weights["0_2"][:] = bad

    left = run_files(registration(), SUITE, evidence, judged(case), None, model)

    assert not {"bundle/model.keras", "bundle/net.onnx"} & left.files.keys()
    deviation = str(left.verdict.deviations[0])
    assert deviation.startswith("exports no model (model.keras differs")
    written = Verdict.model_validate_json(left.files["verdict.json"])
    assert written.deviations == left.verdict.deviations
    assert "exports no model" in left.files["report.html"].decode()


# From the store --------------------------------------------------------------------------------


def final_of(store, model):
    return FinalFit(
        model=ModelFit(
            trials=(Trial(number=0, hyperparameters={"depth": 1}, score=0.5),),
            winner=0,
            predictions=None,
            score=None,
            fit_s=1.0,
            predict_s=0.0,
            size=1000,
        ),
        preparation=store.put_arrays(model.preparation),
        weights=store.put_arrays(model.weights),
        weights_digest=nets_digest(unpack_nets(model.weights)),
    )


def test_what_the_evidence_names_is_opened_and_nothing_where_there_is_no_final_fit(
    tmp_path,
):
    store, model = Store(tmp_path), model_of(n=60)
    labels = np.array([0, 1] * 30, dtype=np.int32)
    outer = np.zeros((1, 60), dtype=np.int16)
    bare = evidence_of(gate=gate_result("signal"), n=60, repeats=1)
    evidence = bare.model_copy(
        update={
            "cleaned": bare.cleaned.model_copy(
                update={
                    "features": store.put_table(model.tables.features),
                    "labels": store.put_array(labels),
                }
            ),
            "snapshot": bare.snapshot.model_copy(
                update={"table": store.put_table(model.tables.raw.assign(label="x"))}
            ),
            "split": bare.split.model_copy(update={"outer": store.put_array(outer)}),
            "final": final_of(store, model),
        }
    )
    scored, stored = opened(store, evidence, plan())

    assert opened(store, bare, plan()) == (None, None)
    assert np.array_equal(scored.labels, labels)
    assert np.array_equal(scored.outer, outer)
    assert nets_digest(unpack_nets(stored.weights)) == evidence.final.weights_digest
    pd.testing.assert_frame_equal(stored.tables.features, model.tables.features)


def test_equal_runs_share_the_digests_of_verdict_and_weights(tmp_path, case):
    judgement, final = judged(case), final_of(Store(tmp_path), model_of())
    same = same_digests(judgement, final)

    assert same["verdict"] == judgement.verdict.essence_digest()
    assert same["weights"] == final.weights_digest
    assert same.items() >= judgement.verdict.digests.items()
    assert "weights" not in same_digests(judgement, None)
    assert ref("x").digest not in same.values()
