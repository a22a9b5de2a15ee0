"""How a command ends when it is not its own fault: in one sentence, and with the exit code of the design."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from assay.cli.entry import NEXT_STEPS, errors_in_words
from assay.errors import DataRefused
from assay.wording import Sentence
from tests.conftest import ROOT


def ended(capsys: pytest.CaptureFixture[str], error: BaseException) -> tuple[int, str]:
    """Return the exit code and what is said when a command ends with an error."""
    with pytest.raises(SystemExit) as raised, errors_in_words():
        raise error
    assert isinstance(raised.value.code, int)
    return raised.value.code, capsys.readouterr().err


@pytest.mark.parametrize("name", NEXT_STEPS)
def test_what_the_system_refuses_is_told_with_its_place_and_the_next_step(
    capsys: pytest.CaptureFixture[str], name: str
):
    number = getattr(errno, name)
    code, said = ended(capsys, OSError(number, os.strerror(number), "a/file"))

    assert code == 1
    assert said.startswith(f"a/file: {os.strerror(number)}. ")
    assert said.endswith(f"{Sentence.of(NEXT_STEPS[name])}\n")
    assert said.count("\n") == 1


def test_a_refusal_without_a_place_is_told_without_one(capsys):
    code, said = ended(capsys, OSError(errno.ENOSPC, "No space left on device"))

    assert (code, said.split(". ")[0]) == (1, "No space left on device")


def test_a_fault_of_ours_keeps_its_traceback():
    with pytest.raises(FileNotFoundError), errors_in_words():
        raise FileNotFoundError(errno.ENOENT, "gone", "a/file")


def test_an_error_of_ours_ends_with_its_own_code(capsys):
    assert ended(capsys, DataRefused("No.")) == (3, "No.\n")


def test_an_interrupt_is_told_inside_a_command_and_left_alone_outside(capsys):
    before = signal.getsignal(signal.SIGINT)
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        with pytest.raises(SystemExit) as raised, errors_in_words():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)

    assert raised.value.code == 130
    assert "the same command continues" in capsys.readouterr().err


def test_termination_that_prefect_trips_over_ends_as_a_signal_does():
    program = (
        "from assay.cli.entry import errors_in_words\n"
        "class TerminationSignal(BaseException): pass\n"
        "with errors_in_words():\n"
        "    try: raise TerminationSignal\n"
        "    except BaseException: raise ValueError('Task run is not set')\n"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=False
    )

    assert (ended.returncode, ended.stderr) == (-signal.SIGTERM, b"")


def test_who_is_to_ignore_interrupts_goes_on_ignoring_them():
    before = signal.getsignal(signal.SIGINT)
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with errors_in_words():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("loaded", ["typer", "pydantic", "rich.console"])
def test_an_interrupt_while_the_program_is_loaded_shows_no_traceback(loaded: str):
    """As soon as a package is imported; Python's own start is not ours to answer for."""
    with subprocess.Popen(
        [sys.executable, "-v", "-m", "assay", "--help"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if f"import '{loaded}'" in line:
                process.send_signal(signal.SIGINT)
                break
        said = process.stderr.read()

    assert process.returncode in (0, 130)
    assert "Traceback" not in said
