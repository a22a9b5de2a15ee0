"""What two run folders have otherwise: the first difference in the order of the stages, as far down as can be told."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from assay.reproduce.receipt import INPUTS, Difference
from assay.store.verdict import Manifest

_OF_ROWS = ["repeat", "row", "fold", "label"]
_LONGEST = 120  # characters of a value in a sentence
_WEIGHTS = "model.weights.h5"  # inside model.keras


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
    for name in INPUTS:
        if before.same.get(name) != after.same.get(name):
            return _digests(name, name, before.same, after.same)
    for found in _in_order(old, new):
        return found
    name = next(
        one
        for one in sorted({*before.same, *after.same})
        if before.same.get(one) != after.same.get(one)
    )
    return _digests(name, "its digest", before.same, after.same)


def _in_order(old: Path, new: Path) -> Iterator[Difference]:
    yield from _of_folds(old, new)
    yield from _of_signal(old, new)
    yield from _of_trials(old, new)
    yield from _of_predictions(old, new)
    yield from _of_weights(old, new)
    yield from _of_verdicts(old, new)


def moved_scores(old: Path, new: Path) -> dict[str, float]:
    """Return by how much each model's mean score over the outer folds moved, later minus earlier."""
    before, after = _mean_scores(old), _mean_scores(new)
    return {name: after[name] - before[name] for name in before if name in after}


def _mean_scores(folder: Path) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for one in _json(folder / "trials.json"):
        if one["score"] is not None:
            found.setdefault(one["model"], []).append(one["score"])
    return {name: float(np.mean(scores)) for name, scores in found.items()}


# Stage by stage ----------------------------------------------------------------------------------


def _of_folds(old: Path, new: Path) -> Iterator[Difference]:
    was, now = (_table(one) for one in (old, new))
    if was is None or now is None:
        return
    if len(was) != len(now):
        yield _told("folds", "the number of tested rows", len(was), len(now))
        return
    for column in _OF_ROWS:
        differ = np.flatnonzero(was[column].to_numpy() != now[column].to_numpy())
        if differ.size:
            place = was.iloc[differ[0]]
            where = f"split, repeat {place['repeat'] + 1}, row {place['row']}, {column}"
            yield _told(
                "folds", where, *(one[column].iloc[differ[0]] for one in (was, now))
            )


def _of_signal(old: Path, new: Path) -> Iterator[Difference]:
    was, now = (_json(one / "verdict.json")["signal"] for one in (old, new))
    yield from _in_fields("verdict", "gate", was, now)


def _of_trials(old: Path, new: Path) -> Iterator[Difference]:
    for was, now in zip(
        _json(old / "trials.json"), _json(new / "trials.json"), strict=False
    ):
        where = (
            f"tune, repeat {was['repeat'] + 1}, fold {was['fold'] + 1}, {was['model']}"
        )
        for first, again in zip(was["trials"], now["trials"], strict=False):
            yield from _in_fields(
                "scores", f"{where}, trial {first['number']}", first, again
            )
        yield from _in_fields("scores", where, was, now, but=("trials", "score"))


def _of_predictions(old: Path, new: Path) -> Iterator[Difference]:
    was, now = (_table(one) for one in (old, new))
    if was is None or now is None or len(was) != len(now):
        return
    for column in was.columns.difference(_OF_ROWS, sort=False).intersection(
        now.columns
    ):
        apart = np.abs(was[column].to_numpy(float) - now[column].to_numpy(float))
        if apart.any():
            place = was.iloc[int(np.flatnonzero(apart)[0])]
            where = (
                f"tune, repeat {place['repeat'] + 1}, fold {place['fold'] + 1}, "
                f"prediction {column} of row {place['row']}"
            )
            first, again = (
                one[column].iloc[int(np.flatnonzero(apart)[0])] for one in (was, now)
            )
            largest = float(apart.max())
            yield _told("predictions", where, first, again, largest=largest)


def _of_weights(old: Path, new: Path) -> Iterator[Difference]:
    was, now = (_tensors(one / "bundle" / "model.keras") for one in (old, new))
    for name in sorted(was.keys() | now.keys()):
        first, again = was.get(name), now.get(name)
        if first is None or again is None or first.shape != again.shape:
            form, later = (
                "absent" if one is None else one.shape for one in (first, again)
            )
            yield _told("weights", f"final, tensor {name}", form, later)
        elif not np.array_equal(first, again):
            apart = np.abs(first.astype(float) - again.astype(float))
            place = np.unravel_index(int(apart.argmax()), apart.shape)
            yield _told(
                "weights",
                f"final, tensor {name}",
                first[place],
                again[place],
                largest=float(apart.max()),
            )


def _of_verdicts(old: Path, new: Path) -> Iterator[Difference]:
    was, now = (_json(one / "verdict.json") for one in (old, new))
    yield from _in_fields("verdict", "judge", was, now, but=("digests", "deviations"))


def _in_fields(
    what: str,
    where: str,
    was: Mapping[str, Any],
    now: Mapping[str, Any],
    but: tuple[str, ...] = (),
) -> Iterator[Difference]:
    """Yield the fields that differ, at any depth but times."""
    for key in was:
        first, again = was[key], now.get(key)
        if key in but or first == again or _is_time(key):
            continue
        if isinstance(first, dict) and isinstance(again, dict):
            yield from _in_fields(what, f"{where}, {key}", first, again)
            continue
        largest = None
        if isinstance(first, int | float) and isinstance(again, int | float):
            largest = abs(float(first) - float(again))
        yield _told(what, f"{where}, {key}", first, again, largest=largest)


def _is_time(key: str) -> bool:
    return key in ("seconds", "fit_s", "predict_s", "predict_us", "gain_per_second")


# Files -------------------------------------------------------------------------------------------


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _table(folder: Path) -> pd.DataFrame | None:
    path = folder / "predictions.parquet"
    return pd.read_parquet(path) if path.is_file() else None


def _tensors(path: Path) -> dict[str, Any]:
    """Return the tensors of a saved model by name, without loading it."""
    import h5py

    if not path.is_file():
        return {}
    found: dict[str, Any] = {}
    with (
        zipfile.ZipFile(path) as archive,
        h5py.File(io.BytesIO(archive.read(_WEIGHTS)), "r") as file,
    ):
        file.visititems(
            lambda name, one: (
                found.update({name: one[()]}) if isinstance(one, h5py.Dataset) else None
            )
        )
    return found


def _told(
    what: str, where: str, was: object, now: object, largest: float | None = None
) -> Difference:
    return Difference(
        what=what, where=where, was=_shown(was), now=_shown(now), largest=largest
    )


def _digests(
    what: str, where: str, was: Mapping[str, str], now: Mapping[str, str]
) -> Difference:
    before, after = (one.get(what, "absent")[:12] for one in (was, now))
    return _told(what, where, before, after)


def _shown(value: object) -> str:
    said = (
        f"{float(value):.9g}" if isinstance(value, float | np.floating) else str(value)
    )
    return said if len(said) <= _LONGEST else said[:_LONGEST] + "..."
