"""The lock of a run that somebody sent: names, versions and hashes reach pip, and nothing else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import AssayError, StudyError
from assay.reproduce import again
from assay.reproduce.lock import Pin, need_our_own, pins_of, requirements
from tests.conftest import ROOT

HASH = f"--hash=sha256:{'a' * 64}"
PIN = f"numpy==2.4.6 \\\n    {HASH}\n"


@pytest.fixture
def lock(tmp_path):
    def write(content: str | bytes):
        path = tmp_path / "requirements.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize("name", ["requirements.txt", "assay/requirements.txt"])
def test_the_projects_own_locks_are_read_whole(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    pins = pins_of(ROOT / name)

    need_our_own(pins)
    assert {pin.name for pin in pins} <= set(
        re.findall(r"^[\w.-]+(?===)", text, re.MULTILINE)
    )
    assert sum(len(pin.hashes) for pin in pins) > 0.8 * text.count("--hash=")


def test_a_pin_for_another_machine_is_left_out(lock):
    text = f"{PIN}scipy==1.18.1 ; python_version < '3' {HASH}\n"

    assert [pin.name for pin in pins_of(lock(text))] == ["numpy"]


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://example.org/simple",
        "--find-links==wheels",
        "--extra-index-url==https://example.org",
        "-r other.txt",
        "-r==more.txt",
        "-c==more.txt",
        "-e .",
        "-e==.",
        "evil @ https://example.org/evil.whl",
        "evil @ file:wheels/evil.whl",
        "./evil.whl",
        "wheels/evil-1.0-py3-none-any.whl",
        "https://example.org/evil.zip",
        "numpy",
        "numpy>=2.0",
        "numpy==2.*",
        "numpy===2.4.6",
        "numpy==2.4.6,!=3",
        "numpy[evil]==2.4.6",
        "numpy==2.4.6 ; extra == 'x' or evil",
        'numpy==1.0 --config-settings="x"',
        "numpy==2.4.6 --hash=md5:00",
        "${EVIL}==1.0",
        "-==1.0",
        "numpy==2.4.6 -r more.txt",
        "\x0c-r more.txt",
        "\x1c-r more.txt",
        "\x85-r more.txt",
        "\u2028-r more.txt",
        "numpy==\uff12.4.6",
        "\ufeffnumpy==2.4.6",
        "\r-r more.txt",
        "# a comment\r-r more.txt",
        "# -*- coding: utf-7 -*-\u2028",
        "+AAo--find-links+AD0-wheels",
        "numpy==" + "1" * 400,
        "numpy==2.4.6 ; " + "(" * 200 + "os_name == 'x'" + ")" * 200,
    ],
)
@pytest.mark.parametrize("with_hash", [True, False])
def test_a_line_that_says_more_than_a_package_its_version_and_hashes_is_refused(
    lock, line, with_hash
):
    text = f"{PIN}{line} {HASH if with_hash else ''}\n"

    with pytest.raises(StudyError, match=r"line 3: .* is neither a package") as refused:
        pins_of(lock(text))
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"# only a comment\n",
        (PIN + PIN).encode(),
        (PIN + f"NumPy==2.4.5 {HASH}\n").encode(),
        PIN.encode("utf-16"),
        PIN.encode("utf-8-sig"),
        PIN.encode()[:-1] + b" \\",
        b"\x00" * 100,
        b"a\\\n" * 1_000_000,
        b" " * 4_000_000 + b"x",
        b"a" * 5_000_000,
    ],
    ids=lambda content: repr(content[:12]),
)
def test_a_lock_of_nothing_of_twice_the_same_or_of_another_encoding_is_refused(
    lock, content
):
    with pytest.raises(AssayError):
        pins_of(lock(content))


def test_a_lock_that_names_an_encoding_is_refused_and_other_comments_are_dropped(lock):
    with pytest.raises(StudyError, match=r"line 1: .* coding: utf-7"):
        pins_of(lock(f"# -* coding: utf-7\n{PIN}"))
    pins = pins_of(lock(f"# +AAo-evil\r\n{PIN}    # via evil\n"))

    assert requirements(pins) == f"numpy==2.4.6 {HASH}\n"


def test_a_package_that_is_none_of_ours_is_refused():
    with pytest.raises(StudyError, match="names evil, which is not a package"):
        need_our_own([Pin("evil", "1.0", (f"sha256:{'a' * 64}",))])


@given(st.text("-=+rnume.py1; #@\\\r\n\x0c\u2028${}[]'\"", max_size=60))
def test_what_pip_is_given_is_one_form_whatever_a_lock_holds(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_text(f"{PIN}{text}{HASH}\n", encoding="utf-8", newline="")
    try:
        written = requirements(pins_of(path))
    except StudyError:
        return
    form = r"([a-z0-9-]+==[a-z0-9.+!]+( --hash=sha256:[0-9a-f]{64})+\n)+"
    assert re.fullmatch(form, written)


def test_pip_runs_isolated_in_an_empty_folder_with_a_file_of_its_own(
    lock, tmp_path, monkeypatch
):
    calls = []

    def note(command, _settings, place):
        given = command[-1] if "-r" in command else None
        calls.append((command, [file.name for file in place.iterdir()], given))

    monkeypatch.setattr("assay.reproduce.again._called", note)
    monkeypatch.setenv("PIP_FIND_LINKS", "wheels")
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    again._fresh(tmp_path / "environment", pins_of(lock(PIN)), newest=False)
    (_, pip) = calls
    command, beside, given = pip

    assert command[1:5] == ["-I", "-m", "pip", "--isolated"]
    assert {"--require-hashes", "--only-binary=:all:", "--no-deps"} <= set(command)
    assert "--index-url=https://mirror.example/simple" in command
    assert not any("wheels" in word for word in command)
    assert beside == ["requirements.txt"]
    assert given != str(tmp_path / "requirements.txt")
