"""Where calls are computed: the choice, and what it may never change."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import StudyError
from assay.request import as_runner
from assay.stages.runner import n_processes
from bench.program import run_program

some = st.integers(1, 64)
call_seconds = st.none() | st.floats(0, 1e4)


@given(n_calls=some, call_s=call_seconds, most=some)
def test_no_more_processes_than_allowed_or_than_there_are_calls(n_calls, call_s, most):
    assert n_processes("local", n_calls, call_s, most) == 0
    assert n_processes("processes", n_calls, call_s, most) == min(n_calls, most)
    assert n_processes("auto", n_calls, call_s, most) <= min(n_calls, most)


@given(n_calls=some, call_s=st.floats(0, 1e4), most=some)
def test_auto_gives_every_process_twice_its_start_to_do(n_calls, call_s, most):
    n = n_processes("auto", n_calls, call_s, most)

    assert n == 0 or (n > 1 and n * 14 <= n_calls * call_s)


@given(n_calls=some, most=some)
def test_auto_stays_until_a_fold_has_shown_how_long_it_takes(n_calls, most):
    assert n_processes("auto", n_calls, None, most) == 0


def test_auto_spreads_work_that_is_long_enough():
    assert n_processes("auto", 15, 60.0, most=4) == 4
    assert n_processes("auto", 15, 60.0, most=1) == 0
    assert n_processes("auto", 3, 9.0, most=8) == 0
    assert n_processes("auto", 3, 10.0, most=8) == 2


WORDS = ["auto", "local", "processes", "dask", "dask=tcp://10.0.0.1:8786"]


def test_each_runner_is_named_by_its_word():
    assert [as_runner(word) for word in WORDS] == WORDS
    for word in ("threads", "dask=", "dask= tcp://a", ""):
        with pytest.raises(StudyError, match="auto, local, processes, dask"):
            as_runner(word)


def test_a_word_that_is_no_runner_ends_in_one_sentence_and_exit_2(tmp_path: Path):
    where = ["--artifacts", str(tmp_path)]

    run = run_program(
        ["check", "hypotheses/digits.toml", "--runner", "threads", *where]
    )

    assert run.code == 2
    assert run.err == (
        "--runner threads: choose auto, local, processes, dask, or dask=ADDRESS of a scheduler.\n"
    )
    assert not list(tmp_path.iterdir())
