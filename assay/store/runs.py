"""Finished runs: the folder a run leaves, published in one step and verified before it is believed."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from assay.errors import NotReproducible, StudyError
from assay.store.canonical import digest_bytes, digest_file
from assay.store.environment import artifacts_folder, circumstances, shown
from assay.store.remote import shared_at
from assay.store.store import Store
from assay.store.verdict import Bundle, Manifest, Verdict


def store_of(
    artifacts: Path | None = None,
    *,
    fresh: bool = False,
    audit: float = 0.0,
    shared: str | None = None,
) -> Store:
    """Open the store in ``artifacts``, or in the default folder.

    ``fresh``: trust no stored result; ``audit``: the share of them to be computed again and compared;
    ``shared``: the address where other machines find what stages come to. It is not asked anything yet.

    Raises
    ------
    StudyError
        If nothing can be written there, or ``shared`` is no address.
    """
    store = Store(
        artifacts or artifacts_folder(),
        fresh=fresh,
        audit=audit,
        shared=shared_at(shared) if shared else None,
    )
    try:
        store.scratch()
    except OSError as error:
        raise StudyError(
            f"{shown(store.folder)} cannot hold what a run leaves: {error.strerror}. Choose another with --artifacts."
        ) from None
    return store


class Roaming(Store):
    """A store that another machine opens in its own artifacts folder; what is shared is the same."""

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
    """Return a store as machines with folders of their own open it; one that shares nothing stays as it is."""
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
    manifest = _manifest(folder)
    if manifest is None or not _intact(folder, manifest):
        return None
    try:
        return Verdict.model_validate_json((folder / "verdict.json").read_bytes())
    except ValidationError:
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
    earlier = _manifest(folder)
    if earlier is not None and _intact(folder, earlier):
        different = [
            key for key in bundle.same if earlier.same.get(key) != bundle.same[key]
        ]
        if different:
            raise NotReproducible(
                f"This run does not repeat {folder.name}: the digest of its {different[0]} was "
                f"{earlier.same.get(different[0], 'absent')[:12]} and is {bundle.same[different[0]][:12]}. "
                f"The earlier run was left as it is."
            )
        return folder
    files = {path: store.get(ref) for path, ref in bundle.files.items()}
    manifest = Manifest(
        study=study,
        same=bundle.same,
        files={path: digest_bytes(content) for path, content in files.items()},
        circumstances=circumstances(seconds),
    )
    store.publish(
        files | {"manifest.json": manifest.model_dump_json(indent=2).encode() + b"\n"},
        folder,
    )
    return folder


def _manifest(folder: Path) -> Manifest | None:
    try:
        return Manifest.model_validate_json((folder / "manifest.json").read_bytes())
    except (OSError, ValidationError):
        return None


def _intact(folder: Path, manifest: Manifest) -> bool:
    """Return whether every file the manifest names is there with the digest it names."""
    try:
        return all(
            digest_file(folder / path) == digest
            for path, digest in manifest.files.items()
        )
    except OSError:
        return False


def all_finished(store: Store) -> list[tuple[Path, Verdict, datetime]]:
    """Return every finished run that is whole: its folder, its verdict, when it was published; newest first."""
    runs = [
        (
            folder,
            verdict,
            datetime.fromtimestamp((folder / "manifest.json").stat().st_mtime),
        )
        for folder in (store.folder / "runs").glob("*")
        if (verdict := finished(store, folder.name)) is not None
    ]
    return sorted(runs, key=lambda run: run[2], reverse=True)
