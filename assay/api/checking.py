"""A check from Python: in a process of its own, for training pins threads and hides GPUs."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay import errors
from assay.api.progress import shown
from assay.api.run import Run
from assay.api.tables import keep_frame
from assay.errors import AssayError, ProcessLost, StudyError
from assay.request import Runner, as_runner
from assay.store.places import PACKAGE, project_folder
from assay.store.runs import store_of
from assay.study.toml import toml
from assay.wording import Sentence, spoken

if TYPE_CHECKING:
    import pandas as pd

_GRACE_S = 10.0  # until a check that was interrupted has ended by itself


@dataclass(frozen=True)
class Draft:
    """A study and its expectation suite, written for a table: to be read, edited, and checked."""

    study: Path
    suite: Path
    data: Path | None

    def check(self, **options: Any) -> Run:
        """Check the study as it stands; see :func:`check`."""
        return check(self.study, data=self.data, **options)

    def __repr__(self) -> str:
        return self.study.read_text(encoding="utf-8")


def check(
    table: "pd.DataFrame | str | Path",
    *,
    target: str | None = None,
    unit: str | None = None,
    order: str | None = None,
    changes: Mapping[str, Any] | None = None,
    data: str | Path | None = None,
    artifacts: str | Path | None = None,
    runner: Runner = "auto",
    fresh: bool = False,
    progress: bool = True,
) -> Run:
    """Check a table or a study, and return the finished run.

    It runs in a process of its own, so that it neither disturbs nor is disturbed by what this one has
    loaded. If it is interrupted, finished work is kept: the same call continues from there.

    Parameters
    ----------
    table
        A DataFrame, the path of a table, or the path of a study (``.toml``).
    target, unit, order
        Of a table: the column to predict; the column whose equal values stay in one fold; the column
        that orders rows in time.
    changes
        Values of the study to change, for instance ``{"plan.a.tune.trials": 4}``.
    data
        A file to read instead of the study's source, or the folder it lies in.
    artifacts
        Where runs and stored results go; by default ``artifacts`` of the project.
    runner
        ``auto``, ``local``, ``processes``, ``dask`` or ``dask=ADDRESS``; the verdict is the same.
    fresh
        Whether everything is computed again, whatever is stored.
    progress
        Whether to show how far it is.

    Raises
    ------
    StudyError
        If the study or the arguments are wrong.
    DataRefused
        If the data cannot be trusted with the question; the sentence says why and what to do.
    """
    place = (
        Path(artifacts) if artifacts is not None else project_folder() / "artifacts"
    ).resolve()
    path = _path_of(table, place)
    is_study = path.suffix.lower() == ".toml"
    if is_study == (target is not None):
        key = "api.target_of_a_study" if is_study else "api.target_missing"
        raise StudyError(key, path=str(path))
    if changes is not None and not isinstance(changes, Mapping):
        raise StudyError("api.changes", kind=type(changes).__name__)
    request = {
        "table": str(path),
        "target": None if target is None else str(target),
        "unit": None if unit is None else str(unit),
        "order": None if order is None else str(order),
        "overrides": [f"{key}={toml(value)}" for key, value in (changes or {}).items()],
        "data": str(Path(data).resolve()) if data is not None else None,
        "artifacts": str(place),
        "runner": as_runner(runner),
        "fresh": fresh,
        "language": spoken(),
    }
    return Run(Path(_answered(request, progress)))


def draft(
    table: "pd.DataFrame | str | Path",
    *,
    target: str,
    unit: str | None = None,
    order: str | None = None,
    artifacts: str | Path | None = None,
) -> Draft:
    """Draft a study and an expectation suite for a table, in ``drafts/`` of the artifacts.

    Raises
    ------
    StudyError
        If a column that is named does not exist, or cannot be what it is named for.
    DataRefused
        If the table cannot be read, or nothing can be predicted in it.
    """
    from assay.draft import draft_source
    from assay.draft.files import find_table, keep_draft

    store = store_of(Path(artifacts) if artifacts is not None else None)
    located = find_table(_path_of(table, store.folder))
    drafted = keep_draft(
        draft_source(located.source, target, unit, order), located, store
    )
    return Draft(drafted.study, drafted.suite, drafted.data)


def _path_of(table: "pd.DataFrame | str | Path", artifacts: Path) -> Path:
    if isinstance(table, str | Path):
        return Path(table)
    if not hasattr(table, "reset_index") or not hasattr(table, "columns"):
        raise StudyError("api.no_table", kind=type(table).__name__)
    return keep_frame(table, store_of(artifacts))


# The process that checks -----------------------------------------------------------------------


def _answered(request: Mapping[str, Any], progress: bool) -> str:
    """Have a process carry a request out, show its events, and return the run's folder.

    Raises
    ------
    AssayError
        Of the class and in the words in which the process ended.
    """
    command = [sys.executable, "-P", "-m", "assay.api.worker"]
    with (
        shown(enabled=progress) as show,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path.cwd(),
            env=_environment(),
            text=True,
            encoding="utf-8",
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                message = json.loads(line)
                if "folder" in message:
                    return str(message["folder"])
                if "error" in message:
                    raise _error(message)
                show(message)
        except KeyboardInterrupt:
            _end(process)
            raise
    raise ProcessLost("api.process_lost", code=process.returncode)


def _environment() -> dict[str, str]:
    """Return this process's environment, with what training pins left to the process that trains."""
    pinned = ("CUDA_VISIBLE_DEVICES", "TF_ENABLE_ONEDNN_OPTS", "KERAS_BACKEND")
    kept = {name: value for name, value in os.environ.items() if name not in pinned}
    paths = [str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return kept | {"PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}


def _end(process: "subprocess.Popen[str]") -> None:
    """Close the process's input, at which it ends; end it if it does not."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _error(message: Mapping[str, Any]) -> AssayError:
    kind = getattr(errors, message["error"], AssayError)
    sentence = Sentence(message["key"], _values(message["values"]))
    error: AssayError = kind(sentence.key, **sentence.values)
    return error


def _values(values: Mapping[str, Any]) -> dict[str, Any]:
    def value(item: Any) -> Any:
        if isinstance(item, dict):
            return Sentence(item["key"], _values(item["values"]))
        return tuple(map(value, item)) if isinstance(item, list) else item

    return {name: value(item) for name, item in values.items()}
