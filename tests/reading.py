"""Write bytes under a name and read them as a source; say what a refusal says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay.data.ingest import Table, read_source
from assay.errors import AssayError, DataRefused
from assay.study.plans import ReadPlan
from tests.factories import make_source


class Reading:
    """A folder to write files to and read them from, as a study declares it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, content: bytes | str, name: str, **read: Any) -> Table:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        source = make_source(path)
        return read_source(source.model_copy(update={"read": ReadPlan(**read)}))

    def refusal(
        self,
        content: bytes | str,
        name: str,
        error: type[AssayError] = DataRefused,
        **read: Any,
    ) -> str:
        """Return the one sentence, or two, with which a file is refused."""
        return said_by(lambda: self(content, name, **read), name, error)


def said_by(
    call: Callable[[], object], name: str, error: type[AssayError] = DataRefused
) -> str:
    with pytest.raises(error) as refused:
        call()
    message = str(refused.value)
    assert "\n" not in message
    assert name in message
    assert message.endswith(".")
    return message
