"""``python -m assay.predict BUNDLE TABLE -o FILE``, with NumPy and onnxruntime alone."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from assay.errors import AssayError, why_refused
from assay.predict.command import Summary, predict_file
from assay.wording import (
    LANGUAGES,
    Sentence,
    language_of_the_machine,
    render,
    speak,
)


def main(words: Sequence[str] | None = None) -> int:
    """Predict a table as the command line says, and return the exit code."""
    _choose_language(words)
    options = _parser().parse_args(words)
    output = None if options.output in (None, "-") else Path(options.output)
    images = None if options.images is None else Path(options.images)
    try:
        summary = predict_file(
            Path(options.bundle), Path(options.table), output, images, raw=options.raw
        )
    except AssayError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except OSError as error:
        place = error.filename or render(Sentence.of("predict.standard_output"))
        sys.stderr.write(f"{place}: {why_refused(error)}.\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f"{render(Sentence.of('predict.interrupted'))}\n")
        return 130
    show(summary, as_json=options.json, fully=options.verbose)
    return 0


def show(summary: Summary, *, as_json: bool, fully: bool) -> None:
    """Write the summary to stderr for a person and, if wanted, as the last line of stdout for a program."""
    sys.stderr.write(f"{summary.sentence()}\n")
    if fully:
        for line in summary.details():
            sys.stderr.write(f"  {line}\n")
    if as_json:
        sys.stdout.write(f"{summary.as_json()}\n")
        sys.stdout.flush()


def _choose_language(words: Sequence[str] | None) -> None:
    """Speak the language of ``--lang``, before the parser needs its own sentences."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--lang")
    try:
        wanted = parser.parse_known_args(words)[0].lang
    except argparse.ArgumentError:  # which the whole parser reports
        wanted = None
    speak(wanted if wanted in LANGUAGES else language_of_the_machine())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m assay.predict",
        description=_help("description"),
        epilog=_help("exit_codes"),
    )
    parser.add_argument("bundle", help=_help("bundle"))
    parser.add_argument("table", help=_help("table"))
    parser.add_argument("-o", "--output", metavar="FILE", help=_help("output"))
    parser.add_argument("--images", metavar="PATH", help=_help("images"))
    parser.add_argument("--raw", action="store_true", help=_help("raw"))
    parser.add_argument("--lang", choices=LANGUAGES, help=_help("lang"))
    parser.add_argument("--json", action="store_true", help=_help("json"))
    parser.add_argument("-v", "--verbose", action="store_true", help=_help("verbose"))
    return parser


def _help(name: str) -> str:
    return render(Sentence.of(f"predict.help.{name}"))


if __name__ == "__main__":
    sys.exit(main())
