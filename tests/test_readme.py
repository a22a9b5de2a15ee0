"""What the README shows is what a person gets."""

import re
from pathlib import Path

import pytest

from assay.judge.sentences import HEADLINES
from bench.program import run_program

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


def blocks() -> list[str]:
    return re.findall(r"^```\w*\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    return [
        line[2:]
        for block in blocks()
        for line in block.splitlines()
        if line.startswith("$ ")
    ]


def test_every_make_target_and_study_it_names_exists():
    targets = re.findall(
        r"^([a-z]+):",
        (ROOT / "Makefile").read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )

    assert (
        set(
            re.findall(r"`make ([a-z]+)`|^\$ make ([a-z]+)", README, flags=re.MULTILINE)
        )
        != set()
    )
    for pair in re.findall(
        r"`make ([a-z]+)`|^\$ make ([a-z]+)", README, flags=re.MULTILINE
    ):
        assert next(filter(None, pair)) in targets
    for study in re.findall(r"hypotheses/[a-z-]+\.toml", README):
        assert (ROOT / study).is_file()


def test_every_file_it_links_to_exists():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists()


def test_every_option_it_shows_is_one_of_the_command_line():
    known = "".join(
        run_program([command, "--help"]).out for command in ("check", "plan", "report")
    )

    for command in commands():
        for option in re.findall(r"\s(--[a-z]+)", command):
            assert option in known


def test_its_table_holds_every_word_of_the_verdict():
    words = re.findall(r"^\| `([a-z_]+)` \|", README, flags=re.MULTILINE)

    assert set(words) == set(HEADLINES)


@pytest.mark.flow
def test_its_first_output_is_what_the_program_says(tmp_path: Path):
    """Word for word, and number for number within what another processor may round differently."""
    shown = verdict_lines(blocks()[0])

    run = run_program(["check", "hypotheses/digits.toml", "--artifacts", str(tmp_path)])

    said = verdict_lines(run.out)
    assert run.code == 0, run.err
    assert [NUMBER.sub("#", line) for line in said] == [
        NUMBER.sub("#", line) for line in shown
    ]
    assert numbers(said) == pytest.approx(numbers(shown), abs=0.005)


def verdict_lines(output: str) -> list[str]:
    """Return the headline and its sentences, without the lines that hold times and digests."""
    lines = output.strip().splitlines()
    start = next(
        i
        for i, line in enumerate(lines)
        if line[:1] in {sign for sign, _ in HEADLINES.values()}
    )
    return [
        line.strip()
        for line in lines[start:]
        if line.strip()
        and "report.html" not in line
        and "s per fold to search" not in line
    ]


def numbers(lines: list[str]) -> list[float]:
    return [
        float(found.replace(",", ""))
        for line in lines
        for found in NUMBER.findall(line)
    ]
