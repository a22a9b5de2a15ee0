import ast
import errno
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import errors
from assay.errors import (
    AssayError,
    CorruptObject,
    DataRefused,
    ExportFailed,
    NotReproducible,
    StudyError,
    TrainingFailed,
    is_retryable,
)
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StudyError, 2),
        (DataRefused, 3),
        (NotReproducible, 4),
        (CorruptObject, 1),
        (TrainingFailed, 1),
        (ExportFailed, 1),
    ],
)
def test_a_class_of_errors_has_its_exit_code(error, code):
    assert error.exit_code == code
    assert issubclass(error, AssayError)


def test_the_tree_in_the_docstring_names_every_error_with_its_code():
    ours = [
        kind
        for kind in AssayError.__subclasses__()
        if kind.__module__.startswith("assay.")
    ]
    for error in ours:
        assert f"{error.__name__} " in errors.__doc__
        line = next(
            line for line in errors.__doc__.splitlines() if error.__name__ in line
        )
        assert f"exit {error.exit_code}" in line


@pytest.mark.parametrize("error", AssayError.__subclasses__())
def test_what_bytes_decided_is_not_tried_again(error):
    assert not is_retryable(error("no"))


@given(st.sampled_from(sorted(errno.errorcode)))
def test_only_operating_system_errors_that_pass_are_tried_again(number):
    lasting = {errno.ENOENT, errno.EACCES, errno.ENOSPC, errno.EISDIR, errno.EROFS}

    assert not (number in lasting and is_retryable(OSError(number, "")))
    assert not is_retryable(ValueError(number))


@pytest.mark.parametrize("number", [errno.EINTR, errno.EBUSY, errno.ETIMEDOUT])
def test_an_interrupted_or_busy_call_is_tried_again(number):
    assert is_retryable(OSError(number, ""))


def test_no_check_is_lost_where_python_drops_assertions():
    """What is asserted is for mypy alone: ``x is not None``, or of which class it is."""
    asserted = {
        ast.unparse(node.test)
        for folder in ("assay", "flows", "tasks")
        for file in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assert)
    }

    assert [
        text
        for text in asserted
        if not re.fullmatch(r"[\w.]+ is not None|isinstance\([\w.]+, [\w. |]+\)", text)
    ] == []
