"""Where things lie: the package's own files, the project, data and artifacts."""

import importlib.util
import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]  # this program; never written to
IN_A_CLONE = (PACKAGE.parent / "flows" / "main.py").is_file()


def project_folder() -> Path:
    """Return where a person works: ``ASSAY_HOME``, or the clone this program runs from, or the current folder."""
    home = os.environ.get("ASSAY_HOME")
    if home:
        return Path(home).resolve()
    return PACKAGE.parent if IN_A_CLONE else Path.cwd()


def shipped(name: str) -> Path:
    """Return a file that comes with this program: in the wheel's own folder, or where a clone has it.

    Parameters
    ----------
    name
        As a clone has it, for instance ``hypotheses/digits.toml``.
    """
    return PACKAGE.parent / name if IN_A_CLONE else PACKAGE / "shipped" / name


def data_folder() -> Path:
    """Return where source files are looked up: ``ASSAY_DATA``, or ``data/raw`` of the project."""
    return Path(os.environ.get("ASSAY_DATA") or project_folder() / "data" / "raw")


def artifacts_folder() -> Path:
    """Return where runs and stored results go: ``ASSAY_ARTIFACTS``, or ``artifacts``."""
    return Path(os.environ.get("ASSAY_ARTIFACTS") or project_folder() / "artifacts")


def need_home() -> None:
    """Give the libraries a home folder in the artifacts where this user has none: they end without one.

    It is made by whoever writes to it. A home that can only be read is kept, for what is in it.
    """
    try:
        has_one = Path.home().is_dir()
    except RuntimeError:  # a user that the system does not know
        has_one = False
    if not has_one:
        os.environ["HOME"] = str((artifacts_folder() / "home").absolute())


def shared_store() -> str | None:
    """Return the address of the store that machines share, if ``ASSAY_STORE`` names one."""
    return os.environ.get("ASSAY_STORE") or None


def shown(path: Path) -> str:
    """Return a path as messages show it: relative to the project where it lies inside."""
    project = project_folder()
    return str(path.relative_to(project)) if path.is_relative_to(project) else str(path)


def package_file(package: str, inside: str) -> Path:
    """Return a file of an installed package, without importing the package.

    Raises
    ------
    FileNotFoundError
        If the package is not installed or has no such file.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"the package {package} is not installed")
    path = Path(spec.origin).parent / inside
    if not path.is_file():
        raise FileNotFoundError(f"the package {package} has no file {inside}")
    return path
