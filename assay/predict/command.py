"""From a bundle and a table to a file of predictions, for both command lines."""

import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.errors import StudyError
from assay.predict.bundle import Bundle, Predictions
from assay.predict.parsing import Chunk
from assay.predict.pictures import Pictures
from assay.predict.results import check_output, written
from assay.predict.tables import open_table
from assay.predict.warnings import Remarks
from assay.wording import Sentence, render

_TURN_S = 2e-4  # a network's thread, between two of its calls, waits at most so long for the one that reads
_MOST_CORES = 8  # each holds a chunk; one process reads and writes for all


@dataclass(frozen=True)
class Summary:
    """How many rows of a table were predicted, and what was decided on the way.

    Attributes
    ----------
    marked
        Rows with a remark.
    notes
        What the reader decided, and which rules of the suite were not asked.
    """

    file: str | Sentence
    rows: int
    marked: int
    seconds: float
    study: str
    plan: str
    notes: tuple[Sentence, ...]
    rules_asked: int
    rules_not_asked: dict[str, Sentence]

    def sentence(self) -> str:
        """Return the summary as a line for a person."""
        number = "row" if self.rows == 1 else "rows"
        marked = (
            Sentence.of("predict.some_marked", n=self.marked)
            if self.marked
            else Sentence.of("predict.none_marked")
        )
        return render(
            Sentence.of(
                f"predict.predicted.{number}",
                n_rows=self.rows,
                seconds=self.seconds,
                marked=marked,
                file=self.file,
            )
        )

    def details(self) -> list[str]:
        """Return what was decided, a line each."""
        not_asked = [
            Sentence.of("predict.rule.not_asked", rule=rule, reason=reason)
            for rule, reason in self.rules_not_asked.items()
        ]
        asked = Sentence.of("predict.rule.asked", n=self.rules_asked)
        return [*map(render, (*self.notes, asked, *not_asked))]

    def as_json(self) -> str:
        """Return the summary for a program, its sentences in English whatever language is chosen."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        return json.dumps(plain, ensure_ascii=False, default=_in_english)


def _in_english(sentence: Sentence) -> str:
    return render(sentence, "en")


def predict_file(
    bundle: Path,
    table: Path,
    output: Path | None,
    images: Path | None = None,
    hear: Callable[[int], None] = lambda _: None,
    *,
    raw: bool = False,
) -> Summary:
    """Predict every row of a table, in its order.

    Parameters
    ----------
    bundle
        A bundle, or the folder of the run that left it.
    output
        Where the predictions go; None: to the standard output.
    images
        A folder or an archive of the images that rows name, for a model of images.
    hear
        Called with the number of rows done so far, after each few thousand.
    raw
        Whether a CSV has texts as they are, also those that a spreadsheet would run as a formula.

    Raises
    ------
    StudyError
        If there is no bundle, or no such file can be written.
    DataRefused
        If the bundle was altered or the table is refused; no file is left then.
    """
    begun = time.perf_counter()
    if output is not None:
        check_output(output)
        if output.exists() and table.exists() and output.samefile(table):
            raise StudyError("predict.output_is_table", file=str(output))
    opened = Bundle.open(bundle)
    pictures = None if images is None else Pictures(images, opened.form)
    read = open_table(table, opened, pictures)
    n_rows = n_marked = 0
    with written(output, read.copied, opened.form.classes, raw=raw) as writer:
        for chunk, predictions in _predicted(opened, read.chunks):
            writer.write(chunk, predictions)
            n_rows += chunk.n_rows
            n_marked += sum(map(bool, predictions.remarks))
            hear(n_rows)
    return Summary(
        file=Sentence.of("predict.standard_output") if output is None else str(output),
        rows=n_rows,
        marked=n_marked,
        seconds=round(time.perf_counter() - begun, 3),
        study=opened.form.study,
        plan=opened.form.plan,
        notes=tuple(read.notes),
        rules_asked=len(opened.rules.asked),
        rules_not_asked=dict(opened.rules.not_asked),
    )


def _predicted(
    bundle: Bundle, chunks: Iterator[Chunk]
) -> Iterator[tuple[Chunk, Predictions]]:
    """Yield each chunk with its predictions.

    Networks compute on all cores. Reading, preparing and writing are Python's work, for which only one
    thread runs at a time: the caller's thread does all of it.
    """
    n_cores = min(_MOST_CORES, _cores())
    begun: deque[tuple[Chunk, Remarks, Future[NDArray[np.float32]]]] = deque()

    def first() -> tuple[Chunk, Predictions]:
        chunk, remarks, outputs = begun.popleft()
        return chunk, bundle.predictions(chunk, outputs.result(), remarks)

    with _turns_of(_TURN_S), ThreadPoolExecutor(n_cores) as pool:
        for chunk in chunks:
            inputs, remarks = bundle.prepared(chunk)
            begun.append((chunk, remarks, pool.submit(bundle.outputs, inputs)))
            if len(begun) > n_cores + 1:
                yield first()
        while begun:
            yield first()


@contextmanager
def _turns_of(seconds: float) -> Iterator[None]:
    """Let threads of Python take turns of a length, and as before afterwards."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _cores() -> int:
    """Return how many cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
