"""Run a finished run again beside itself, compare, and write a receipt."""

import getpass
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast, get_args

from assay.errors import AssayError, StudyError
from assay.reproduce.lock import Pin, need_our_own, pins_of, requirements
from assay.reproduce.receipt import Environment, Receipt
from assay.reproduce.rerun import (
    FinishedRun,
    find_run,
    lay_out,
    need_same_inputs,
    open_run,
    receipt,
)
from assay.store.places import (
    IN_A_CLONE,
    PACKAGE,
    data_folder,
    project_folder,
    shipped,
)
from assay.store.runs import store_of
from assay.store.store import Store
from assay.study.load import load
from assay.study.sources import identify

Check = Callable[[list[str]], None]  # the words after the program
_CPUS = {  # instruction sets left in place, by the settings of oneDNN, OpenBLAS and NumPy
    "avx2": ("AVX2", "Haswell", "AVX512F AVX512_SKX AVX512_ICL AVX512_SPR"),
    "avx512": ("AVX512_CORE", "SkylakeX", ""),
}

# Set outside, they decide which kernels multiply matrices, and so bits: inside they are set alike.
_KERNELS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "NPY_DISABLE_CPU_FEATURES")


def reproduced(
    store: Store,
    name: str,
    data: Path | None = None,
    environment: str = "here",
    cpu: str | None = None,
) -> tuple[Receipt, Path]:
    """Check a finished run again, stored results aside, and return the receipt and the file it lies in.

    The rerun goes to ``reproductions/`` of the artifacts; where every digest is equal it is removed,
    else it stays to be looked at.

    Parameters
    ----------
    data
        A file to read instead of the run's sources, or the folder they lie in; None: it is looked for.

    Raises
    ------
    StudyError
        If there is no such run, environment or limit of the processor.
    NotReproducible
        If study, data or code are not those of the run; then nothing is run.
    """
    where = as_environment(environment)
    run = open_run(find_run(store, name))
    pins = pins_of(run.folder / "requirements.txt") if where == "venv" else ()
    data = data or _data_of(run, store)
    place = store.folder.resolve() / "reproductions" / run.folder.resolve().name
    with store.lock(f"reproduce-{place.name}"):
        shutil.rmtree(place, ignore_errors=True)
        study, overrides = lay_out(run, place)
        declared = load(study, overrides, data)
        now_is = identify(
            declared, study, data, multiverse=run.verdict.multiverse is not None
        )
        need_same_inputs(run, now_is, store_of(place / "artifacts"))
        check = checker(where, cpu, pins, place, data)
        check(_words(run, study, overrides, data, place / "artifacts"))
        (again,) = (place / "artifacts" / "runs").iterdir()
        now = datetime.now(UTC)
        when, who = now.isoformat(timespec="seconds"), _user()
        compared = receipt(run, open_run(again), where, who, when)
        path = _kept(store, compared, now)
        if compared.difference is None:
            shutil.rmtree(place)
    return compared, path


