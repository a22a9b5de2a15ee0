"""Tables to predict, in every form they come in, and what is said of those that cannot be used."""

import gzip
import io
import json
import zipfile

import numpy as np
import pandas as pd
import pytest

from assay.errors import DataRefused
from assay.predict.tables import open_table
from tests.bundle_factories import make_bundle
from tests.reading import said_by

N = 90


def table() -> pd.DataFrame:
    """A column of every kind, in its usual ways to be missing."""
    rng = np.random.default_rng(0)
    gaps = rng.random((4, N)) < 0.1
    frame = pd.DataFrame(
        {
            "id": [f"case {n}" for n in range(N)],
            "height": np.where(gaps[0], np.nan, rng.normal(170, 10, N).round(2)),
            "age": rng.integers(1, 99, N),
            "code": rng.integers(1, 4, N),
            "member": rng.random(N) < 0.5,
            "asked": np.where(gaps[1], None, rng.random(N) < 0.5),
            "town": np.where(gaps[2], None, rng.choice(["Busan", "Seoul", "서울, 시"], N)),
            "price": np.where(gaps[3], "Unrated", np.char.add("$", rng.integers(1, 3000, N).astype(str))),
            "sold": pd.date_range("2020-01-01", periods=N).strftime("%Y-%m-%d"),
            "tags": rng.choice(["a|b", "b", "c|a", ""], N),
            "said": rng.choice(["good red noodles", "매운 라면", "so so"], N),
            "answer": np.where(np.arange(N) % 2, "yes", "no"),
        }
    )  # fmt: skip
    texts = ["id", "town", "price", "sold", "tags", "said"]
    frame["tags"] = frame["tags"].where(frame["tags"] != "", None)
    return frame.astype(dict.fromkeys(texts, "str"))


CLEAN = {
    "categories": ["code"],
    "numbers": ["price"],
    "dates": ["sold"],
    "lists": [{"column": "tags", "separator": "|"}],
    "text": ["said"],
    "text_components": 3,
    "spellings": {"town": {"서울, 시": "Seoul"}},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("tables") / "b", table(), clean=CLEAN)


@pytest.fixture(scope="module")
def bundle(made):
    return made.opened()


def as_csv(frame: pd.DataFrame, separator: str = ",") -> str:
    return frame.to_csv(index=False, sep=separator)


