"""The first difference of two run folders, in the order of the stages, as exactly as their files tell."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assay.formats.array_headers import UNREADABLE
from assay.formats.checks import first_line
from assay.reproduce.receipt import INPUTS, Difference
from assay.store.run_folder import MAX_BYTES, MAX_JSON_BYTES, read_file
from assay.store.verdict import Manifest
from assay.wording import Sentence

_OF_ROWS = ["repeat", "row", "fold", "label"]
_LONGEST = 120  # characters of a value in a sentence
_WEIGHTS = "model.weights.h5"  # inside model.keras
_SMALL_BYTES, _MOST_UNPACKED = 256 * 1024**2, 100  # of what a file unpacks to


def first_difference(
    was: tuple[Path, Manifest], now: tuple[Path, Manifest]
) -> Difference | None:
    """Return the first difference between two run folders, None where every digest is equal.

    Parameters
    ----------
    was, now
        Folder and manifest of each.
    """
    (old, before), (new, after) = was, now
    if before.same == after.same:
        return None
    differing = [
        name
        for name in (*INPUTS, *sorted({*before.same, *after.same}))
        if before.same.get(name) != after.same.get(name)
    ]
    if differing[0] in INPUTS:
        return _of_digests(differing[0], before.same, after.same)
    in_files = next(_in_order(old, new), None)
    return in_files or _of_digests(differing[0], before.same, after.same)


def _in_order(old: Path, new: Path) -> Iterator[Difference]:
    yield from _of_folds(old, new)
    yield from _of_signal(old, new)
    yield from _of_trials(old, new)
    yield from _of_predictions(old, new)
    yield from _of_weights(old, new)
    yield from _of_verdicts(old, new)


def moved_scores(old: Path, new: Path) -> dict[str, float]:
    """Return by how much each model's mean score over the outer folds changed, later minus earlier."""
    before, after = _mean_scores(old), _mean_scores(new)
    return {name: after[name] - before[name] for name in before if name in after}


def _mean_scores(folder: Path) -> dict[str, float]:
    scores: dict[str, list[float]] = {}
    for fit in _json(folder / "trials.json"):
        if fit["score"] is not None:
            scores.setdefault(fit["model"], []).append(fit["score"])
    return {name: float(np.mean(of_folds)) for name, of_folds in scores.items()}


# Stage by stage ----------------------------------------------------------------------------------


def _of_folds(old: Path, new: Path) -> Iterator[Difference]:
    was, now = predictions_in(old), predictions_in(new)
    if was is None or now is None:
        return
    if len(was) != len(now):
        where = Sentence.of("reproduce.where.n_rows")
        yield _difference("folds", where, len(was), len(now))
        return
    for column in _OF_ROWS:
        differ = np.flatnonzero(was[column].to_numpy() != now[column].to_numpy())
        if differ.size:
            row = int(differ[0])
            where = Sentence.of(
                "reproduce.where.split", **_place(was, row), column=column
            )
            yield _difference(
                "folds", where, was[column].iloc[row], now[column].iloc[row]
            )


def _of_signal(old: Path, new: Path) -> Iterator[Difference]:
    was, now = (_json(folder / "verdict.json")["signal"] for folder in (old, new))
    yield from _of_fields("verdict", Sentence.plain("gate"), was, now)


def _of_trials(old: Path, new: Path) -> Iterator[Difference]:
    fits = (_json(folder / "trials.json") for folder in (old, new))
    for was, now in zip(*fits, strict=False):
        place: dict[str, int | str] = {
            "repeat": was["repeat"] + 1,
            "fold": was["fold"] + 1,
            "model": was["model"],
        }
        for first, again in zip(was["trials"], now["trials"], strict=False):
            where = Sentence.of("reproduce.where.trial", **place, trial=first["number"])
            yield from _of_fields("scores", where, first, again)
        where = Sentence.of("reproduce.where.fit", **place)
        yield from _of_fields("scores", where, was, now, but=("trials", "score"))


def _of_predictions(old: Path, new: Path) -> Iterator[Difference]:
    was, now = predictions_in(old), predictions_in(new)
    if was is None or now is None or len(was) != len(now):
        return
    models = was.columns.difference(_OF_ROWS, sort=False)
    for column in models.intersection(now.columns):
        apart = np.abs(was[column].to_numpy(float) - now[column].to_numpy(float))
        if apart.any():
            row = int(np.flatnonzero(apart)[0])
            where = Sentence.of(
                "reproduce.where.prediction", **_place(was, row), column=column
            )
            first, again = was[column].iloc[row], now[column].iloc[row]
            largest = float(apart.max())
            yield _difference("predictions", where, first, again, largest=largest)


def _of_weights(old: Path, new: Path) -> Iterator[Difference]:
    was, now = (_tensors(folder / "bundle" / "model.keras") for folder in (old, new))
    for name in sorted(was.keys() | now.keys()):
        where = Sentence.of("reproduce.where.tensor", name=name)
        first, again = was.get(name), now.get(name)
        if first is None or again is None or first.shape != again.shape:
            before, after = (
                "absent" if tensor is None else tensor.shape
                for tensor in (first, again)
            )
            yield _difference("weights", where, before, after)
        elif not np.array_equal(first, again):
            apart = np.abs(first.astype(float) - again.astype(float))
            place = np.unravel_index(int(apart.argmax()), apart.shape)
            largest = float(apart.max())
            yield _difference(
                "weights", where, first[place], again[place], largest=largest
            )


