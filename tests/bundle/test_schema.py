"""The form of a study's rows: everything that training did to them, said in a bundle."""

import json

import numpy as np
import pandas as pd
import pytest

from assay.predict.stored_form import form_of
from assay.predict.tables import open_table
from assay.preprocess.schema import both_ways, columns_needed, label_in_words
from assay.store.store import Store
from assay.study.plans import LabelRule
from tests.bundle_factories import make_bundle
from tests.factories import make_table
from tests.predict.test_tables import CLEAN, table


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("form") / "b"
    return make_bundle(folder, table(), unit="id", clean=CLEAN)


def test_each_column_is_said_as_training_read_it(made):
    known = {column.name: (column.kind, column.role) for column in made.form.columns}

    assert known == {
        "height": ("number", "number"),
        "age": ("whole", "number"),
        "code": ("whole", "category"),
        "member": ("boolean", "number"),
        "asked": ("boolean", "category"),
        "town": ("text", "category"),
        "price": ("text", "number"),
        "sold": ("text", "date"),
        "tags": ("text", "list"),
        "said": ("text", "text"),
    }
    [price] = (column for column in made.form.columns if column.name == "price")
    assert (price.numbers, price.unit, price.units) == (True, None, ("$",))


def test_columns_that_name_rows_are_copied_and_others_are_not_needed(tmp_path):
    frame = table().assign(
        group=np.arange(90) // 3,
        number=np.arange(90)[::-1] * 2,
        note=[f"note {n % 40}" for n in range(90)],
    )
    drop = [{"column": name, "reason": "no reason"} for name in ("note", "number")]
    made = make_bundle(tmp_path / "b", frame, unit="group", clean={**CLEAN, "drop": drop})  # fmt: skip

    assert set(made.form.copied) == {"group", "number", "id"}
    assert not {"group", "number", "id", "note", "answer"} & set(columns_needed(made.plan, made.preparation))  # fmt: skip


def test_what_training_saw_is_bounds_gaps_and_levels_rare_ones_too(made):
    seen, frame = made.form.seen, table()

    assert seen.numbers["height"] == (frame["height"].min(), frame["height"].max())
    assert "height" in seen.gaps
    assert "age" not in seen.gaps
    assert seen.levels["town"] == ("Busan", "Seoul", "(missing)")
    assert seen.levels["code"] == ("1", "2", "3")
    assert "sold days" in seen.numbers
    assert not any("sine" in name for name in seen.numbers)


def test_the_pixels_of_an_image_have_one_range(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 17, (60, 64)) * 1.0
    frame = pd.DataFrame(pixels, columns=[f"p{n}" for n in range(64)])
    frame["answer"] = ["yes", "no"] * 30
    image = {"height": 8, "width": 8, "channels": 1}
    made = make_bundle(tmp_path / "b", frame, clean={"image": image})
    bundle = made.opened()
    frame.loc[0, ["p3", "p9"]] = 99

    assert made.form.seen.numbers == {"pixels": (0.0, 16.0)}
    assert bundle.predict(frame.head(2).to_dict("list")).remarks == (
        "2 pixels lie outside 0 to 16, which training saw",
        "",
    )


@pytest.mark.parametrize(
    ("target", "task", "said"),
    [
        ("answer", "binary", "answer"),
        (LabelRule(column="age", at_least=40, positive="old", negative="young"), "binary", "'old' where age >= 40, else 'young'"),
        (LabelRule(column="town", mapping={"Busan": "south", "Seoul": "north"}), "binary", "town, as one of north, south"),
        (LabelRule(expression="age / height"), "regression", "age / height"),
        (LabelRule(expression="age > 40"), "binary", "'yes' where age > 40 holds, else 'no'"),
    ],
)  # fmt: skip
def test_what_is_predicted_is_said_in_words(target, task, said, tmp_path):
    changes = {"metric": "r2"} if task == "regression" else {}
    frame = table().dropna()
    made = make_bundle(tmp_path / "b", frame, target=target, task=task, **changes)

    assert made.form.label == said
    cleaned = made.samples.keep(Store(tmp_path / "store"))
    assert label_in_words(made.plan, cleaned) == said


def test_rows_come_to_the_same_inputs_by_both_ways(made):
    form = form_of(json.loads(json.dumps(made.form.as_json())), made.form.arrays())
    trained, applied = both_ways(made.plan, form, made.preparation, table(), 70)

    assert trained.shape == (70, made.preparation.n_inputs)
    np.testing.assert_allclose(trained, applied, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", ["moments", "zoned", "days", "gaps", "codes"])
def test_tables_with_types_of_their_own_go_both_ways(kind, tmp_path):
    """As they come from Parquet: moments, dates, whole numbers with gaps, categories."""
    frame = make_table(60)
    moments = pd.Series(pd.date_range("2020-01-01 08:30", periods=60, freq="37h"))
    frame["extra"] = {
        "moments": moments,
        "zoned": moments.dt.tz_localize("Asia/Seoul"),
        "days": moments.dt.date,
        "gaps": pd.Series([None, *range(59)], dtype="Int64"),
        "codes": pd.Series(["a", "b", "c"] * 20).astype("category"),
    }[kind]
    declared = kind in ("moments", "zoned")
    clean = {"dates": ["extra"]} if declared else {}
    made = make_bundle(tmp_path / "b", frame, clean=clean)
    trained, applied = both_ways(made.plan, made.form, made.preparation, frame, 60)

    np.testing.assert_allclose(trained, applied, rtol=0, atol=1e-6)
    frame.to_parquet(tmp_path / "t.parquet")
    bundle = made.opened()
    parts = [bundle.predict_chunk(chunk) for chunk in open_table(tmp_path / "t.parquet", bundle).chunks]  # fmt: skip
    np.testing.assert_allclose(parts[0].probabilities, made.trained(frame), atol=1e-5)


def test_dates_since_others_need_both_columns(tmp_path):
    frame = make_table(60)
    frame["made"] = pd.date_range("2020-01-01", periods=60).strftime("%d/%m/%Y")
    frame["sold"] = pd.date_range("2021-01-01", periods=60, freq="37h").strftime("%Y-%m-%d %H:%M")  # fmt: skip
    dates = [
        {"column": "made", "format": "%d/%m/%Y", "parts": ["year"]},
        {"column": "sold", "since": "made", "parts": ["elapsed", "hour"]},
    ]
    made = make_bundle(tmp_path / "b", frame, clean={"dates": dates})
    found = made.opened().predict({n: frame[n].tolist() for n in made.opened().needed})

    assert {"made", "sold"} <= set(made.opened().needed)
    np.testing.assert_allclose(found.probabilities, made.trained(frame), atol=1e-5)
