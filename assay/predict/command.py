"""From a bundle and a table to a file of predictions, as both command lines run it."""

import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
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

_TURN_S = 2e-4  # a network's thread, between two of its calls, waits at most so long for the one that reads
_MOST_CORES = 8  # each holds a chunk; one process reads and writes for all


@dataclass(frozen=True)
class Summary:
    """What came of predicting a table.

    Attributes
    ----------
    marked
        Rows with a remark.
    notes
        What the reader decided, and which rules of the suite were not asked.
    """

    file: str
    rows: int
    marked: int
    seconds: float
    study: str
    plan: str
    notes: tuple[str, ...]
    rules_asked: int
    rules_not_asked: dict[str, str]

    def sentence(self) -> str:
        """Return it in a line for a person."""
        rows = f"{self.rows:,} row{'s' * (self.rows != 1)}"
        marked = (
            f"{self.marked:,} of them marked" if self.marked else "none of them marked"
        )
        return f"{rows} predicted in {self.seconds:.1f} s, {marked}: {self.file}"

    def details(self) -> list[str]:
        """Return what was decided, a line each."""
        rules = f"{self.rules_asked} rules of the suite were asked"
        left = self.rules_not_asked.items()
        return [
            *self.notes,
            rules,
            *(f"rule {k} was not asked: {why}" for k, why in left),
        ]

    def as_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)


def predict_file(
    bundle: Path,
    table: Path,
    output: Path | None,
    images: Path | None = None,
    hear: Callable[[int], None] = lambda _: None,
) -> Summary:
    """Predict every row of a table, in its order.

    Parameters
    ----------
    bundle
        A bundle, or the folder of the run that left it.
    output
        Where the predictions go; None: to the standard output.
    images
        A folder or an archive of the images that rows name, for a model that looks at them.
    hear
        Told how many rows are done, now and then.

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
            raise StudyError(
                f"-o {output}: that is the table itself. Write the predictions to another file."
            )
    opened = Bundle.open(bundle)
    pictures = None if images is None else Pictures(images, opened.form)
    read = open_table(table, opened, pictures)
    n_rows = n_marked = 0
    with written(output, read.copied, opened.form.classes) as writer:
        for chunk, found in _predicted(opened, read.chunks):
            writer.write(chunk, found)
            n_rows += chunk.n_rows
            n_marked += sum(map(bool, found.remarks))
            hear(n_rows)
    return Summary(
        file="standard output" if output is None else str(output),
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

    Networks calculate on all cores; what Python does for a row (reading, preparing, writing) is done by
    the caller's thread alone, as several would wait for each other.
    """
    n_cores = min(_MOST_CORES, _cores())
    begun: deque[tuple[Chunk, Remarks, Future[NDArray[np.float32]]]] = deque()

    def first() -> tuple[Chunk, Predictions]:
        chunk, remarks, found = begun.popleft()
        return chunk, bundle.predictions(chunk, found.result(), remarks)

    with _turns_of(_TURN_S), ThreadPoolExecutor(n_cores) as pool:
        for chunk in chunks:
            inputs, remarks = bundle.prepared(chunk)
            begun.append((chunk, remarks, pool.submit(bundle.network.predict, inputs)))
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
