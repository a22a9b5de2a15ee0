"""``python -m assay.predict BUNDLE TABLE -o FILE``, with NumPy and onnxruntime alone."""

import argparse
import sys
from pathlib import Path

from assay.errors import AssayError
from assay.predict.command import Summary, predict_file


def main(words: list[str] | None = None) -> int:
    """Predict a table as the command line says, and return the exit code."""
    asked = _parser().parse_args(words)
    output = None if asked.output in (None, "-") else Path(asked.output)
    images = None if asked.images is None else Path(asked.images)
    try:
        summary = predict_file(Path(asked.bundle), Path(asked.table), output, images)
        tell(summary, as_json=asked.json, fully=asked.verbose)
    except AssayError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted. No file was written.\n")
        return 130
    return 0


def tell(summary: Summary, *, as_json: bool, fully: bool) -> None:
    """Say what came of it: to a person on stderr, and as the last line of stdout if asked."""
    sys.stderr.write(f"{summary.sentence()}\n")
    if fully:
        for line in summary.details():
            sys.stderr.write(f"  {line}\n")
    if as_json:
        sys.stdout.write(f"{summary.as_json()}\n")
        sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m assay.predict",
        description="Predict the rows of a table with the model that a check left.",
        epilog="Exit codes: 0 predicted, 2 the command is wrong, 3 the bundle or the table is refused, 1 anything else.",
    )
    parser.add_argument("bundle", help="the bundle, or the folder of its run")
    parser.add_argument("table", help="a CSV, TSV, JSON lines, Parquet or npz file")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="ends in .csv, .jsonl or .parquet; default: CSV on the standard output",
    )
    parser.add_argument(
        "--images",
        metavar="PATH",
        help="a folder, .tar, .tar.gz or .zip of the images that rows name",
    )
    parser.add_argument(
        "--json", action="store_true", help="print a record as the last line"
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="say what was decided"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
