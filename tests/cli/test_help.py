"""Help: whole and readable for every command, in both languages; its examples are command lines that parse."""

import json
import shlex
import subprocess
import sys
from itertools import pairwise
from typing import Any

import pytest
import typer
from rich.cells import cell_len

import assay.cli.app  # noqa: F401 - commands join
from assay.cli.language import choose_language
from assay.cli.options import app
from assay.wording import LANGUAGES, Language, Sentence, render, speak
from bench.program import environment
from tests.conftest import ROOT

PROGRAM: Any = typer.main.get_command(app)
COMMANDS = tuple(PROGRAM.commands)
GROUPS = ("check", "use", "trust")
PRINT_PAGES = """
import json, os, sys
from assay.cli.language import choose_language
choose_language(["--lang", sys.argv[1]])
import assay.cli.app, typer
from assay.cli.options import app
program = typer.main.get_command(app)
def page(command, *names):
    context = typer.Context(command, info_name=" ".join(names))
    return command.get_help(context)
pages = {name: page(command, "assay", name) for name, command in program.commands.items()}
print(json.dumps(pages | {"": page(program, "assay")}))
"""


@pytest.fixture(scope="module", params=LANGUAGES)
def pages(request: pytest.FixtureRequest) -> tuple[Language, dict[str, str]]:
    """The pages of all commands, and of the program, at 80 columns."""
    done = subprocess.run(
        [sys.executable, "-c", PRINT_PAGES, request.param],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=environment() | {"COLUMNS": "80"},
    )
    return request.param, json.loads(done.stdout)


def text(language: Language, key: str, **values: Any) -> str:
    return render(Sentence.of(f"cli.{key}", **values), language)


def test_every_command_has_a_description_and_an_example(pages):
    language, page_of = pages
    for name in COMMANDS:
        described = text(language, f"command.{name.replace('-', '_')}").split("\n\n")
        assert described[0] in page_of[name]
        head, examples = page_of[name].split(f"\n{text(language, 'help.examples')}\n")
        assert f"assay {name}" in head.splitlines()[0]
        assert examples.startswith(f"  assay {name}")


def test_the_program_lists_every_command_in_its_group_and_names_the_exit_codes(pages):
    language, page_of = pages
    blocks = {
        lines[0]: lines[1:]
        for lines in (block.splitlines() for block in page_of[""].split("\n\n"))
    }
    groups = [text(language, f"group.{group}") for group in GROUPS]
    listed = [
        line.split()[0]
        for group in groups
        for line in blocks[group]
        if line.startswith("  ") and line[2] != " "
    ]

    assert listed == list(COMMANDS)
    (codes,) = blocks[text(language, "help.exit_codes")]
    assert [code for code in "01234" if f"{code} " in codes] == list("01234")


def test_no_line_is_wider_than_80_columns_and_no_word_stands_alone_on_the_last(pages):
    for page in pages[1].values():
        lines = page.splitlines()
        wide = [line for line in lines if cell_len(line) > 80]
        alone = [
            line
            for before, line in pairwise(lines)
            if line.startswith("    ") and len(line.split()) == 1 and before.strip()
        ]
        assert (wide, alone) == ([], [])
        assert "<" not in page, "names of Python's types"


def test_what_is_required_is_marked(pages):
    language, page_of = pages
    required = text(language, "help.required", meaning="").strip()
    target = next(
        line for line in page_of["draft"].splitlines() if "--target COL" in line
    )

    assert target.endswith(required)
    assert page_of["draft"].count(required) == 2  # and the table
    assert page_of["runs"].count(required) == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_parses(name: str):
    """Options and numbers of arguments as the command has them; nothing is looked for or run."""
    command = PROGRAM.commands[name]
    for example in command.epilog.splitlines():
        words = shlex.split(example.removeprefix("assay "))
        assert words[0] == name
        command.make_context(name, choose_language(words[1:]))
    speak("en")
