"""The run that the program of commit b409744 left, laid out to be read or altered."""

import json
import tarfile
from pathlib import Path

from assay.store.canonical import digest_bytes
from tests.conftest import ROOT

KEPT = ROOT / "tests" / "kept" / "run-b409744.tar.xz"
NAME = "small-99632818d2b7"


def laid_out(folder: Path) -> Path:
    """Write the run, its table and the receipt of a rerun into a folder; return the run's folder."""
    with tarfile.open(KEPT) as archive:
        archive.extractall(folder, filter="data")
    return folder / NAME


def with_file(run: Path, name: str, content: bytes) -> Path:
    """Write a file of a run and list it with its digest in the manifest, as whoever made the run can."""
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    (run / name).write_bytes(content)
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"][name] = digest_bytes(content)
    (run / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return run
