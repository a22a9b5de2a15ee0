"""What a check is asked for, by whichever face, and its answer. Light: a finished run needs nothing that computes."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from assay.errors import StudyError, Unreachable
from assay.store import runs
from assay.store.places import shared_store
from assay.store.remote import as_address
from assay.store.runs import store_of
from assay.store.store import Store
from assay.store.verdict import Verdict
from assay.study.load import load
from assay.study.plans import Study
from assay.study.registration import register
from assay.study.sources import identify

# auto, local, processes, dask, or dask=ADDRESS of a scheduler
Runner = Annotated[str, Field(pattern=r"^(auto|local|processes|dask(=\S+)?)$")]


@dataclass(frozen=True)
class Request:
    """A study, and how it is to be checked.

    Parameters
    ----------
    overrides
        Changes to the study as KEY=VALUE, for instance ``plan.a.tune.trials=4``.
    data
        A file to read instead of the study's sources, or the folder they lie in.
    artifacts
        Where runs and stored results go; None: the project's own.
    shared
        The address where other machines find results, as s3://BUCKET/PREFIX or file:///FOLDER.
    runner
        Where outer folds are computed; the verdict is the same.
    fresh
        Whether everything is computed again, whatever is stored.
    multiverse
        Whether the verdict is asked again under every declared alternative of cleaning.
    audit
        Share of the stored stages, from 0 to 1, that are computed again and compared.
    """

    study: Path
    overrides: tuple[str, ...] = ()
    data: Path | None = None
    artifacts: Path | None = None
    shared: str | None = None
    runner: Runner = "auto"
    fresh: bool = False
    multiverse: bool = False
    audit: float = 0.0

    def store(self) -> Store:
        """Open the store of the request; it is not asked anything yet."""
        return store_of(
            self.artifacts,
            fresh=self.fresh,
            audit=self.audit,
            shared=self.shared or shared_store(),
        )


def as_runner(text: str) -> Runner:
    """Return what the command line says as the runner it names.

    Raises
    ------
    StudyError
        If it names none.
    """
    try:
        return TypeAdapter(Runner).validate_python(text)
    except ValidationError:
        raise StudyError("stages.unknown_runner", runner=text) from None


def as_shared(text: str | None) -> str | None:
    """Return what the command line or ``ASSAY_STORE`` says as the address of a shared store, if there is one.

    Raises
    ------
    StudyError
        If it is not an address.
    """
    address = text or shared_store()
    return as_address(address) if address else None


@dataclass(frozen=True)
class Answer:
    """The verdict on a request, and where its run lies."""

    verdict: Verdict
    folder: Path
    stored: bool
    study: Study


def answer(
    request: Request,
    carry_out: Callable[[Request], Verdict],
    waiting: Callable[[str], None],
) -> Answer:
    """Answer a request from its finished run if there is one, or carry it out.

    Parameters
    ----------
    carry_out
        Takes a request to its verdict.
    waiting
        Hears the study's name if another check of it is running.

    Raises
    ------
    AssayError
        See :func:`assay.pipeline.check`.
    """
    store = request.store()
    study = load(request.study, request.overrides, request.data)
    store.files.sweep()
    register(store, study)
    identity = identify(
        study, request.study, request.data, multiverse=request.multiverse
    )
    folder = runs.run_folder(store, identity.name)
    with store.lock(f"run-{study.name}", waiting=lambda: waiting(study.name)):
        is_new = request.fresh or request.audit > 0
        verdict = None if is_new else runs.finished(store, identity.name)
        if verdict is not None:
            return Answer(verdict, folder, stored=True, study=study)
        from assay.data.foresee import foresee

        foresee(study, identity.sources)
        store.reach()
        # What libraries write and throw away goes when a killed check is swept.
        os.environ["TMPDIR"] = str(store.files.scratch())
        try:
            verdict = carry_out(request)
        except Unreachable:  # a server that is lost after the run was published
            verdict = None if is_new else runs.finished(store, identity.name)
            if verdict is None:
                raise
    return Answer(verdict, folder, stored=False, study=study)
