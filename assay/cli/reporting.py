"""A finished run's page, written again from its folder alone."""

from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from assay.cli.entry import write_page
from assay.errors import StudyError
from assay.judge.sentences import size
from assay.report.folder import open_run
from assay.report.page import page_again
from assay.report.rerun_receipts import receipts_of
from assay.reproduce.rerun import find_run
from assay.reproduce.signatures import signature_of
from assay.store.store import Store
from assay.wording import Language, Sentence


def report_again(
    store: Store,
    run: str,
    language: Language,
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
        If there is no such run or file of signers.
    CorruptObject
        If a file of the run is not what its manifest names.
    """
    if signers is not None and not signers.is_file():
        raise StudyError("cli.no_signers_file", path=str(signers))
    opened = open_run(find_run(store, run))
    place = store.folder / "receipts" / opened.folder.resolve().name
    signed = partial(signature_of, signers=signers)
    shown = receipts_of(opened, place, signed) if receipts else None
    page = page_again(opened, language, shown).encode()
    ending = "html" if language == "en" else f"{language}.html"
    path = output or Path(f"{opened.folder.resolve().name}.{ending}")
    write_page(path, page, "-o")
    name = f"report.{ending}"
    own = opened.folder / name
    same = own.is_file() and own.read_bytes() == page
    notes = [Sentence.plain(size(len(page)))]
    notes += [Sentence.of("cli.same_page", name=name)] if same else []
    if shown is not None:
        notes.append(Sentence.of("cli.n_receipts", n=len(shown)))
    Console(highlight=False, soft_wrap=True).print(
        f"{escape(str(path))} ({', '.join(map(str, notes))})"
    )
    return path
