"""The sentences of prediction and of the readers: each is in both languages, and each is used."""

import re
from string import Formatter

import pytest

from assay.wording import catalogue
from tests.conftest import ROOT

PACKAGES = ("predict", "formats")
OURS = sorted(key for key in catalogue("en") if key.split(".")[0] in PACKAGES)


def values_of(template):
    return {name for _, name, _, _ in Formatter().parse(template) if name}


@pytest.mark.parametrize("key", OURS)
def test_a_sentence_has_the_same_values_in_both_languages(key):
    assert values_of(catalogue("ko")[key]) == values_of(catalogue("en")[key])


def test_every_key_that_the_code_names_is_in_the_catalogue():
    files = (file for name in PACKAGES for file in (ROOT / "assay" / name).rglob("*.py"))  # fmt: skip
    code = "".join(file.read_text(encoding="utf-8") for file in files)
    named = re.findall(r'"((?:predict|formats)\.[a-z0-9_.]+)"', code)

    assert set(named) <= set(OURS)
    assert len(set(named)) > 100
