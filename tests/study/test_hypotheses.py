"""The studies of the six catalogued tables: what they promise to be to each other."""

from typing import Any

import pytest

from assay.study.load import load
from tests.conftest import ROOT


def plans_of(name: str) -> dict[str, Any]:
    study = load(ROOT / "hypotheses" / f"{name}.toml").model_dump()
    assert all(study["plan"].values())
    return {key: value for key, value in study.items() if key != "name"}


@pytest.mark.parametrize(
    ("name", "unit"), [("ramen", "Brand"), ("skin-cancer", "lesion_id")]
)
def test_a_study_by_row_differs_in_its_unit_only(name, unit):
    """The unit's column is left out, so that models are shown the same, and its alarm is answered."""
    by_unit, by_row = plans_of(name), plans_of(f"{name}-by-row")
    for plan in ("a", "b"):
        first, other = by_unit["plan"][plan], by_row["plan"][plan]
        assert (first.pop("unit"), other.pop("unit")) == (unit, "row")
        left_out = {drop["column"] for drop in other["clean"].pop("drop")}
        assert left_out == {drop["column"] for drop in first["clean"].pop("drop")} | {
            unit
        }
        answered = {answer["sentinel"] for answer in other["audit"].pop("accept")}
        assert answered > {
            answer["sentinel"] for answer in first["audit"].pop("accept")
        }

    assert by_unit == by_row


@pytest.mark.parametrize(
    "name",
    ["skin-cancer", "netflix", "youtube-korea", "ramen", "voice-gender", "music-genre"],
)
def test_each_catalogued_table_has_a_plan_a_and_a_plan_b(name):
    assert plans_of(name)["plan"]["a"]["claim"] != plans_of(name)["plan"]["b"]["claim"]