def as_jsonl(frame: pd.DataFrame) -> str:
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def packed(content: bytes, name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def as_parquet(frame: pd.DataFrame) -> bytes:
    return frame.to_parquet(index=False)


FILES = {
    "t.csv": as_csv(table()).encode(),
    "bom.csv": as_csv(table()).encode("utf-8-sig"),
    "korean.csv": as_csv(table()).encode("cp949"),
    "wide.csv": as_csv(table()).encode("utf-16"),
    "windows.csv": as_csv(table()).replace("\n", "\r\n").encode(),
    "tabs.tsv": as_csv(table(), "\t").encode(),
    "marks.txt": as_csv(table(), ";").encode(),
    "bars.csv": as_csv(table(), "|").encode(),
    "quoted.csv": table().to_csv(index=False, quoting=1, na_rep="NA").encode(),
    "t.csv.gz": gzip.compress(as_csv(table()).encode()),
    "t.zip": packed(as_csv(table()).encode(), "t.csv"),
    "t.jsonl": as_jsonl(table()).encode(),
    "t.jsonl.gz": gzip.compress(as_jsonl(table()).encode()),
    "t.parquet": as_parquet(table()),
    "typed.parquet": as_parquet(table().assign(sold=pd.to_datetime(table()["sold"]))),
    "other-order.csv": as_csv(table()[table().columns[::-1]].assign(new=1)).encode(),
}


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def predicted(path, bundle):
    read = open_table(path, bundle)
    parts = [bundle.predict_chunk(chunk) for chunk in read.chunks]
    return np.concatenate([part.probabilities for part in parts]), read


@pytest.mark.parametrize("name", FILES)
def test_a_table_is_predicted_as_training_would_whatever_its_form(
    name, made, bundle, tmp_path
):
    found, read = predicted(write(tmp_path, name, FILES[name]), bundle)

    np.testing.assert_allclose(found, made.trained(table()), atol=1e-5)
    assert read.copied == ("id",)


def test_rows_come_in_order_and_few_at_a_time_and_know_their_lines(bundle, tmp_path):
    long = pd.concat([table()] * 150, ignore_index=True)
    long["id"] = [f"row\n{n}" if n % 7 == 0 else f"row {n}" for n in range(len(long))]
    chunks = list(open_table(write(tmp_path, "t.csv", as_csv(long)), bundle).chunks)
    text = as_csv(long).splitlines()

    assert len(chunks) > 3
    assert max(chunk.n_rows for chunk in chunks) <= bundle.rows_at_once()
    assert [cell for chunk in chunks for cell in chunk.cells["id"]] == list(long["id"])
    assert chunks[2].first == chunks[0].n_rows + chunks[1].n_rows
    line = int(str(chunks[2].place(5)).removeprefix("line "))
    assert chunks[2].cells["said"][5] in text[line - 1]


def test_a_file_without_a_header_takes_the_names_that_the_study_gives(tmp_path):
    frame = table()[["height", "age", "answer"]]
    made = make_bundle(tmp_path / "b", frame, read={"names": list(frame)})
    bare = write(tmp_path, "bare.csv", frame.to_csv(index=False, header=False))
    named = write(tmp_path, "named.csv", as_csv(frame))

    first, read = predicted(bare, made.opened())
    other, _ = predicted(named, made.opened())
    np.testing.assert_array_equal(first, other)
    assert "no header" in str(read.notes[1])


def test_a_declared_encoding_and_separator_are_tried_where_others_do_not_fit(tmp_path):
    frame = table()[["height", "age", "town", "answer"]].rename(columns={"town": "Größe"})  # fmt: skip
    plan = {"read": {"encoding": "cp1252", "separator": ";"}}
    frame["Größe"] = np.where(np.arange(N) % 3, "grün", "weiß")
    made = make_bundle(tmp_path / "b", frame, **plan)
    for name, content in (
        ("declared.csv", as_csv(frame, ";").encode("cp1252")),
        ("usual.csv", as_csv(frame).encode()),
    ):
        found, _ = predicted(write(tmp_path, name, content), made.opened())
        np.testing.assert_allclose(found, made.trained(frame), atol=1e-5)


def test_the_studys_own_words_for_missing_count_in_every_form(tmp_path):
    frame = table()[["height", "town", "answer"]].fillna({"height": 150.0})
    read = {"missing": ["-999", "unknown"]}
    made = make_bundle(tmp_path / "b", frame, read=read)
    gaps = frame.assign(height=-999.0, town="unknown")
    bundle, blank = made.opened(), frame.assign(height=np.nan, town=None)

    for name, content in (("t.csv", as_csv(gaps)), ("t.jsonl", as_jsonl(gaps)), ("t.parquet", as_parquet(gaps))):  # fmt: skip
        found, _ = predicted(write(tmp_path, name, content), bundle)
        np.testing.assert_allclose(found, made.trained(blank), atol=1e-5)


def test_arrays_are_read_some_rows_at_a_time_whatever_their_layout(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (400, 8, 9, 3)).astype(np.uint8)
    frame = pd.DataFrame(images.reshape(400, -1), columns=[f"pixel_{n:04}" for n in range(216)])  # fmt: skip
    frame["label"] = np.where(rng.random(400) < 0.5, "a", "b")
    image = {"height": 8, "width": 9, "channels": 3, "denoise": "median"}
    made = make_bundle(tmp_path / "b", frame, target="label", clean={"image": image})
    bundle = made.opened()
    for name, stored in (("c", images), ("fortran", np.asfortranarray(images))):
        np.savez_compressed(tmp_path / f"{name}.npz", x=stored, label=np.array(frame["label"], dtype="U"))  # fmt: skip
        found, _ = predicted(tmp_path / f"{name}.npz", bundle)
        np.testing.assert_allclose(found, made.trained(frame), atol=1e-5)
    found, _ = predicted(write(tmp_path, "p.parquet", as_parquet(frame)), bundle)
    np.testing.assert_allclose(found, made.trained(frame), atol=1e-5)
    assert bundle.rows_at_once(40_000) == 100


# Refused -------------------------------------------------------------------------------------------


def refusal(bundle, folder, name, content) -> str:
    path = write(folder, name, content)
    return said_by(lambda: predicted(path, bundle), name)


def with_cell(name, cell, row=4) -> pd.DataFrame:
    frame = table().astype(object).where(table().notna(), None)
    frame.loc[row, name] = cell
    return frame


@pytest.mark.parametrize(
    ("name", "cell", "said"),
    [
        ("height", "1,72", "line 6: column height holds '1,72', which is not a number"),
        ("height", "tall", "line 6: column height holds 'tall', which is not a number"),
        ("height", "1_000", "'1_000', which is not a number"),
        ("height", "１７２", "which is not a number"),
        ("height", "NAN", "'NAN', which is not a number"),
        ("height", " ", "' ', which is not a number"),
        ("height", "inf", "'inf', beyond 1e+38"),
        ("height", "1e39", "'1e39', beyond 1e+38. Leave it empty instead"),
        ("age", "True", "'True', which is not a number"),
        ("member", "1", "column member holds '1', which is neither true nor false"),
        ("member", "yes", "'yes', which is neither true nor false"),
        ("price", "5 lb", "'5 lb', but in training the units of its numbers were: $"),
        ("town", "Bu\x07san", "column town holds a control character (U+0007)"),
    ],
)
def test_a_cell_of_another_kind_is_refused_with_its_line(
    name, cell, said, bundle, tmp_path
):
    frame = with_cell(name, cell)
    line = refusal(bundle, tmp_path, "t.csv", as_csv(frame))

    assert said in line
    assert "line 6" in line


@pytest.mark.parametrize(
    ("name", "cell", "said"),
    [
        ("height", "tall", "line 5: column height holds 'tall', which is not a number"),
        ("height", True, "True, which is not a number"),
        ("height", 10**400, "beyond 1e+38"),
        ("member", 1, "1, which is neither true nor false"),
        ("town", ["Busan"], "the key 'town' holds a list"),
    ],
)
def test_a_json_value_of_another_kind_is_refused_with_its_line(
    name, cell, said, bundle, tmp_path
):
    rows = [json.loads(line) for line in as_jsonl(table()).splitlines()]
    rows[4][name] = cell
    text = "".join(json.dumps(row) + "\n" for row in rows)

    assert said in refusal(bundle, tmp_path, "t.jsonl", text)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (as_csv(table().head(0)), "has a header and no rows"),
        (as_csv(table().drop(columns="height")), "has no column 'height', which prediction needs; it has id, age"),
        (as_csv(table().rename(columns={"height": "Height_cm"})), "'Height_cm' is the closest"),
        (as_csv(table().rename(columns={"height": "HEIGHT"})), "'HEIGHT' is the closest"),
        (as_csv(table().drop(columns=["height", "age", "said"])), "no column 'height' and 2 more"),
        (as_csv(table()) + "1,2\n", "line 92: 2 fields, but the header has 12"),
        (as_csv(table()) + '"open', "line 92"),
        (as_csv(table()).replace("age,", "Height,", 1), "differ only in case"),
        (as_csv(table()).replace("age,", " age,", 1), "has blanks around it"),
        (as_csv(table()).encode("utf-32"), "UTF-32"),
        (as_csv(table()).encode() + b"\xff\xfe\xfd", "line 92: neither UTF-8 nor cp949 text"),
        (b"\x00" + as_csv(table()).encode(), "a zero byte"),
        (FILES["t.parquet"], "begins like a Parquet file"),
    ],
)  # fmt: skip
def test_a_text_table_that_cannot_be_read_exactly_is_refused(
    content, said, bundle, tmp_path
):
    line = refusal(bundle, tmp_path, "t.csv", content)

    assert said in line
    assert "plan.a" not in line


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.xlsx", b"x", "is a workbook, which prediction does not read. Save its sheet as CSV"),
        ("t.doc", b"x", "the ending is not one of"),
        ("t.jsonl", b"\n", "is empty"),
        ("t.jsonl", b'{"height": 1}\n', "has no column 'age' and 8 more"),
        ("t.jsonl", b"[1]\n", "not an object"),
        ("t.jsonl", b'{"a": 1, "a": 2}\n', "duplicate key"),
        ("t.jsonl", b"{\n", "not a JSON object"),
        ("t.parquet", b"PAR1", "not a readable Parquet file"),
        ("t.parquet", as_parquet(table().head(0)), "has a header and no rows"),
        ("t.parquet", as_parquet(table().drop(columns="age")), "has no column 'age'"),
        ("t.npz", b"PK", "not a readable NumPy archive"),
        ("t.zip", packed(b"x", "../t.csv"), "leads out of the archive"),
        ("t.csv.gz", gzip.compress(as_csv(table()).encode())[:-20], "cannot be read"),
    ],
)  # fmt: skip
def test_other_files_that_cannot_be_read_are_refused(
    name, content, said, bundle, tmp_path
):
    assert said in refusal(bundle, tmp_path, name, content)