def _user() -> str:
    """Return who runs it; the system need not know a user by name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _data_of(run: FinishedRun, store: Store) -> Path | None:
    """Return the folder that has the run's sources, where the usual data folder has not.

    Looked in are the current folder and the tables that checks from Python have kept; whether the
    files are those that the run read is asked before anything is run.
    """
    study = run.registration.study
    names = {study.of(plan).source for plan in study.plans()}
    files = {name for name in names if not name.startswith("builtin:")}
    for folder in (data_folder(), Path.cwd(), store.folder / "tables"):
        if all((folder / name).is_file() for name in files):
            return None if folder == data_folder() else folder
    return None


def as_environment(word: str) -> Environment:
    """Return a word of the command line as the environment it names.

    Raises
    ------
    StudyError
        If it names none.
    """
    if word not in get_args(Environment):
        raise StudyError(
            "reproduce.unknown_environment", name=word, names=get_args(Environment)
        )
    return cast("Environment", word)


def _words(
    run: FinishedRun,
    study: Path,
    overrides: tuple[str, ...],
    data: Path | None,
    artifacts: Path,
) -> list[str]:
    words = ["check", str(study), "--fresh", "--artifacts", str(artifacts)]
    words += [f"--set={override}" for override in overrides]
    words += ["--data", str(data.resolve())] if data else []
    return words + ["--multiverse"] * (run.verdict.multiverse is not None)


def _kept(store: Store, compared: Receipt, now: datetime) -> Path:
    name = f"{now:%Y%m%dT%H%M%S}-{compared.tier or 'differs'}.json"
    path = store.folder / "receipts" / compared.run / name
    store.files.write(path, compared.model_dump_json(indent=2).encode() + b"\n")
    return path


# Where it is run again ---------------------------------------------------------------------------


def checker(
    environment: Environment,
    cpu: str | None,
    pins: Sequence[Pin],
    place: Path,
    data: Path | None,
) -> Check:
    """Return what runs a check elsewhere: in another process, a fresh environment, a container.

    Nothing is imported from the current folder, which may be the run's own or that of its table.
    """
    settings = _limited(cpu)
    if environment == "container":
        return partial(_in_container, place, data, settings)
    python, program_folder = Path(sys.executable), PACKAGE.parent
    if environment != "here":
        python = _fresh(place / "environment", pins, newest=environment == "newest")
        program_folder = _program_alone(place / "program")
        settings |= {"PYTHONNOUSERSITE": "1"}
    program = [str(python), "-P", "-m", "assay"]
    alone = settings | {
        "ASSAY_HOME": str(project_folder().resolve()),
        "ASSAY_DATA": str(data_folder().resolve()),
        # Another processor may find other bits under the same names: they are for nobody else to take.
        "ASSAY_STORE": "",
        "PYTHONPATH": str(program_folder),
        "PYTHONSAFEPATH": "1",
    }
    return lambda words: _called([*program, *words], alone, place)


def _program_alone(folder: Path) -> Path:
    """Return a folder with this program and no other package, which an installed one does not lie in."""
    if IN_A_CLONE:
        return PACKAGE.parent
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, folder / PACKAGE.name, ignore=skipped)
    return folder


def _limited(cpu: str | None) -> dict[str, str]:
    if cpu is None:
        return {}
    if cpu not in _CPUS:
        raise StudyError("reproduce.unknown_cpu", name=cpu, names=tuple(_CPUS))
    onednn, openblas, numpy = _CPUS[cpu]
    return {
        "ASSAY_CPU": onednn,
        "OPENBLAS_CORETYPE": openblas,
        **({"NPY_DISABLE_CPU_FEATURES": numpy} if numpy else {}),
    }


def _fresh(folder: Path, pins: Sequence[Pin], *, newest: bool) -> Path:
    """Make a virtual environment of a run's lock, or of what the registry has newest, and return its Python."""
    need_our_own(pins)
    shutil.rmtree(folder, ignore_errors=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    with TemporaryDirectory(prefix="assay-lock-") as name:
        alone = Path(name)  # pip finds nothing here but what it is to install
        asked = ["-r", str(shipped("requirements.in"))]
        if not newest:
            lock = alone / "requirements.txt"
            lock.write_text(requirements(pins), encoding="ascii")
            asked = ["--require-hashes", "--only-binary=:all:", "--no-deps"]
            asked += ["-r", str(lock)]
        _called([sys.executable, "-I", "-m", "venv", str(folder)], {}, alone)
        pip = [str(python), "-I", "-m", "pip", "--isolated", "install", "--quiet"]
        _called([*pip, *_index(), *asked], {}, alone)
    return python


def _index() -> list[str]:
    """Return the options for the registry that the environment names: pip, isolated, looks at none of it."""
    options = ("index-url", "cert", "proxy")
    named = {f"--{name}": f"PIP_{name.replace('-', '_').upper()}" for name in options}
    return [
        f"{option}={os.environ[variable]}"
        for option, variable in named.items()
        if os.environ.get(variable)
    ]


def _in_container(
    place: Path, data: Path | None, settings: dict[str, str], words: list[str]
) -> None:
    """Check inside the image, with no network, the rerun's folder and the data at their own paths."""
    engine = _engine()
    image = os.environ.get("ASSAY_IMAGE") or "localhost/assay"
    if not _answers(engine, "image", "inspect", image):
        raise StudyError("reproduce.no_image", engine=engine, image=image)
    source = (data or data_folder()).resolve()
    mounts = {place.resolve(): "rw"} | ({source: "ro"} if source.exists() else {})
    variables = {name: os.environ[name] for name in _KERNELS if name in os.environ}
    variables |= settings | {"ASSAY_DATA": str(data_folder().resolve())}
    command = [engine, "run", "--rm", "--network", "none", "--read-only"]
    command += ["--cap-drop", "all"]
    if hasattr(os, "getuid"):  # not on Windows
        command += ["--user", f"{os.getuid()}:{os.getgid()}"]
    command += ["--tmpfs", "/app/artifacts:mode=1777"]
    command += [
        word for at, how in mounts.items() for word in ("-v", f"{at}:{at}:{how}")
    ]
    command += [word for pair in variables.items() for word in ("-e", "=".join(pair))]
    _called([*command, image, *words], {}, place)


def _engine() -> str:
    """Return the container engine that answers: a client without its engine is installed often enough.

    Raises
    ------
    StudyError
        If there is none.
    """
    for engine in ("docker", "podman"):
        if shutil.which(engine) and _answers(engine, "info"):
            return engine
    raise StudyError("reproduce.no_engine")


def _answers(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def _called(command: list[str], settings: dict[str, str], place: Path) -> None:
    """Run a program to its end in a folder.

    Raises
    ------
    AssayError
        If it fails; its own messages stand above.
    """
    done = subprocess.run(
        command,
        check=False,
        cwd=place,
        env=os.environ | settings,
        stdout=subprocess.DEVNULL,
    )
    if done.returncode == 130:
        raise KeyboardInterrupt
    if done.returncode:
        raise AssayError("reproduce.rerun_failed", code=done.returncode)
