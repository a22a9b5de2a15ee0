"""Help of the program and of its commands, laid out for the width of the terminal, in the chosen language."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any

import typer
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.markup import escape
from typer.core import TyperCommand, TyperGroup

from assay.cli.usage import text
from assay.errors import StudyError
from assay.wording import Sentence

_WIDEST, _NARROWEST = 100, 24  # columns of a page, and of its texts
_OF_TYPER = ("help", "install_completion", "show_completion")  # their texts are ours


class Command(TyperCommand):
    """A command whose help is laid out by this module."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(_page(_head(self, ctx), [_parameters(self, ctx)], _foot(self)))


class Program(TyperGroup):
    """The program: its help lists the commands by group, and an unknown command is an error of ours."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        sections = [_commands(self), _parameters(self, ctx)]
        foot = [*_foot(self), (text("cli.help.exit_codes"), [text("cli.help.codes")])]
        formatter.write(_page(_head(self, ctx), sections, foot))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if name in self.commands:
            return super().resolve_command(ctx, args)
        similar = get_close_matches(name, self.commands)
        if similar:
            raise StudyError("cli.usage.similar", name=name, similar=similar[0])
        raise StudyError("cli.usage.command", name=name, commands=tuple(self.commands))


Row = tuple[str, str]  # a name, and what it means
Section = tuple[str, Sequence[str]]  # a heading, and lines


def _head(command: TyperCommand | TyperGroup, context: typer.Context) -> list[str]:
    """Return the usage line and the description's paragraphs."""
    words = [context.command_path, "[OPTIONS]"]
    words += [
        param.metavar if param.required else f"[{param.metavar}]"
        for param in _shown(command, context)
        if param.param_type_name == "argument"
    ]
    if isinstance(command, TyperGroup):
        words.append("[COMMAND|STUDY|TABLE] ...")
    usage = str(Sentence.of("cli.help.usage", words=" ".join(words)))
    return [usage, *(command.help or "").split("\n\n")]


def _foot(command: TyperCommand | TyperGroup) -> list[Section]:
    examples = (command.epilog or "").splitlines()
    return [(text("cli.help.examples"), examples)] if examples else []


def _commands(program: TyperGroup) -> dict[str, list[Row]]:
    """Return the commands of each group, with the first paragraph of their descriptions."""
    groups: dict[str, list[Row]] = {}
    for name, command in program.commands.items():
        first = (command.help or "").split("\n\n")[0]
        group = str(getattr(command, "rich_help_panel", ""))
        groups.setdefault(group, []).append((name, first))
    return groups


def _parameters(
    command: TyperCommand | TyperGroup, context: typer.Context
) -> dict[str, list[Row]]:
    """Return arguments and options under their headings."""
    headings = {
        "argument": text("cli.help.arguments"),
        "option": text("cli.help.options"),
    }
    rows: dict[str, list[Row]] = {heading: [] for heading in headings.values()}
    for param in _shown(command, context):
        rows[headings[param.param_type_name]].append((_name(param), _meaning(param)))
    return {heading: lines for heading, lines in rows.items() if lines}


def _shown(command: Any, context: typer.Context) -> Iterator[Any]:
    return (param for param in command.get_params(context) if not param.hidden)


def _name(param: Any) -> str:
    if param.param_type_name == "argument":
        return str(param.metavar)
    names = ", ".join(sorted(param.opts, key=len))
    return names if param.is_flag else f"{names} {param.metavar}"


def _meaning(param: Any) -> str:
    """Return what a parameter means, that it is required, or its default."""
    ours = param.name in _OF_TYPER
    meaning = text(f"cli.option.{param.name}") if ours else str(param.help)
    if param.required:
        return str(Sentence.of("cli.help.required", meaning=meaning))
    if param.default in (None, False) or param.param_type_name == "argument":
        return meaning
    default = str(param.default)
    return str(Sentence.of("cli.help.default", meaning=meaning, default=default))


def _page(
    head: Iterable[str],
    tables: Iterable[dict[str, list[Row]]],
    foot: Iterable[Section],
) -> str:
    """Return usage and description, rows under their headings, and lines under theirs."""
    console = Console(highlight=False)
    width = min(console.width, _WIDEST)
    blocks = [
        [escape(line) for line in _filled(paragraph, width)] for paragraph in head
    ]
    for sections in tables:
        names = [name for rows in sections.values() for name, _ in rows]
        left = max(map(cell_len, names)) + 4
        for heading, rows in sections.items():
            lines = [_row(*row, left, width) for row in rows]
            blocks.append([f"[bold]{heading}[/]", *lines])
    for heading, texts in foot:
        lines = [f"  {escape(line)}" for line in texts]
        blocks.append([f"[bold]{heading}[/]", *lines])
    with console.capture() as page:
        console.print("\n\n".join(map("\n".join, blocks)), soft_wrap=True)
    return page.get()


def _row(name: str, meaning: str, left: int, width: int) -> str:
    """Return a name in the left columns, and its meaning in the others, as markup."""
    lines = _balanced(meaning, max(width - left, _NARROWEST))
    column = f"[cyan]{escape(set_cell_size(f'  {name}', left))}[/]"
    return column + escape(f"\n{' ' * left}".join(lines))


def _balanced(paragraph: str, width: int) -> list[str]:
    """Return as many lines as the width asks for, of about equal length: no word stands alone on the last."""
    lines = _filled(paragraph, width)
    narrower = lines
    while len(narrower) == len(lines) and width > _NARROWEST:
        lines, width = narrower, width - 1
        narrower = _filled(paragraph, width)
    return lines


def _filled(paragraph: str, width: int) -> list[str]:
    """Return lines of whole words; a Korean letter is two columns wide, which textwrap does not know."""
    lines = [""]
    for word in paragraph.split():
        line = f"{lines[-1]} {word}".lstrip()
        if cell_len(line) <= width or not lines[-1]:
            lines[-1] = line
        else:
            lines.append(word)
    return lines
