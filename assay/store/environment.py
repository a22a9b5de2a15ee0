"""The only module that looks outside: where things lie, what runs them, which code and lock."""

import ast
import importlib
import importlib.metadata
import importlib.util
import logging
import os
import platform
import re
import resource
import sys
from functools import lru_cache
from pathlib import Path

from assay.store.canonical import digest_bytes, digest_file, digest_json
from assay.store.verdict import Circumstances

PACKAGE = Path(__file__).resolve().parents[1]  # this program; never written to
_IN_A_CLONE = (PACKAGE.parent / "flows" / "main.py").is_file()

# The setting in which equal seeds gave equal bits: oneDNN kernels pinned, no GPU.
_PINNED = {
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "CUDA_VISIBLE_DEVICES": "-1",
    "KERAS_BACKEND": "tensorflow",
}
_FOREIGN = (
    "TF_XLA_FLAGS",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
)  # change bits
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "GX_ANALYTICS_ENABLED": "false"}


def project_folder() -> Path:
    """Return where a person works: ``ASSAY_HOME``, or the clone this program runs from, or the current folder."""
    home = os.environ.get("ASSAY_HOME")
    if home:
        return Path(home).resolve()
    return PACKAGE.parent if _IN_A_CLONE else Path.cwd()


def shipped(name: str) -> Path:
    """Return a file that comes with this program: in the wheel's own folder, or where a clone has it.

    Parameters
    ----------
    name
        As a clone has it, for instance ``hypotheses/digits.toml``.
    """
    return PACKAGE.parent / name if _IN_A_CLONE else PACKAGE / "shipped" / name


def data_folder() -> Path:
    """Return where source files are looked up: ``ASSAY_DATA``, or ``data/raw`` of the project."""
    return Path(os.environ.get("ASSAY_DATA") or project_folder() / "data" / "raw")


def artifacts_folder() -> Path:
    """Return where runs and stored results go: ``ASSAY_ARTIFACTS``, or ``artifacts``."""
    return Path(os.environ.get("ASSAY_ARTIFACTS") or project_folder() / "artifacts")


def shared_store() -> str | None:
    """Return the address of the store that machines share, if ``ASSAY_STORE`` names one."""
    return os.environ.get("ASSAY_STORE") or None


def shown(path: Path) -> str:
    """Return a path as a sentence names it: within the project without what leads there."""
    project = project_folder()
    return str(path.relative_to(project)) if path.is_relative_to(project) else str(path)


