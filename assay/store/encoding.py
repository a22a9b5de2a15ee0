"""Tables and arrays as bytes and back: equal values give equal bytes, and nothing is pickled."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if (
    TYPE_CHECKING
):  # loaded only where there is data: an answer from a finished run needs none
    import pandas as pd
    from numpy.typing import NDArray


def table_bytes(table: "pd.DataFrame") -> bytes:
    """Return a table as Parquet. Equal tables give equal bytes under one lock."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False, compression="zstd")
    _return_memory()
    return buffer.getvalue()


def table_from(content: bytes, columns: Sequence[str] | None = None) -> "pd.DataFrame":
    """Return a table, or some of its columns."""
    import pandas as pd

    wanted = None if columns is None else list(columns)
    table = pd.read_parquet(io.BytesIO(content), columns=wanted)
    _return_memory()
    return table


def array_bytes(array: "NDArray[Any]") -> bytes:
    """Return an array in NumPy's own format, which needs no pickle for plain types."""
    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array, order="C"), allow_pickle=False)
    return buffer.getvalue()


def array_from(content: bytes) -> "NDArray[Any]":
    import numpy as np

    array: NDArray[Any] = np.load(io.BytesIO(content), allow_pickle=False)
    return array


def arrays_bytes(arrays: "Mapping[str, NDArray[Any]]") -> bytes:
    """Return named arrays as one npz; its members carry no times, so equal arrays give equal bytes."""
    import numpy as np

    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **dict(sorted(arrays.items())))
    return buffer.getvalue()


def arrays_from(content: bytes) -> "dict[str, NDArray[Any]]":
    import numpy as np

    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _return_memory() -> None:
    """Give back what pyarrow keeps of the tables it has converted: as much again as the tables."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