def test_a_file_that_is_not_there_and_a_folder_are_refused(bundle, tmp_path):
    with pytest.raises(DataRefused, match="cannot be read: No such file"):
        open_table(tmp_path / "none.csv", bundle)
    with pytest.raises(DataRefused, match="is a folder"):
        open_table(tmp_path, bundle)


def test_objects_in_an_archive_are_never_unpickled(bundle, tmp_path):
    np.savez(tmp_path / "t.npz", height=np.array([{}], dtype=object))

    with pytest.raises(DataRefused, match="Python objects"):
        open_table(tmp_path / "t.npz", bundle)


# Marked --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "cell", "said"),
    [
        ("age", "250", "age 250 is above 98, the highest in training"),
        ("age", "-3", "age -3 is below 5, the lowest in training"),
        ("age", "", "age is missing, as in no training row"),
        ("height", "", ""),
        ("town", "Ulsan", "town 'Ulsan' was not seen in training"),
        ("town", "서울, 시", ""),
        ("town", "NA", ""),
        ("code", "9", "code '9' was not seen in training"),
        ("code", "2.0", ""),
        ("code", "x", "code 'x' was not seen in training"),
        ("price", "soon", "price 'soon' is no number and counts as missing"),
        ("price", "1,000", ""),
        ("sold", "soon", "sold 'soon' is no date and counts as missing"),
        ("sold", "2031-01-01", "sold days 11323 is above 7394, the highest in training"),
        ("said", "  ", "said holds blanks only"),
        ("asked", "FALSE", ""),
        ("tags", "never|seen", ""),
    ],
)  # fmt: skip
def test_a_row_outside_of_what_training_saw_is_predicted_and_marked(
    name, cell, said, bundle, tmp_path
):
    frame = with_cell(name, cell)
    path = write(tmp_path, "t.csv", as_csv(frame))
    [chunk] = open_table(path, bundle).chunks
    found = bundle.predict_chunk(chunk)

    assert said in found.remarks[4]
    assert bool(found.remarks[4]) == bool(said)
    assert not any(found.remarks[:4])
    assert np.isfinite(found.probabilities).all()


