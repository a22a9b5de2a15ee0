"""Registering: a study is written down in canonical form before any of its data is read."""

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from assay.errors import CorruptObject
from assay.store.canonical import canonical_json
from assay.store.records import Digest, Record
from assay.store.store import Store
from assay.study.plans import Study
from assay.wording import Item, Sentence


class Registration(Record):
    """A study as it stood before its data was read."""

    study: Study
    digest: Digest
    order: int = Field(
        description="How many studies of this name were registered before."
    )


def register(store: Store, study: Study) -> tuple[Registration, tuple[Sentence, ...]]:
    """Write the study down under its digest, before any of its data is read.

    Returns
    -------
    tuple
        The registration, and how the study differs from each earlier registration of the same name;
        empty when this is the first or equals them.
    """
    folder = store.folder / "registrations" / study.name
    digest = study.essence_digest()
    with store.lock(f"registrations-{study.name}"):
        earlier = _registrations(store, folder)
        own = next((entry for entry in earlier if entry.digest == digest), None)
        if own is None:
            own = Registration(
                study=study,
                digest=digest,
                order=1 + max((entry.order for entry in earlier), default=-1),
            )
            store.files.write_checked(
                folder / f"{digest}.json", canonical_json(own.model_dump(mode="json"))
            )
    before = [
        entry
        for entry in sorted(earlier, key=lambda entry: entry.order)
        if entry.order < own.order
        # a version that knew fewer keys gave the same study another digest
        and entry.study.essence_digest() != digest
    ]
    return own, tuple(
        _deviation(entry, study, begun=_mark(folder, entry).exists())
        for entry in before
    )


def begin(store: Store, registration: Registration) -> None:
    """Note that the registered study is about to look at scores."""
    folder = store.folder / "registrations" / registration.study.name
    store.files.write(_mark(folder, registration), b"")


def _mark(folder: Path, registration: Registration) -> Path:
    return folder / f"{registration.digest}.begun"


def _registrations(store: Store, folder: Path) -> list[Registration]:
    registrations = []
    for path in sorted(folder.glob("*.json")):
        try:
            text = store.files.read_checked(path)
            registrations.append(Registration.model_validate_json(text))
        except (CorruptObject, ValidationError):
            continue  # written by another version or damaged: it cannot testify
    return registrations


def _deviation(earlier: Registration, study: Study, *, begun: bool) -> Sentence:
    old, new = _flat(earlier.study.essence()), _flat(study.essence())
    changed = sorted(
        key
        for key in old.keys() | new.keys()
        if old.get(key) != new.get(key) and key != "overrides"
    )
    changes: tuple[Item, ...] = tuple(
        f"{key} ({old.get(key)} -> {new.get(key)})" for key in changed[:4]
    )
    if len(changed) > 4:
        changes += (Sentence.of("study.deviation.more", n=len(changed) - 4),)
    return Sentence.of(
        f"study.deviation.{'seen' if begun else 'unseen'}",
        digest=earlier.digest[:12],
        changes=changes or Sentence.of("study.deviation.overrides_only"),
    )


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {
            k: v
            for name, inner in value.items()
            for k, v in _flat(inner, f"{prefix}.{name}" if prefix else name).items()
        }
    return {prefix: value}