def _of_verdicts(old: Path, new: Path) -> Iterator[Difference]:
    was, now = (_json(folder / "verdict.json") for folder in (old, new))
    but = ("digests", "deviations")
    yield from _of_fields("verdict", Sentence.plain("judge"), was, now, but=but)


def _of_fields(
    what: str,
    where: Sentence,
    was: Mapping[str, Any],
    now: Mapping[str, Any],
    but: tuple[str, ...] = (),
) -> Iterator[Difference]:
    """Yield the fields that differ, at any depth, except times."""
    for key in was:
        first, again = was[key], now.get(key)
        if key in but or first == again or _is_time(key):
            continue
        field = Sentence.of("reproduce.where.field", place=where, name=key)
        if isinstance(first, dict) and isinstance(again, dict):
            yield from _of_fields(what, field, first, again)
            continue
        largest = None
        if isinstance(first, int | float) and isinstance(again, int | float):
            largest = abs(float(first) - float(again))
        yield _difference(what, field, first, again, largest=largest)


def _place(table: pd.DataFrame, row: int) -> dict[str, int]:
    """Return repeat and fold, counted from 1, and the row of a line of the predictions."""
    line = table.iloc[row]
    repeat, fold = int(line["repeat"]) + 1, int(line["fold"]) + 1
    return {"repeat": repeat, "fold": fold, "row": int(line["row"])}


def _is_time(key: str) -> bool:
    return key in ("seconds", "fit_s", "predict_s", "predict_us", "gain_per_second")


# Files -------------------------------------------------------------------------------------------


def _json(path: Path) -> Any:
    return json.loads(read_file(path, MAX_JSON_BYTES))


def predictions_in(folder: Path) -> pd.DataFrame | None:
    """Return the out-of-fold predictions of a run, None where it has none.

    Raises
    ------
    CorruptObject, ValueError
        If they are no table of numbers and labels, or take far more memory than the file has bytes.
    """
    path = folder / "predictions.parquet"
    if not path.is_file():
        return None
    content = read_file(path, MAX_BYTES)
    with _readable(path):
        _need_size(_unpacked(content), content)
        return pd.read_parquet(io.BytesIO(content))


def _unpacked(content: bytes) -> int:
    """Return about how many bytes a Parquet file of numbers and texts takes in memory."""
    schema = pq.read_schema(io.BytesIO(content))
    texts = [field.name for field in schema if _is_text(field.type)]
    if len(texts) + sum(pa.types.is_primitive(kind) for kind in schema.types) < len(schema):  # fmt: skip
        raise ValueError("predictions.parquet holds more than numbers and texts")
    # A text that many rows share is held once, as in the file.
    file = pq.ParquetFile(io.BytesIO(content), read_dictionary=texts)
    parts = (part for column in file.read(texts).columns for part in column.chunks)
    longest = max(
        (pc.max(pc.binary_length(part.dictionary)).as_py() or 0 for part in parts),
        default=0,
    )
    widest = 8 * len(schema) + longest * len(texts)
    return int(file.metadata.num_rows * widest)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what libraries raise of damaged files into a ValueError."""
    try:
        yield
    except (*UNREADABLE, pa.ArrowException) as error:
        raise ValueError(f"{path.name}: {first_line(error)}") from None


def _need_size(n_bytes: int, content: bytes) -> None:
    if n_bytes > max(_SMALL_BYTES, _MOST_UNPACKED * len(content)):
        raise ValueError(f"{n_bytes:,} bytes from {len(content):,}")


def _tensors(path: Path) -> dict[str, Any]:
    """Return the tensors of a saved model by name, without loading it."""
    import h5py

    if not path.is_file():
        return {}
    tensors: dict[str, Any] = {}
    content = read_file(path, MAX_BYTES)
    with _readable(path), zipfile.ZipFile(io.BytesIO(content)) as archive:
        _need_size(archive.getinfo(_WEIGHTS).file_size, content)
        weights = archive.read(_WEIGHTS)

    def keep(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            unread = len(weights) - sum(tensor.nbytes for tensor in tensors.values())
            if item.external or item.is_virtual or item.nbytes > unread:
                raise ValueError(f"the values of {name} are not in {path.name}")
            tensors[name] = item[()]

    with _readable(path), h5py.File(io.BytesIO(weights), "r") as file:
        file.visititems(keep)
    return tensors


def _difference(
    what: str,
    where: Sentence,
    was: object,
    now: object,
    largest: float | None = None,
) -> Difference:
    return Difference(
        what=what, where=where, was=_shown(was), now=_shown(now), largest=largest
    )


def _of_digests(
    name: str, was: Mapping[str, str], now: Mapping[str, str]
) -> Difference:
    before, after = (digests.get(name, "absent")[:12] for digests in (was, now))
    return _difference(name, Sentence.of("reproduce.where.digest"), before, after)


def _shown(value: object) -> str:
    is_float = isinstance(value, float | np.floating)
    text = f"{float(value):.9g}" if is_float else str(value)  # type: ignore[arg-type]
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
