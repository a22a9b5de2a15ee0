"""What is wrong inside a bundle, and the one sentence that it becomes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.errors import AssayError, DataRefused
from assay.formats.checks import first_line
from assay.wording import Sentence, Value, render


class Unfit(ValueError):
    """A part of a bundle that is damaged, of another version, or does not fit the others."""

    def __init__(self, key: str, /, **values: Value) -> None:
        super().__init__(key)
        self.sentence = Sentence.of(key, **values)

    def __str__(self) -> str:
        return render(self.sentence)


@contextmanager
def explained(file: Path) -> Iterator[None]:
    """Turn whatever goes wrong inside a bundle into one sentence about a file of it, or about its folder.

    An error that nothing foresaw is named by its type and stays the cause of the refusal. A refusal of rows
    passes, and so does a lack of memory: what a bundle takes is bounded when it is opened.

    Raises
    ------
    DataRefused
        If something does.
    """
    try:
        yield
    except (AssayError, MemoryError):
        raise
    except Unfit as unfit:
        raise _refusal(file, unfit.sentence) from None
    except Exception as error:
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise _refusal(file, reason) from error


def _refusal(file: Path, reason: Value) -> DataRefused:
    return DataRefused("predict.bundle_damaged", file=str(file), reason=reason)
