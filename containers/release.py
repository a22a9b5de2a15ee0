"""Build what is released of a commit: ``python containers/release.py [--sign KEY]`` (``make release`` calls it).

``dist/`` then holds wheel, source archive, SBOM (CycloneDX) and SHA256SUMS. The same commit gives the same bytes, in any
folder, for any user: what is built is the commit, not the folder, and no variable of the environment reaches the builders.
"""

import argparse
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_NAMESPACE = "assay-release"


def release(output: Path, key: Path | None = None) -> list[Path]:
    """Write the files of the commit that is checked out into a folder, in place of earlier ones, and return them.

    Parameters
    ----------
    key
        An SSH key that signs the sums.
    """
    output = output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    for earlier in (*output.glob("assay-*"), *output.glob("SHA256SUMS*")):
        earlier.unlink()
    os.umask(0o022)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "assay"
        with tarfile.open(fileobj=io.BytesIO(_git("archive", "HEAD"))) as archive:
            archive.extractall(source, filter="data")
        settings = {
            "PATH": os.defpath,
            "HOME": folder,
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONHASHSEED": "0",
            "PYTHONWARNINGS": "ignore",
            "SOURCE_DATE_EPOCH": _git("log", "-1", "--format=%ct").decode().strip(),
        }
        _python(source, settings, "hatchling", "build", "-d", str(output))
        _python(source, settings, "cyclonedx_py", *_sbom(source, output))
    files = sorted(output.glob("assay-*"))
    sums = output / "SHA256SUMS"
    sums.write_text("".join(f"{_digest(file)}  {file.name}\n" for file in files))
    if key is not None:
        command = ["ssh-keygen", "-Y", "sign", "-f", str(key), "-n", _NAMESPACE]
        subprocess.run([*command, str(sums)], check=True)
    return [*files, *sorted(output.glob("SHA256SUMS*"))]


def _sbom(source: Path, output: Path) -> list[str]:
    """Return how cyclonedx-py is asked for what the wheel's lock holds; it reads no version from a Python file."""
    version = _version(source)
    project = source / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    dynamic = 'dynamic = ["version", "dependencies"]'
    project.write_text(
        text.replace(dynamic, f'version = "{version}"'), encoding="utf-8"
    )
    return [
        *("requirements", "assay/requirements.txt", "--pyproject", project.name),
        *("--output-reproducible", "--of", "JSON"),
        *("-o", str(output / f"assay-{version}.cdx.json")),
    ]


def _git(*words: str) -> bytes:
    """Return what git prints of the commit alone, whatever a person or a machine has set for git."""
    settings = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_NO_REPLACE_OBJECTS": "1",
    }
    command = ["git", "-c", "core.autocrlf=false", *words]
    return subprocess.run(
        command, cwd=ROOT, env=settings, check=True, stdout=subprocess.PIPE
    ).stdout


def _python(source: Path, settings: dict[str, str], *words: str) -> None:
    """Run a module of the tools in the commit's folder, with these settings only."""
    subprocess.run(
        [sys.executable, "-P", "-s", "-m", *words],
        cwd=source,
        env=settings,
        check=True,
        capture_output=True,
    )


def _version(source: Path) -> str:
    text = (source / "assay" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"', text, re.MULTILINE)
    if found is None:
        raise ValueError("assay/__init__.py has no __version__")
    return found[1]


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build what is released of a commit.")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", metavar="DIR")
    parser.add_argument("--sign", type=Path, metavar="KEY", help="an SSH key")
    options = parser.parse_args()
    for path in release(options.output, options.sign):
        sys.stdout.write(f"{_digest(path)}  {path}\n")
