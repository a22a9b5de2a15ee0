"""What refuses a study before anything is started for it."""

import pytest

from assay.data.foresee import foresee
from assay.errors import DataRefused, StudyError
from assay.study.load import load
from assay.study.sources import identify

HEAD = "position = 'p'\ncompany = 'c'\nrationale = 'r'\nquestion = 'q'\nseed = 1\n"
PLAN = """
[plan.{name}]
source = "{name}.csv"
suite = "digits"
target = "{target}"
task = "binary"
metric = "auc"
at_least = 0.6
claim = "told apart"
"""


def foreseen(folder, target="y", **n_rows):
    """Foresee a study with a plan for each table of so many rows."""
    text = HEAD
    for name, n in n_rows.items():
        rows = "".join(f"{k},{k % 2}\n" for k in range(n))
        (folder / f"{name}.csv").write_text(f"x,y\n{rows}")
        text += PLAN.format(name=name, target=target)
    (folder / "study.toml").write_text(text)
    study = load(folder / "study.toml")
    foresee(study, identify(study, folder / "study.toml", folder).sources)


def test_a_table_of_59_rows_is_refused_with_the_number_that_is_needed(tmp_path):
    with pytest.raises(DataRefused, match=r"a\.csv has 59 rows; a check needs 60"):
        foreseen(tmp_path, a=59)
    foreseen(tmp_path, a=60)


def test_a_small_table_is_refused_only_where_no_other_plan_has_rows(tmp_path):
    foreseen(tmp_path, a=20, b=80)
    with pytest.raises(DataRefused, match=r"b\.csv has 20 rows"):
        foreseen(tmp_path, a=20, b=20)


def test_a_column_that_is_not_there_is_told_at_once(tmp_path):
    with pytest.raises(StudyError, match="'z'"):
        foreseen(tmp_path, target="z", a=80)


def test_a_large_table_is_left_to_the_check(tmp_path):
    foreseen(tmp_path, target="z", a=150_000)