def package_file(package: str, inside: str) -> Path:
    """Return a file that an installed package brings, without importing the package.

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


def pin() -> None:
    """Fix the settings on which equal bits depend, and import TensorFlow under them.

    What its libraries write to stderr while they load, before any log level counts, goes nowhere.

    Raises
    ------
    RuntimeError
        If TensorFlow was imported first, with other settings: it reads them only once.
    """
    if "tensorflow" in sys.modules:
        if any(os.environ.get(name) != value for name, value in _PINNED.items()):
            raise RuntimeError(f"TensorFlow was imported before {_PINNED} were set")
        return
    os.environ.update(_PINNED)
    for name in _FOREIGN:
        os.environ.pop(name, None)
    if limit := os.environ.get("ASSAY_CPU"):  # to see what another processor changes
        os.environ["ONEDNN_MAX_CPU_ISA"] = limit
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        importlib.import_module("tensorflow")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def cores_allowed() -> int:
    """Return how many cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_allowed() -> int:
    """Return how many bytes this process may use: the machine's memory, or less where it is limited."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *_group_limits()])


def _group_limits(
    own: Path = Path("/proc/self/cgroup"), groups: Path = Path("/sys/fs/cgroup")
) -> list[int]:
    """Return the memory limits of the control groups above this process (Linux, versions 1 and 2).

    In a container the group's own path may not be there; its limit then stands at the top.
    """
    if not own.is_file():
        return []
    files: list[Path] = []
    for line in own.read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            name = "memory.limit_in_bytes" if controllers else "memory.max"
            group = groups / controllers / path.lstrip("/")
            files += [folder / name for folder in (group, *group.parents)]
    said = [file.read_text(encoding="utf-8") for file in files if file.is_file()]
    return [int(limit) for limit in said if limit.strip().isdigit()]


@lru_cache
def lock_digest() -> str:
    """Return a digest of the lock file, the Python version, and what is really installed.

    Only packages that the lock names count, so that a test runner beside them changes nothing;
    their installed versions count, so that an upgrade past the lock does.
    """
    content = shipped("requirements.txt").read_bytes()
    names = sorted(
        set(
            re.findall(
                r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==",
                content.decode(),
                flags=re.MULTILINE,
            )
        )
    )
    installed = {name: _installed_version(name) for name in names}
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return digest_json(
        {"lock": digest_bytes(content), "python": python, "installed": installed}
    )


def _installed_version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


@lru_cache
def code_digest(*modules: str) -> str:
    """Return a digest of the source of ``modules`` and of every ``assay`` module they reach.

    Imports are read from the text, those inside functions too, so that the digest covers what a
    stage can call whether or not it has been called yet. A template or table beside a module, and a table in
    ``data``, counts with the module it is named for.
    """
    reached: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            waiting.extend(_imports(_source_file(module)))
    sources = [_source_file(module) for module in reached]
    read = [file for source in sources for file in _read_by(source)]
    return digest_json(
        {_name_of(file): digest_file(file) for file in [*sources, *read]}
    )


@lru_cache
def program_digest() -> str:
    """Return a digest of everything that can decide a verdict: the package, what it reads, not who asks."""
    files = [
        file
        for file in PACKAGE.rglob("*")
        if file.suffix in {".py", ".jinja", ".toml"}
        and not _name_of(file).startswith(_FACES)
    ]
    files.append(shipped("data/catalogue.toml"))
    return digest_json({_name_of(file): digest_file(file) for file in sorted(files)})


_FACES = ("assay/cli/", "assay/api", "assay/shipped/")


def _name_of(file: Path) -> str:
    """Return what a file of this program is called in a digest: the same in a clone and in a wheel."""
    shipped_here = PACKAGE / "shipped"
    base = shipped_here if file.is_relative_to(shipped_here) else PACKAGE.parent
    return file.relative_to(base).as_posix()


def _read_by(source: Path) -> list[Path]:
    """Return the files that a module reads when it runs: templates and tables named for it, one in ``data``."""
    beside = sorted(
        file
        for ending in ("jinja", "toml")
        for file in source.parent.glob(f"{source.stem}.*{ending}")
    )
    if source.stem == "say":  # what is told as it is shown decides nothing before
        beside += sorted((PACKAGE / "wording").glob("*/*.toml"))
    table = shipped(f"data/{source.stem}.toml")
    return [*beside, table] if table.is_file() else beside


def _source_file(module: str) -> Path:
    path = PACKAGE.parent.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@lru_cache
def _imports(path: Path) -> tuple[str, ...]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return tuple(
        sorted(
            name
            for name in found
            if name.startswith("assay.") and _source_file(name).is_file()
        )
    )


def circumstances(seconds: float) -> Circumstances:
    """Return what may differ between two equal runs: time, machine, versions, threads."""
    packages = (
        "prefect",
        "tensorflow-cpu",
        "tensorflow",
        "keras",
        "keras-tuner",
        "scikit-learn",
    )
    versions = {
        name: _installed_version(name)
        for name in (*packages, "pandas", "numpy", "great-expectations")
    }
    peak_kib = max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return Circumstances(
        seconds=seconds,
        cpu_seconds=sum(os.times()[:4]),
        peak_memory_mb=peak_kib / (1024**2 if sys.platform == "darwin" else 1024),
        host=platform.node(),
        machine=platform.machine(),
        system=platform.platform(),
        python=platform.python_version(),
        cpu_flags=_cpu_flags(),
        cores=os.cpu_count() or 1,
        versions={name: version for name, version in versions.items() if version},
        settings={name: os.environ.get(name, "") for name in _PINNED}
        | {"training_threads": "1", "cpu": os.environ.get("ASSAY_CPU", "")},
    )


def _cpu_flags() -> tuple[str, ...]:
    """Return the instruction-set extensions that decide which kernels run (Linux only)."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ()
    line = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", text, flags=re.MULTILINE)
    wanted = r"(avx|fma|sse4|amx|asimd|sve)"
    return (
        tuple(sorted(flag for flag in line[1].split() if re.match(wanted, flag)))
        if line
        else ()
    )
