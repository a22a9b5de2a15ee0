"""What a program is started in: streams, names, memory; and what is said when the system ends it."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from assay.cli.entry import in_words
from assay.cli.guard import of_memory
from assay.cli.surroundings import need_memory, need_names_of_text
from assay.errors import StudyError, why_refused
from assay.wording import Sentence, speak
from tests.conftest import ROOT


def run(code: str, **settings: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, **settings
    )


# Names -------------------------------------------------------------------------------------------


def test_a_name_that_is_no_text_is_refused_in_words_that_can_be_shown(monkeypatch):
    name = os.fsdecode(b"caf\xe9/t.csv")

    with pytest.raises(StudyError, match=r"caf\\udce9/t\.csv is not valid utf-8"):
        need_names_of_text(["check", name])
    monkeypatch.setenv("ASSAY_ARTIFACTS", name)
    with pytest.raises(StudyError, match="Rename"):
        need_names_of_text([])


@pytest.mark.parametrize("name", ["라면 평점.csv", "😀.toml", "t\u202e.csv"])
def test_a_name_of_any_letters_is_text(name):
    need_names_of_text(["check", name])


def test_a_current_folder_that_is_gone_is_told(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()

    with pytest.raises(StudyError, match="no longer exists"):
        need_names_of_text([])


# Streams -----------------------------------------------------------------------------------------


def test_korean_is_shown_where_the_locale_knows_only_ascii():
    settings = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    shown = ascii("판정 ○ \udce9")
    ended = run(
        f"from assay.cli.surroundings import open_streams; open_streams(); print({shown})",
        env=os.environ | settings,
        encoding="utf-8",
    )

    assert (ended.stdout, ended.returncode) == ("판정 ○ \\udce9\n", 0)


def test_with_every_stream_closed_no_file_is_opened_in_the_place_of_one(tmp_path):
    code = (
        "import os; os.closerange(0, 3)\n"
        "import sys; sys.stdin = sys.stdout = sys.stderr = None\n"
        "from assay.cli.surroundings import open_streams; open_streams()\n"
        f"file = open({str(tmp_path / 'file')!r}, 'w')\n"
        "print('to nowhere'); sys.stdout.flush(); assert file.fileno() > 2\n"
    )

    assert run(code).returncode == 0
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("words", ["--version", "--help"])
def test_output_that_finds_no_room_ends_in_a_sentence(words):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        ended = subprocess.run(
            [sys.executable, "-m", "assay", words, "--lang", "en"],
            cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip

    assert ended.returncode == 1
    assert ended.stderr.startswith("No space left on device. ")
    assert ended.stderr.count("\n") == 1


def test_who_has_read_enough_hears_nothing_more(capsys):
    with pytest.raises(SystemExit) as raised, in_words():
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    assert (raised.value.code, capsys.readouterr().err) == (1, "")


# Memory ------------------------------------------------------------------------------------------


def test_a_limit_under_which_libraries_do_not_load_is_told(monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (2_000_000_000, -1))

    need_memory(1.0)
    with pytest.raises(StudyError, match=r"may use 2\.0 GB of memory .* 3\.5 GB"):
        need_memory(3.5)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        ImportError("libgomp.so: failed to map segment from shared object"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("can't start new thread"),
    ],
)
def test_memory_that_runs_out_is_told_whatever_library_meets_it(error, capsys):
    with pytest.raises(SystemExit) as raised, in_words():
        raise error

    assert raised.value.code == 1
    assert "more memory" in capsys.readouterr().err
    assert of_memory(error)


def test_another_error_is_none_of_memory():
    assert not of_memory(ValueError("a table"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV])
def test_a_process_that_the_system_ends_leaves_a_sentence_about_memory(number):
    code = f"import os; from assay.cli.guard import guarded\nwith guarded(): os.kill(os.getpid(), {int(number)})"
    ended = run(code)

    assert ended.returncode == -number
    assert ended.stderr == f"{Sentence.of('cli.lost')}\n"


@pytest.mark.parametrize(("how", "code"), [("pass", 0), ("raise SystemExit(3)", 3)])
def test_a_process_that_ends_by_itself_leaves_none(how, code):
    ended = run(f"from assay.cli.guard import guarded\nwith guarded(): {how}")

    assert (ended.returncode, ended.stderr) == (code, "")


# Words -------------------------------------------------------------------------------------------


def test_an_interrupt_inside_a_library_is_an_interrupt(capsys):
    with pytest.raises(SystemExit) as raised, in_words():
        raise ValueError("Error calling function `f`: KeyboardInterrupt:")

    assert raised.value.code == 130
    assert "Interrupted" in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.EISDIR, errno.EACCES, errno.ENOSPC])
def test_why_the_system_refused_is_told_in_the_language_that_is_spoken(number):
    error = OSError(number, os.strerror(number))
    speak("ko")
    try:
        assert not any(
            letter.isascii() and letter.isalpha() for letter in str(why_refused(error))
        )
    finally:
        speak("en")
    assert str(why_refused(error)) == os.strerror(number)
