"""The published JSON Schema is that of the models, and every study of the project is valid under it."""

import json
import tomllib

import pytest
from jsonschema import Draft202012Validator

from assay.study.schema import SCHEMA, schema_text
from tests.conftest import ROOT
from tests.draft_tables import drafted, every_kind

VALIDATOR = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
STUDIES = sorted((ROOT / "hypotheses").glob("*.toml"))


def test_the_published_schema_is_current():
    """If not: ``python -m assay.study.schema``."""
    assert SCHEMA.read_text(encoding="utf-8") == schema_text()


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_study_of_the_project_is_valid(path):
    assert not list(VALIDATOR.iter_errors(tomllib.loads(path.read_text())))


def test_a_drafted_study_is_valid():
    text = drafted(every_kind(), "bought").study("table", "table.json", "x")

    assert not list(VALIDATOR.iter_errors(tomllib.loads(text)))


def test_an_unknown_key_and_a_wrong_value_are_marked():
    study = tomllib.loads(STUDIES[0].read_text())
    study["plan"]["a"]["tune"] = {"trials": 0, "trails": 3}

    assert len(list(VALIDATOR.iter_errors(study))) == 2
