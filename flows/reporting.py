"""A finished run's page, written again from its folder alone."""

from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from assay.errors import StudyError
from assay.report.folder import open_run
from assay.report.page import render
from assay.report.rerun_receipts import receipts_of
from assay.report.say import language_of
from assay.reproduce.rerun import find_run
from assay.store.store import Store
from flows.signing import signature_of


def report_again(
    store: Store,
    run: str,
    language: str,
    output: Path | None,
    *,
    receipts: bool = False,
    signers: Path | None = None,
) -> Path:
    """Write a run's report in a language and say where; the run's folder is only read.

    Parameters
    ----------
    run
        A run's folder, or the name of a study, which stands for its newest finished run.
    output
        Default: a file named for the run in the current folder.
    receipts
        Whether receipts of reruns are shown, which no page of the run's own does.
    signers
        Who may sign them, as ssh-keygen has it.

    Raises
    ------
    StudyError
        If there is no such run, language or file of signers.
    CorruptObject
        If a file of the run is not what its manifest names.
    """
    said = language_of(language)
    if signers is not None and not signers.is_file():
        raise StudyError(f"--signers {signers}: there is no such file.")
    opened = open_run(find_run(store, run))
    place = store.folder / "receipts" / opened.folder.resolve().name
    signed = partial(signature_of, signers=signers)
    shown = receipts_of(opened, place, signed) if receipts else None
    facts = opened.registration, opened.verdict, opened.account, opened.lock
    page = render(*facts, said, shown).encode()
    ending = "html" if said == "en" else f"{said}.html"
    path = output or Path(f"{opened.folder.resolve().name}.{ending}")
    path.write_bytes(page)
    name = f"report.{ending}"
    own = opened.folder / name
    same = own.is_file() and own.read_bytes() == page
    note = f", the same bytes as the run's own {name}" if same else ""
    note += f", {len(shown)} receipts" if shown is not None else ""
    Console(highlight=False, soft_wrap=True).print(
        f"{escape(str(path))} ({len(page) / 1000:.0f} kB{note})"
    )
    return path