@pytest.mark.parametrize("kind", [str, np.datetime64])
def test_a_date_of_which_only_its_weekday_counts_is_missed_as_well(tmp_path, kind):
    """A place in a circle has no bounds, so that its column has to be asked."""
    days = [f"2020-01-{day:02}" for day in range(1, 29)]
    frame = pd.DataFrame({"sold": days, "answer": ["yes", "no"] * 14})
    dates = [{"column": "sold", "parts": ["weekday"]}]
    bundle = make_bundle(tmp_path / "b", frame, clean={"dates": dates}).opened()
    gap = None if kind is str else np.datetime64("NaT")
    cells = np.array([kind("2020-02-01"), gap])
    found = bundle.predict({"sold": cells if kind is not str else list(cells)})

    assert found.remarks == ("", "sold is missing, as in no training row")


def test_columns_that_are_not_needed_are_passed_over_with_one_remark(bundle, tmp_path):
    path = write(tmp_path, "t.csv", as_csv(table().assign(**{f"new {n}": n for n in range(9)})))  # fmt: skip
    read = open_table(path, bundle)
    list(read.chunks)

    assert sum("does not use" in str(note) for note in read.notes) == 1
    assert "answer, new 0" in str(read.notes[1])
    assert "and 4 more" in str(read.notes[1])


def test_many_remarks_on_one_row_are_cut_short(tmp_path):
    frame = pd.DataFrame({f"x{n}": np.arange(9) / 2 for n in range(9)})
    frame["answer"] = ["yes", "no", "no"] * 3
    bundle = make_bundle(tmp_path / "b", frame).opened()
    found = bundle.predict({f"x{n}": [99] for n in range(9)})

    assert found.remarks[0].count(";") == 5
    assert found.remarks[0].endswith("and 4 more")
