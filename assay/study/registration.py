"""Registering: a study is written down in canonical form before any of its data is read."""

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from assay.errors import CorruptObject
from assay.store.canonical import canonical_json
from assay.store.records import Digest, Record
from assay.store.store import Store
from assay.study.plans import Study


class Registration(Record):
    """A study as it stood before its data was read."""

    study: Study
    digest: Digest
    order: int = Field(
        description="How many studies of this name were registered before."
    )


def register(store: Store, study: Study) -> tuple[Registration, tuple[str, ...]]:
    """Write the study down under its digest, before any of its data is read.

    Returns
    -------
    tuple
        The registration, and what differs from each earlier registration of the same name, in
        words; empty when this is the first or the same again.
    """
    folder = store.folder / "registrations" / study.name
    digest = study.essence_digest()
    with store.lock(f"registrations-{study.name}"):
        earlier = _registrations(store, folder)
        mine = next((one for one in earlier if one.digest == digest), None)
        if mine is None:
            mine = Registration(
                study=study,
                digest=digest,
                order=1 + max((one.order for one in earlier), default=-1),
            )
            store.files.write_checked(
                folder / f"{digest}.json", canonical_json(mine.model_dump(mode="json"))
            )
    others = (one for one in earlier if one.order < mine.order)
    before = sorted(
        # a version that knew fewer keys digested the same study otherwise
        (one for one in others if one.study.essence_digest() != digest),
        key=lambda one: one.order,
    )
    return mine, tuple(
        _deviation(one, study, begun=_mark(folder, one).exists()) for one in before
    )


def begin(store: Store, registration: Registration) -> None:
    """Note that the registered study is about to look at scores."""
    folder = store.folder / "registrations" / registration.study.name
    store.files.write(_mark(folder, registration), b"")


def _mark(folder: Path, registration: Registration) -> Path:
    return folder / f"{registration.digest}.begun"


def _registrations(store: Store, folder: Path) -> list[Registration]:
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(
                Registration.model_validate_json(store.files.read_checked(path))
            )
        except (CorruptObject, ValidationError):
            continue  # written by another version or damaged: it cannot testify
    return found


def _deviation(earlier: Registration, study: Study, *, begun: bool) -> str:
    old, new = _flat(earlier.study.essence()), _flat(study.essence())
    changed = sorted(
        key
        for key in old.keys() | new.keys()
        if old.get(key) != new.get(key) and key != "overrides"
    )
    shown = ", ".join(
        f"{key} ({old.get(key)} -> {new.get(key)})" for key in changed[:4]
    )
    more = f" and {len(changed) - 4} more" if len(changed) > 4 else ""
    known = "whose scores could be seen" if begun else "which never came to a score"
    return (
        f"differs from registration {earlier.digest[:12]} of the same name, {known}, in "
        f"{shown or 'nothing but --set'}{more}"
    )


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {
            k: v
            for name, inner in value.items()
            for k, v in _flat(inner, f"{prefix}.{name}" if prefix else name).items()
        }
    return {prefix: value}
