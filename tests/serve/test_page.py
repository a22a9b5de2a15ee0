"""The page about a model, and its example request, which works when it is pasted."""

import json
import re
import shlex
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient

from assay.predict.bundle import Bundle
from assay.predict.manifest import CARDS
from assay.serve.application import application
from assay.serve.example import command, example_body
from tests.bundle_factories import FILES, make_bundle, write_bundle
from tests.factories import make_table

CARD = """# Model card: toy

## Quantitative analyses

- AUC 0.9 [here](javascript:x) ![p](http://elsewhere.example/p.png) <script>x</script>

## Caveats

- none
"""
HOSTILE = "<script>alert('1')</script>"


def client(folder) -> TestClient:
    return TestClient(application(folder, None), base_url="http://localhost:8000")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A bundle with a card, and a column and levels that try to be more than text."""
    table = make_table(80).rename(columns={"town": HOSTILE})
    table[HOSTILE] = table[HOSTILE] + HOSTILE
    made = make_bundle(tmp_path_factory.mktemp("bundle") / "b", table)
    files = {name: (made.folder / name).read_bytes() for name in FILES}
    cards = {
        CARDS["en"]: CARD,
        CARDS["ko"]: CARD.replace("Quantitative analyses", "정량 분석"),
    }
    write_bundle(made.folder, files | {k: v.encode() for k, v in cards.items()})
    return made.folder


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_page_tells_inputs_and_quality_and_runs_and_loads_nothing(folder, language):
    answer = client(folder).get("/", headers={"Accept-Language": language})
    policy = answer.headers["content-security-policy"]

    assert f'<html lang="{language}">' in answer.text
    for word in (
        "height",
        "weight",
        "AUC 0.9",
        "curl -s http://localhost:8000/predict",
    ):
        assert word in answer.text
    assert not re.search(
        r"<(script|img|link|a|iframe|form)\b|<[^>]+\bon\w+=", answer.text
    )
    assert policy.startswith("default-src 'none'")
    assert "script" not in policy


def test_the_card_comes_in_the_language_of_the_caller(folder):
    korean = client(folder).get("/card", headers={"Accept-Language": "ko-KR, en;q=0.5"})

    assert "정량 분석" in korean.text
    assert "Quantitative" in client(folder).get("/card").text


def test_a_bundle_without_a_card_says_so(tmp_path):
    made = make_bundle(tmp_path / "b", make_table(80))

    assert "no model card that says so" in client(made.folder).get("/").text


# Examples ------------------------------------------------------------------------------------------


def every_kind() -> pd.DataFrame:
    n = np.arange(80)
    return make_table(80).assign(
        whole=n,
        flag=n % 3 == 0,
        length=[f"{k + 80} min" for k in n],
        code=n % 4,
        day=[f"2020-{k % 12 + 1:02}-03" for k in n],
        tags=[("red; blue", "red", "green; red")[k % 3] for k in n],
    )


def test_an_example_of_every_kind_of_column_is_predicted(tmp_path):
    clean = {"numbers": ["length"], "categories": ["code"], "lists": [{"column": "tags", "separator": ";"}], "dates": ["day"]}  # fmt: skip
    made = make_bundle(tmp_path / "b", every_kind(), clean=clean)
    asked = client(made.folder)
    body = asked.get("/example").json()
    answer = asked.post("/predict", json=body)

    assert body["rows"][0].keys() == set(made.opened().needed)
    assert None not in body["rows"][0].values()
    assert answer.status_code == 200, answer.text
    assert answer.json()["rows"][0]["remarks"] == ""


def test_the_command_is_one_for_a_shell_whatever_columns_are_called(folder):
    body = example_body(Bundle.open(folder))
    words = shlex.split(command(body, "http://127.0.0.1:8000/", needs_token=False))

    assert words[:3] == ["curl", "-s", "http://127.0.0.1:8000/predict"]
    assert json.loads(words[-1]) == body
    assert HOSTILE in body["rows"][0]


def test_a_wide_table_fetches_its_example():
    body = {"rows": [{f"column {n}": n for n in range(500)}]}
    line = command(body, "http://127.0.0.1:8000/", needs_token=True)

    assert line == (
        'curl -s http://127.0.0.1:8000/example -H "Authorization: Bearer $ASSAY_TOKEN" | '
        'curl -s http://127.0.0.1:8000/predict -H "Authorization: Bearer $ASSAY_TOKEN" '
        "-H 'Content-Type: application/json' -d @-"
    )
    assert "\x1b" not in command({"rows": [{"\x1b[2J\x9b": 1}]}, "http://a/", needs_token=False)  # fmt: skip


def test_a_row_that_a_rule_refuses_is_no_example(tmp_path):
    rule = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "height", "max_value": -1}, "meta": {"id": "low", "why": "it has to be"}, "severity": "critical"}  # fmt: skip
    made = make_bundle(tmp_path / "b", make_table(80), (rule,))
    asked = client(made.folder)

    assert asked.post("/predict", json=asked.get("/example").json()).status_code == 200


def test_a_bundle_that_makes_no_sense_has_an_example_with_gaps(tmp_path):
    made = make_bundle(tmp_path / "b", make_table(80))
    numbers = {"height": (float("nan"), 1.0), "weight": (-1e400, 1e400)}
    seen = replace(made.form.seen, numbers=numbers, levels={})
    bundle = made.opened()
    bundle.form = replace(made.form, seen=seen)

    assert example_body(bundle)["rows"] == [dict.fromkeys(("height", "weight", "town"))]
