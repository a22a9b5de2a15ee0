"""The rows of a request: bounded work, and sentences that name the model's columns and repeat nothing that was sent."""

import json
import tracemalloc

import pytest

from assay.predict.schema import Form
from assay.serve import rows
from assay.serve.refusal import Refused
from assay.serve.rows import columns_in
from tests.bundle_factories import make_bundle
from tests.factories import make_table

SECRET = "Seoul 140-7"


@pytest.fixture(scope="module")
def form(tmp_path_factory) -> Form:
    """64 columns of numbers, and a text."""
    table = make_table(80)
    further = {f"column {n}": table["height"] + n for n in range(62)}
    return make_bundle(tmp_path_factory.mktemp("b") / "b", table.assign(**further)).form


def row(form: Form, **changes) -> dict:
    cells = {one.name: "Seoul" if one.name == "town" else 1 for one in form.columns}
    return cells | changes


def refused(body: bytes, form: Form) -> Refused:
    with pytest.raises(Refused) as error:
        columns_in(body, form)
    return error.value


def test_rows_become_columns(form):
    body = json.dumps({"rows": [row(form, height=None), row(form, height=2.5)]})

    columns = columns_in(body.encode(), form)

    assert columns.keys() == {one.name for one in form.columns}
    assert columns["height"] == [None, 2.5]


def test_a_bom_is_passed_over_and_korean_is_read(form):
    body = json.dumps({"rows": [row(form, town="서울")]}, ensure_ascii=False)

    assert columns_in(body.encode("utf-8-sig"), form)["town"] == ["서울"]


def test_problems_are_told_up_to_ten_and_work_ends_there(form):
    """10,000 empty rows of 64 columns made an error object for each cell: 0.66 GB."""
    body = b'{"rows": [' + b",".join([b"{}"] * 10_000) + b"]}"
    tracemalloc.start()
    error = refused(body, form)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(error.problems) == 10
    assert str(error.sentence).endswith("It is the first of more than 10 such problems.")  # fmt: skip
    assert peak < 5e6


def test_several_problems_are_counted(form):
    body = json.dumps({"rows": [row(form), row(form, town=1, height="x")]})
    error = refused(body.encode(), form)

    assert str(error.sentence) == "Row 2: column 'height' must be a number or null. It is the first of 2 such problems."  # fmt: skip
    assert str(error.problems[1]) == "Row 2: column 'town' must be a text or null."


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("1" + "0" * 400, "a number too large"),
        ("-1" + "0" * 400, "a number too large"),
        ("1e39", "a number too large"),
        ("1e999", "must be a number"),
        ("NaN", "must be a number"),
        ("true", "must be a number"),
        ("[1]", "must be a number"),
        ("{}", "must be a number"),
        (f'"{SECRET}"', "must be a number"),
        ("1" * 5_000, "more digits"),
        (f'1, "height": "{SECRET}"', "stands twice"),
        (f'"{SECRET}', "not valid JSON"),
    ],
    ids=lambda text: text[:20],
)
def test_a_cell_that_is_no_number_is_one_sentence_without_it(form, cell, said):
    body = json.dumps({"rows": [row(form, height="CELL")]}).replace('"CELL"', cell)
    told = str(refused(body.encode(), form).sentence)

    assert said in told
    assert SECRET not in told
    assert len(told) < 200


@pytest.mark.parametrize(
    ("cell", "said"),
    [("\x00", "control"), ("\ud800", "control"), ("a" * 2**21, "too long")],
    ids=["nul", "half a pair", "long"],
)
def test_a_text_that_no_table_can_hold_is_refused(form, cell, said):
    body = json.dumps({"rows": [row(form, town=cell)]}).encode()

    assert said in str(refused(body, form).sentence)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b"null", b"3", b'"x"', b'{"rows": []}', b'{"rows": {}}'),
        *(b'{"rows": [1]}', b'{"rows": [[]]}', b'{"rows": [{}], "secret": 1}', b"{}"),
        *(b"\xff", '{"rows": []}'.encode("utf-16"), b"[" * 10**6, b'{"a":' * 10**6),
    ],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
def test_what_is_no_table_is_one_sentence(form, body):
    told = str(refused(body, form).sentence)

    assert told.endswith((".", "one."))
    assert "secret" not in told


def test_brackets_in_texts_are_texts(form):
    """They are told from lists: only those cost memory."""
    body = json.dumps({"rows": [row(form, town='[{"\\' * 10_000)] * 6}).encode()
    assert body.count(b"[") > rows.MOST_ROWS

    assert len(columns_in(body, form)["town"]) == 6
    lists = b'{"rows": [' + b"[]," * 200_000 + b"[]]}"
    assert "too many lists" in str(refused(lists, form).sentence)
