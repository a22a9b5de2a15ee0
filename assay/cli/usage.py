"""What is wrong with a command line, in one sentence of ours, whatever typer calls it."""

import re
from typing import Any

import typer
from pydantic import ValidationError

from assay.study.invalid import reason_of
from assay.wording import Sentence, program

UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # typer exports no name
_EXTRA = re.compile(r"extra argument\S* \((.*)\)")


def text(key: str) -> str:
    """Return a text of the command line in the chosen language."""
    return str(Sentence.of(key))


def explained(error: Any) -> Sentence:
    """Return what is wrong, and how to see what the command takes."""
    context = error.ctx
    command = context.command_path if context is not None else program()
    return Sentence.of("cli.usage.error", what=_what(error), command=command)


def _what(error: Any) -> Sentence:
    extra = _EXTRA.search(error.message)
    match type(error).__name__:
        case "MissingParameter":
            return Sentence.of("cli.usage.missing", name=_name(error.param))
        case "NoSuchOption":
            name, similar = error.option_name, sorted(error.possibilities or ())
            if similar:
                return Sentence.of(
                    "cli.usage.option_similar", name=name, similar=similar[0]
                )
            return Sentence.of("cli.usage.option", name=name)
        case "BadOptionUsage" if "requires" in error.message:
            return Sentence.of("cli.usage.no_value", name=error.option_name)
        case "BadParameter" if error.param is not None:
            name = _name(error.param)
            return Sentence.of("cli.usage.value", name=name, reason=_reason(error))
        case _ if extra is not None:
            return Sentence.of("cli.usage.extra", arguments=extra[1])
    return Sentence.plain(error.format_message())


def _reason(error: Any) -> Sentence:
    """Return what is wrong with a value: typer hands on what pydantic found."""
    if isinstance(error.__cause__, ValidationError):
        return reason_of(error.__cause__.errors()[0])
    return Sentence.plain(error.message.rstrip("."))


def _name(param: Any) -> str:
    if param.param_type_name == "argument":
        return str(param.metavar)
    return str(max(param.opts, key=len))
