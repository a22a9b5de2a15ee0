"""Calls in processes of their own: killed, refused, interrupted, heard in order."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest

from assay import stages
from assay.errors import CorruptObject, ProcessLost
from assay.pipeline import Way
from assay.stages import Memoised, Unstored, processes
from assay.stages.execution import _memoised
from assay.stages.processes import _Job, _outcome, side_by_side
from assay.stages.runner import run_all
from assay.stages.stage import run_memoised
from assay.store.progress import Event, Finished, Started, listening
from assay.store.records import FoldResult
from assay.store.store import Store
from assay.study.load import load
from assay.study.sources import identify
from bench.program import PLAIN, environment
from tests.flow_runs import make

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("processes")]
N_FOLDS = 3


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the small study's samples and folds, and nothing tuned yet."""
    folder = tmp_path_factory.mktemp("prepared")
    _calls(folder)
    return folder


@pytest.fixture
def calls(prepared: Path, tmp_path: Path) -> list[Any]:
    """The outer folds of the small study, each a call, with nothing stored yet."""
    return _calls(Path(shutil.copytree(prepared, tmp_path / "copy")))


def _calls(folder: Path) -> list[Any]:
    workplace = make(folder / "small")
    study, store = load(workplace.study, (), workplace.folder), Store(folder / "kept")
    plan, seed = study.of("a"), study.seed_of("a")
    identity = identify(study, workplace.study, workplace.folder)
    cleaned = Way(store, study, identity).open("a").cleaned
    folds = stages.split(store, cleaned, plan.split, seed)
    return [
        stages.tune.of(store, cleaned, folds, place, plan.tuning(), seed)
        for place in folds.places()
    ]


@pytest.fixture(scope="module")
def in_one_process(prepared: Path) -> list[str]:
    """What the first three folds come to here, in words that equal results share."""
    return [essence(Unstored().run(call)) for call in _calls(prepared)[:N_FOLDS]]


def essence(record: Any) -> str:
    assert isinstance(record, FoldResult)
    return str(record.essence())


def killing(heard: list[Event], times: int) -> Any:
    """Return a listener that ends every process at the first ``times`` beginnings of a call."""

    def listen(event: Event) -> None:
        heard.append(event)
        begun = sum(isinstance(one, Started) for one in heard)
        if isinstance(event, Started) and begun <= times:
            for process in active_children():
                process.kill()

    return listen


def test_killed_processes_cost_the_calls_they_were_at_and_change_nothing(
    calls: list[Any], in_one_process: list[str]
):
    calls = calls[:N_FOLDS]
    heard: list[Event] = []
    with listening(killing(heard, times=1)):
        found = list(side_by_side(calls, [True] * len(calls), Memoised(), 2))

    assert [essence(record) for record in found] == in_one_process
    begun = [event.label for event in heard if isinstance(event, Started)]
    assert begun == [begun[0], *(call.label for call in calls)]
    assert not active_children()


def test_a_call_whose_process_is_ended_each_time_is_given_up_in_words(calls: list[Any]):
    with (
        listening(killing([], times=99)),
        pytest.raises(
            ProcessLost, match=r"computing tune repeat 1 fold 1 was .* outside 3 times"
        ),
    ):
        list(side_by_side(calls[:1], [True], Memoised(), 1))

    assert not active_children()


def test_nothing_is_heard_of_a_call_before_the_earlier_ones_are_taken(calls: list[Any]):
    heard: list[Event] = []
    with (
        listening(heard.append),
        closing(run_all(calls, Memoised(), "processes", most=2)) as found,
    ):
        next(found)

    named = [event.label for event in heard if isinstance(event, Started | Finished)]
    assert named == [calls[0].label] * 2
    assert not active_children()


def test_auto_begins_here_and_spreads_the_rest_once_a_fold_has_shown_its_length(
    calls: list[Any], in_one_process: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("assay.stages.runner._START_S", 1e-6)  # as if folds were long
    with closing(run_all(calls[:N_FOLDS], Memoised(), "auto", most=2)) as found:
        first = next(found)
        assert not active_children()
        second = next(found)
        assert active_children()
        made = [first, second, *found]

    assert [essence(record) for record in made] == in_one_process


def test_a_result_that_cannot_be_kept_is_told_as_such(calls: list[Any]):
    """No end is announced of what is not stored."""
    heard: list[Event] = []
    results = calls[0].store.folder / "results"
    shutil.rmtree(results)
    results.write_bytes(b"in the way")

    with listening(heard.append), pytest.raises(OSError, match="results"):
        run_memoised(calls[0])
    assert not any(isinstance(event, Finished) for event in heard)


def test_a_stored_result_is_answered_without_another_process(calls: list[Any]):
    run_memoised(calls[1])
    heard: list[Event] = []
    with listening(heard.append):
        list(run_all(calls[:2], Memoised(), "processes", most=2))

    stored = [event.stored for event in heard if isinstance(event, Finished)]
    assert stored == [False, True]


def test_a_refusal_says_what_it_says_in_one_process(calls: list[Any]):
    store, cleaned, *rest = calls[0].arguments
    lost = cleaned.labels.model_copy(update={"digest": "0" * 64})
    call = calls[0].stage.of(store, cleaned.model_copy(update={"labels": lost}), *rest)

    with pytest.raises(CorruptObject) as here:
        Unstored().run(call)
    with pytest.raises(CorruptObject) as there:
        list(side_by_side([call], [True], Memoised(), 1))

    assert str(there.value) == str(here.value)


def test_a_process_that_has_loaded_other_code_is_refused(calls: list[Any]):
    outcome = _outcome(_Job(calls[0], key="0" * 64), run_memoised)

    assert "changed while it ran" in str(outcome.result)


@pytest.mark.parametrize("seen", [EOFError, ConnectionResetError, BrokenPipeError])
def test_a_process_whose_asker_is_gone_ends_without_an_error(monkeypatch, seen):
    class Gone:
        def recv(self) -> None:
            raise seen

        send: Any = None

    monkeypatch.setattr(processes, "follow", lambda _: None)

    processes._serve(Gone(), None, _memoised)  # type: ignore[arg-type]


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_check_however_it_ends(
    tmp_path: Path, ending: signal.Signals
):
    """Interrupted as a terminal does it, all of them at once; killed as nobody can foresee."""
    workplace = make(tmp_path)
    where = ["--data", str(tmp_path), "--artifacts", str(workplace.artifacts)]
    many = ["--runner", "processes", "--set", "plan.a.tune.trials=60"]
    process = subprocess.Popen(
        [sys.executable, *PLAIN, "check", str(workplace.study), *where, *many],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_heeding_interrupts,
    )
    while process.poll() is None and not list(workplace.artifacts.glob("results/tune")):
        time.sleep(0.05)
    if ending == signal.SIGINT:
        os.killpg(process.pid, ending)
    else:
        process.send_signal(ending)
    said = process.communicate()[1]

    assert process.returncode == (130 if ending == signal.SIGINT else -ending)
    assert "Traceback" not in said
    assert ("the same command continues" in said) == (ending == signal.SIGINT)
    while there_is(process.pid):  # they end when they see their lifeline cut
        time.sleep(0.05)


def _heeding_interrupts() -> None:
    """Undo what a shell does to programs it starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def there_is(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
