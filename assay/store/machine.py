"""The machine: pinned settings, cores, memory, versions, and what else may differ between equal runs."""

import importlib
import importlib.metadata
import logging
import os
import platform
import re
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from assay.errors import AssayError
from assay.store.verdict import Circumstances

# The settings under which equal seeds gave equal bits: oneDNN kernels pinned, no GPU.
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
_SHOWN_VERSIONS = (
    "prefect",
    "tensorflow-cpu",
    "tensorflow",
    "keras",
    "keras-tuner",
    "scikit-learn",
    "pandas",
    "numpy",
    "great-expectations",
)


def pin() -> None:
    """Fix the settings on which equal bits depend, and import TensorFlow under them.

    What its libraries write to stderr while they load, before any log level counts, goes nowhere.

    Raises
    ------
    AssayError
        If TensorFlow was imported first, with other settings: it reads them only once.
    """
    if "tensorflow" in sys.modules:
        if any(os.environ.get(name) != value for name, value in _PINNED.items()):
            raise AssayError("store.imported_first")
        return
    os.environ.update(_PINNED)
    for name in _FOREIGN:
        os.environ.pop(name, None)
    if limit := os.environ.get("ASSAY_CPU"):  # to see what another processor changes
        os.environ["ONEDNN_MAX_CPU_ISA"] = limit
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    sys.stderr.flush()
    stderr = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        tensorflow = importlib.import_module("tensorflow")
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    # Before any operation runs, whichever module runs the first one; equal bits need one thread.
    tensorflow.config.threading.set_intra_op_parallelism_threads(1)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)


def cores_allowed() -> int:
    """Return how many cores this process may use; macOS tells only how many there are."""
    process = psutil.Process()
    if hasattr(process, "cpu_affinity"):
        return len(process.cpu_affinity())
    return os.cpu_count() or 1


def memory_allowed() -> int:
    """Return how many bytes this process may use: the machine's memory, or less where it is limited."""
    physical = int(psutil.virtual_memory().total)
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
    limits = [file.read_text(encoding="utf-8") for file in files if file.is_file()]
    return [int(limit) for limit in limits if limit.strip().isdigit()]


def installed_version(package: str) -> str | None:
    """Return the version of an installed package, None if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def circumstances(seconds: float) -> Circumstances:
    """Return what may differ between two equal runs: time, machine, versions, threads."""
    versions = {name: installed_version(name) for name in _SHOWN_VERSIONS}
    return Circumstances(
        seconds=seconds,
        cpu_seconds=sum(os.times()[:4]),
        peak_memory_mb=_peak_memory_mb(),
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


def _peak_memory_mb() -> float:
    """Return the largest memory of this process or, except on Windows, of an ended child process."""
    try:
        import resource
    except ImportError:  # Windows
        memory = psutil.Process().memory_info()
        return float(getattr(memory, "peak_wset", memory.rss) / 1024**2)
    peak = max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return peak / (1024**2 if sys.platform == "darwin" else 1024)  # bytes, or KiB


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
