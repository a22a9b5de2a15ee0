"""The prediction service: the answers of ``predict``, for whoever may ask, and sentences for the rest."""

import json

import numpy as np
import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from assay.errors import DataRefused
from assay.serve.application import application
from assay.serve.rows import MOST_ROWS
from assay.serve.turns import Limits
from tests.bundle_factories import make_bundle
from tests.factories import make_table

TOKEN = "a token of some length"
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("bundle") / "b", make_table(80))


@pytest.fixture(scope="module")
def client(made):
    return TestClient(application(made.folder, None), base_url="http://127.0.0.1")


def rows(n: int = 80) -> list[dict]:
    table = make_table(80).drop(columns="answer").head(n)
    return table.astype(object).where(table.notna(), None).to_dict("records")


def refusal(response, code: int = 422) -> str:
    assert response.status_code == code, response.text
    return response.json()["detail"]


# Answers -----------------------------------------------------------------------------------------


def test_its_answers_are_those_of_predict(client, made):
    found = client.post("/predict", json={"rows": rows()}).json()["rows"]
    table = make_table(80).drop(columns="answer")
    expected = made.opened().predict({str(one): table[one].tolist() for one in table})

    assert [one["row"] for one in found] == list(range(1, 81))
    assert [one["prediction"] for one in found] == expected.prediction.tolist()
    assert [one["remarks"] for one in found] == list(expected.remarks)
    shares = [
        [one["probabilities"][name] for name in expected.classes] for one in found
    ]
    np.testing.assert_array_equal(np.float32(shares), expected.probabilities)


def test_a_number_is_answered_as_a_number(tmp_path):
    table = make_table(80).assign(answer=np.arange(80) / 7)
    made = make_bundle(tmp_path / "b", table, task="regression", metric="r2", at_least=0.1)  # fmt: skip
    client = TestClient(application(made.folder, None), base_url="http://localhost")
    (found,) = client.post("/predict", json={"rows": rows(1)}).json()["rows"]

    assert isinstance(found["prediction"], float)
    assert found["probabilities"] == {}


def test_columns_that_prediction_does_not_need_are_passed_over(client):
    more = [row | {"answer": "yes", "c0": 1} for row in rows(2)]
    found = client.post("/predict", json={"rows": more})

    assert found.json() == client.post("/predict", json={"rows": rows(2)}).json()


# Refusals ----------------------------------------------------------------------------------------


def test_a_missing_column_is_named(client):
    (row,) = rows(1)
    name = min(row)
    row.pop(name)

    assert refusal(client.post("/predict", json={"rows": [row]})) == f"Row 1: column {name!r} is missing. Send null where there is no value."  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"rows": []}', b'{"rows": 3}', b'{"rows": [{}], "x": 1}', b"\xff"],
)  # fmt: skip
def test_what_is_no_table_is_refused_in_a_sentence(client, body):
    response = client.post("/predict", content=body, headers=JSON)

    assert response.status_code in (400, 422)
    assert isinstance(response.json()["detail"], str)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", '"many"', "[1]", "true"])
def test_a_cell_that_is_no_number_is_refused_and_not_repeated(client, value):
    (row,) = rows(1)
    number = next(name for name, cell in row.items() if isinstance(cell, float))
    body = json.dumps({"rows": [row | {number: "CELL"}]}).replace('"CELL"', value)

    assert number in refusal(client.post("/predict", content=body, headers=JSON))


def test_more_rows_or_bytes_than_it_takes_are_refused(client):
    (row,) = rows(1)
    too_many = refusal(client.post("/predict", json={"rows": [row] * (MOST_ROWS + 1)}))
    body = b'{"rows": "' + b"a" * Limits().body + b'"}'

    assert f"{MOST_ROWS:,}" in too_many
    assert "larger than" in refusal(
        client.post("/predict", content=body, headers=JSON), 413
    )


def test_an_altered_bundle_is_not_served(tmp_path):
    made = make_bundle(tmp_path / "b", make_table(80))
    (made.folder / "net.onnx").write_bytes(b"other")

    with pytest.raises(DataRefused):
        application(made.folder, None)


# Who may ask -------------------------------------------------------------------------------------


def test_a_token_is_asked_of_everything_but_health(made):
    app = application(made.folder, TOKEN, ("*",))
    stranger, known = TestClient(app), TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"})  # fmt: skip

    for path in ("/card", "/openapi.json"):
        assert "token" in refusal(stranger.get(path), 401)
        assert known.get(path).status_code == 200
    assert "token" in refusal(stranger.post("/predict", json={"rows": rows(1)}), 401)
    assert known.post("/predict", json={"rows": rows(1)}).status_code == 200
    assert stranger.get("/health").json()["status"] == "ok"
    wrong = {"Authorization": "Bearer \u00e4".encode()}
    assert stranger.get("/card", headers=wrong).status_code == 401


@pytest.mark.parametrize("name", ["content-type", "content-encoding"])
def test_a_body_of_two_kinds_is_refused(client, name):
    kinds = {"content-type": b"application/json", "content-encoding": b"identity"}
    headers = [(key.encode(), kind) for key, kind in kinds.items()]
    headers.append((name.encode(), b"text/plain"))

    response = client.post("/predict", content=b"{}", headers=headers)

    assert response.status_code == 415


def test_a_page_that_calls_this_machine_by_another_name_is_not_answered(made):
    app = application(made.folder, None)

    assert TestClient(app, base_url="http://elsewhere.example").get("/health").status_code == 400  # fmt: skip


# Everything its description allows, and more -----------------------------------------------------


@pytest.mark.slow
def test_no_request_ends_in_an_error_of_the_service(made):
    app = application(made.folder, None, ("*",))
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    operations = [one.ok() for one in schema.get_all_operations()]

    @given(st.data())
    @settings(max_examples=150, deadline=None, derandomize=True)
    def asked(data):
        case = data.draw(st.sampled_from(operations).flatmap(_cases))
        response = case.call()

        assert response.status_code < 500, response.text
        (kind,) = response.headers["content-type"]
        assert kind.startswith(("application/json", "text/"))

    asked()
    assert {one.path for one in operations} == {
        "/",
        "/predict",
        "/example",
        "/health",
        "/card",
    }


def _cases(operation):
    """Requests as the description has them, and requests that it forbids."""
    modes = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
    return st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in modes))
