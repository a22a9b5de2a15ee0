"""Finished runs: the folder a run leaves, published in one step and verified before it is believed."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

from assay.errors import CorruptObject, NotReproducible, StudyError, why_refused
from assay.store.canonical import digest_bytes
from assay.store.machine import circumstances
from assay.store.places import artifacts_folder, shown
from assay.store.remote import shared_at
from assay.store.run_folder import MANIFEST, digest_of, record_of
from assay.store.store import Store
from assay.store.verdict import Bundle, Manifest, Verdict
from assay.wording import Sentence


def store_of(
    artifacts: Path | None = None,
    *,
    fresh: bool = False,
    audit: float = 0.0,
    shared: str | None = None,
) -> Store:
    """Open the store in ``artifacts``, or in the default folder.

    Parameters
    ----------
    fresh
        Whether results of earlier runs are computed again and written over.
    audit
        Share of the stored results that are computed again and compared.
    shared
        Address of the store that other machines use too. Nothing is sent there yet.

    Raises
    ------
    StudyError
        If the folder cannot be written to, or ``shared`` is not an address.
    """
    store = Store(
        artifacts or artifacts_folder(),
        fresh=fresh,
        audit=audit,
        shared=shared_at(shared) if shared else None,
    )
    try:
        store.files.scratch()
    except OSError as error:
        raise StudyError(
            "store.not_writable",
            folder=shown(store.folder),
            reason=why_refused(error),
        ) from None
    return store


class Roaming(Store):
    """A store that, once pickled, opens in the artifacts folder of the machine that receives it."""

    def __reduce__(self) -> tuple[Callable[[], Store], tuple[()]]:
        assert self.shared is not None
        return (
            partial(
                store_of,
                fresh=self.fresh,
                audit=self.audit,
                shared=self.shared.address,
            ),
            (),
        )


def for_other_machines(store: Store) -> Store:
    """Return a store for machines with artifacts folders of their own; one that shares nothing is returned as it is."""
    if store.shared is None:
        return store
    return Roaming(
        store.folder, fresh=store.fresh, audit=store.audit, shared=store.shared
    )


def run_folder(store: Store, name: str) -> Path:
    return store.folder / "runs" / name


def finished(store: Store, name: str) -> Verdict | None:
    """Return the verdict of a finished run, or None if there is none or a file of it was altered."""
    folder = run_folder(store, name)
    manifest = manifest_of(folder)
    if manifest is None or not _intact(folder, manifest):
        return None
    try:
        return record_of(folder / "verdict.json", Verdict)
    except CorruptObject:
        return None


def publish(
    store: Store, name: str, study: str, bundle: Bundle, seconds: float
) -> Path:
    """Make the run's folder appear, complete, with its manifest.

    A run of the same name that is already there is the same study, data, code and lock; its
    digests must be equal. An intact one is left as it is.

    Raises
    ------
    NotReproducible
        If the run that is already there has other digests; the message names the first.
    """
    folder = run_folder(store, name)
    earlier = manifest_of(folder)
    if earlier is not None and _intact(folder, earlier):
        different = [
            key for key in bundle.same if earlier.same.get(key) != bundle.same[key]
        ]
        if different:
            what = different[0]
            before = earlier.same.get(what)
            raise NotReproducible(
                "store.not_repeated",
                run=folder.name,
                what=what,
                before=before[:12] if before else Sentence.of("store.absent"),
                now=bundle.same[what][:12],
            )
        return folder
    files = {path: store.get(ref) for path, ref in bundle.files.items()}
    manifest = Manifest(
        study=study,
        same=bundle.same,
        files={path: digest_bytes(content) for path, content in files.items()},
        circumstances=circumstances(seconds),
    )
    store.files.publish(
        files | {MANIFEST: manifest.model_dump_json(indent=2).encode() + b"\n"},
        folder,
    )
    return folder


def manifest_of(folder: Path) -> Manifest | None:
    """Return the manifest of a run folder, or None if it has none that this version can read."""
    try:
        return record_of(folder / MANIFEST, Manifest)
    except CorruptObject:
        return None


def _intact(folder: Path, manifest: Manifest) -> bool:
    """Return whether every file the manifest names is there with the digest it names."""
    try:
        return all(
            digest_of(folder / path) == digest
            for path, digest in manifest.files.items()
        )
    except CorruptObject:
        return False


def all_finished(store: Store) -> list[tuple[Path, Verdict, datetime]]:
    """Return every finished run that is whole: its folder, its verdict, when it was published; newest first."""
    runs = [
        (
            folder,
            verdict,
            datetime.fromtimestamp((folder / MANIFEST).stat().st_mtime),
        )
        for folder in (store.folder / "runs").glob("*")
        if (verdict := finished(store, folder.name)) is not None
    ]
    return sorted(runs, key=lambda run: run[2], reverse=True)
