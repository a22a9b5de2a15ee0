"""The command line from its words to what is asked for; no test computes a verdict."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

import assay
from assay.cli import main
from assay.cli.entry import write_page
from assay.errors import AssayError, StudyError
from assay.request import Request
from assay.wording import speak
from bench.program import environment
from tests.conftest import ROOT
from tests.flow_runs import Workplace, make


class Asked(AssayError):
    """Ends a check as soon as it is asked for."""

    exit_code = 99


@pytest.fixture(autouse=True)
def as_before(tmp_path, monkeypatch):
    """Leave language, signals and settings as they were."""
    monkeypatch.setenv("ASSAY_ARTIFACTS", str(tmp_path / "artifacts"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)
    speak("en")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Workplace:
    return make(tmp_path_factory.mktemp("workplace"))


def code_of(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words], check=lambda request: pytest.fail(request))
    assert isinstance(ended.value.code, int)
    return ended.value.code


def asked(*words: object) -> Request:
    """Return what a command line asks a check for."""
    requests: list[Request] = []

    def check(request: Request):
        requests.append(request)
        raise Asked("asked")

    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words], check=check)
    assert ended.value.code == Asked.exit_code
    return requests[0]


# What is checked ---------------------------------------------------------------------------------


def test_without_a_command_the_built_in_study_is_checked():
    assert asked().study == Path("hypotheses/digits.toml")


@pytest.mark.parametrize("words", [(), ("check",)])
def test_a_study_is_checked_with_and_without_the_word(workplace, words):
    where = ("--data", workplace.folder, "--set", "seed=7", "--runner", "local")
    request = asked(*words, workplace.study, *where)

    assert request.study == workplace.study
    assert request.overrides == ("seed=7",)
    assert (request.data, request.runner) == (workplace.folder, "local")


def test_of_a_table_a_study_is_drafted_first(workplace, capsys):
    request = asked(workplace.folder / "table.csv", "--target", "label")

    assert request.study.parent.parent.name == "drafts"
    assert request.data == workplace.folder
    assert "table.csv: 240 rows, 5 columns; 'label' has two classes" in capsys.readouterr().err  # fmt: skip


def test_errors_of_the_built_in_check_are_one_sentence_too(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ASSAY_ARTIFACTS", str(tmp_path / "file"))

    assert code_of() == 2
    assert capsys.readouterr().err.count("\n") == 1


# Languages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [["--lang", "ko", "runs"], ["--lang=ko", "runs"], ["runs", "--lang", "ko"]],
)
def test_the_language_may_be_named_anywhere(words, capsys):
    assert code_of(*words) == 0
    assert "끝난 실행 0개" in capsys.readouterr().out


def test_the_language_is_that_of_the_machine(monkeypatch, capsys):
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")

    assert code_of("runs") == 0
    assert "끝난 실행 0개" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--lang", "fr", "runs"], ["runs", "--lang"]])
def test_an_unknown_language_is_a_usage_error(words, capsys):
    assert code_of(*words) == 2
    assert "choose one of en, ko" in capsys.readouterr().err


# Usage errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("chek", "There is no command chek; did you mean check?"),
        ("foo", "foo is neither a command nor a file. Commands: check, draft,"),
        ("check", "STUDY|TABLE is missing. See assay check --help"),
        ("draft orders.csv", "--target is missing. See assay draft --help"),
        ("draft orders.csv --target", "--target needs a value."),
        ("serve RUN --prot 1", "There is no option --prot here; did you mean"),
        ("plan orders.csv", "write a study of it first: assay draft orders.csv --target COL"),
        ("serve RUN --port 65536", "--port: must be at most 65535. See assay serve --help"),
        ("runs one two", "Too many arguments: one two. See assay runs --help"),
        ("check table.csv --runner moon", "moon"),
    ],
)  # fmt: skip
def test_a_command_line_that_is_wrong_is_told_in_one_sentence(words, sentence, capsys):
    assert code_of(*words.split()) == 2
    told = capsys.readouterr()
    assert sentence in told.err
    assert (told.err.count("\n"), told.out) == (1, "")


def test_usage_errors_are_told_in_korean_too(capsys):
    assert code_of("check", "--lang", "ko") == 2
    assert capsys.readouterr().err.startswith("필요한 값이 빠졌습니다: STUDY|TABLE.")


# What needs no check -----------------------------------------------------------------------------


def test_version(capsys):
    assert code_of("--version") == 0
    assert capsys.readouterr().out == f"assay {assay.__version__}\n"


def test_runs_of_an_empty_project_are_none(tmp_path, capsys):
    assert code_of("runs") == 0
    assert capsys.readouterr().out == f"0 finished runs in {tmp_path}/artifacts/runs\n"


# As a program ------------------------------------------------------------------------------------


def output_of(*command: str, **settings: str) -> str:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment() | settings,
    )
    return done.stdout


@pytest.mark.parametrize("started", ["-m assay", "flows/main.py"])
def test_the_program_is_called_what_it_was_started_as(started):
    page = output_of(sys.executable, *started.split(), "runs", "--help")

    assert page.startswith(f"Usage: python {started} runs [OPTIONS]")
    assert f"\n  python {started} runs\n" in page


def test_a_shell_completes_the_names_of_commands_and_options(tmp_path):
    """As bash asks, with the program on its path as pip installs it."""
    program = tmp_path / "assay"
    program.write_text(f"#!{sys.executable}\nfrom assay.cli import main\nmain()\n")
    program.chmod(0o755)
    asks = {"_ASSAY_COMPLETE": "complete_bash", "COMP_CWORD": "1"}

    commands = output_of(str(program), COMP_WORDS="assay ver", **asks)
    options = output_of(
        str(program), COMP_WORDS="assay runs --", **asks | {"COMP_CWORD": "2"}
    )

    assert commands.split() == ["verify-receipt", "verify-cache"]
    assert "--artifacts" in options.split()


@pytest.mark.parametrize(
    "run",
    [
        "from assay.cli import main; main(['--version'])",
        "from assay.cli import main; main(['--help'])",
        "from assay.cli import main; main(['runs'])",
        "import assay.cli.terminal, assay.request",  # what an answer needs
    ],
)
def test_what_computes_nothing_loads_nothing_that_computes(run, tmp_path):
    told = "import atexit, sys; atexit.register(lambda: print(*sys.modules)); "
    loaded = output_of(sys.executable, "-c", told + run, ASSAY_ARTIFACTS=str(tmp_path))

    heavy = {"numpy", "pandas", "scipy", "pyarrow", "matplotlib", "tensorflow"}
    assert not heavy & set(loaded.split())
    assert "assay.wording" in loaded.split()


# Refused before anything is written or started -----------------------------------------------------


@pytest.fixture
def table(tmp_path) -> Path:
    rows = "".join(f"{k % 7},{k % 3 > 0}\n" for k in range(80))
    (tmp_path / "table.csv").write_text(f"x,y\n{rows}")
    return tmp_path / "table.csv"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("--target y --set plan.a.tune.oops=3", 2, "unknown key 'oops'"),
        ("--target y --set oops", 2, "write KEY=VALUE"),
        ("--target y --store ftp://x", 2, "give s3://BUCKET/PREFIX"),
        ("--target y --runner moon", 2, "moon"),
        ("--target z", 2, "no such column"),
    ],
)
def test_a_table_with_a_wrong_option_leaves_nothing(table, words, code, said, capsys):
    assert code_of("check", table, *words.split()) == code
    assert said in capsys.readouterr().err
    assert not (table.parent / "artifacts").exists()


def test_a_table_of_too_few_rows_is_refused_and_leaves_nothing(table, capsys):
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(lines[:21]))

    assert code_of("check", table, "--target", "y") == 3
    assert "table.csv has 20 rows; a check needs 60 or more" in capsys.readouterr().err
    assert not (table.parent / "artifacts").exists()


def test_what_is_refused_by_its_name_loads_no_pandas(tmp_path):
    program = (
        "import sys; from assay.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print([name for name in ('pandas', 'scipy') if name in sys.modules])\n"
    )
    for name in (tmp_path / "gone.csv", tmp_path):
        ended = subprocess.run(
            [sys.executable, "-c", program, "check", str(name), "--target", "y"],
            cwd=ROOT, env=environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip

        assert (ended.returncode, ended.stdout) == (3, "[]\n")


def test_a_page_that_cannot_be_written_is_told_with_its_option(tmp_path):
    with pytest.raises(
        StudyError, match=r"no/page\.html cannot be written: No such file or .* with -o"
    ):
        write_page(tmp_path / "no" / "page.html", b"", "-o")
