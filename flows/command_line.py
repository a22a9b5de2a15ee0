"""The command line. What is loaded here must stay light: an unchanged study is answered from its run."""

import errno
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from assay import runs
from assay.environment import cores_allowed, data_folder
from assay.errors import AssayError, NotReproducible, StudyError, Unreachable
from assay.store import Store
from assay.study import identify, load, register, store_of
from assay.verdict import Verdict
from flows.runner import as_runner
from flows.terminal import Watcher, tell, tell_plan

BUILT_IN = Path("hypotheses/digits.toml")

_QUIET = {
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",  # each event that a stopped server does not take
}
_NEXT_STEP = {  # what a person can do about a system that refuses
    errno.ENOSPC: "make room and run again",
    errno.EDQUOT: "make room and run again",
    errno.EFBIG: "allow larger files and run again",
    errno.EROFS: "choose another folder with --artifacts",
    errno.EACCES: "allow it, or choose another folder with --artifacts",
    errno.EPERM: "allow it, or choose another folder with --artifacts",
    errno.EIO: "see to the disk and run again",
    errno.ESTALE: "see to the disk and run again",
    errno.EMFILE: "allow more open files and run again",
    errno.ENFILE: "allow more open files and run again",
    errno.ENOMEM: "run again where there is more memory",
}

app = typer.Typer(
    help="Check a hypothesis on a dataset: signal above chance, the claim, and whether deep learning earns its cost.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

StudyFile = Annotated[
    Path,
    typer.Argument(
        metavar="STUDY", help="A study file, such as hypotheses/digits.toml."
    ),
]
StudyOrTable = Annotated[
    Path,
    typer.Argument(
        metavar="STUDY|TABLE",
        help="A study file, which ends in .toml, or a table of your own, with --target.",
    ),
]
Target = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Of a table: the column to predict."),
]
Unit = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="Of a table: the column that says which rows belong together.",
    ),
]
Order = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN", help="Of a table: the column that puts rows in order of time."
    ),
]
Read = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE",
        help="Of a table: how it is read, such as sheet=Orders or encoding=cp949; repeatable.",
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Change a value of the study; repeatable."
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        help="A file to read instead of the study's sources, or the folder they lie in."
    ),
]
Artifacts = Annotated[
    Path | None, typer.Option(help="Where runs and stored results go.")
]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Compute everything again, whatever is stored.")
]
Json = Annotated[
    bool, typer.Option("--json", help="Print the verdict record as the last line.")
]


@app.callback(invoke_without_command=True)
def start(context: typer.Context) -> None:
    """Check the built-in study when no command is given."""
    if context.invoked_subcommand is None:
        check(BUILT_IN)


@app.command()
def check(
    study: StudyOrTable,
    target: Target = None,
    unit: Unit = None,
    order: Order = None,
    read: Read = None,
    set_: Set = None,
    data: Data = None,
    artifacts: Artifacts = None,
    runner: Annotated[
        str,
        typer.Option(
            metavar="auto|local|processes",
            help="Where outer folds are computed: in one process, in one for each core, or as it pays.",
        ),
    ] = "auto",
    fresh: Fresh = False,
    multiverse: Annotated[
        bool,
        typer.Option(
            "--multiverse",
            help="Ask again under each alternative of cleaning that the study declares.",
        ),
    ] = False,
    audit_cache: Annotated[
        bool,
        typer.Option(
            "--audit-cache", help="Compute every stored stage again, and compare."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Check a study and say what came of it.

    Of a table a study is drafted first and kept below drafts/ of the artifacts.
    """
    with _errors_in_words():
        begun, where = time.perf_counter(), as_runner(runner)
        store = store_of(artifacts)
        if not _is_study(study, target, unit, order, read):
            from flows.drafting import Wanted, drafted_for_check

            wanted = Wanted(str(target), unit, order, tuple(read or ()))
            study, data = drafted_for_check(store, study, data, wanted)
        declared = load(study, tuple(set_ or ()), data)
        store.sweep()
        register(store, declared)
        name = identify(declared, study, data, multiverse=multiverse).name
        with store.lock(
            f"run-{declared.name}",
            waiting=lambda: _say(
                f"Another check of {declared.name} is running; waiting for it."
            ),
        ):
            asked_anew = fresh or audit_cache
            verdict = None if asked_anew else runs.finished(store, name)
            stored = verdict is not None
            if verdict is None:
                # What libraries write and throw away goes when a killed check is swept.
                os.environ["TMPDIR"] = str(store.scratch())
                verdict = _run_even_if_the_server_goes(
                    store,
                    None if asked_anew else name,
                    study=str(study),
                    overrides=set_ or [],
                    data=str(data) if data else None,
                    artifacts=str(artifacts) if artifacts else None,
                    runner=where,
                    fresh=fresh,
                    multiverse=multiverse,
                    audit=float(audit_cache),
                )
        tell(
            verdict,
            runs.run_folder(store, name),
            time.perf_counter() - begun,
            stored=stored,
            terms=_terms(declared.of(verdict.plan).source),
        )
        if json:
            sys.stdout.write(verdict.model_dump_json() + "\n")


@app.command()
def draft(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE", help="A table of your own, such as orders.csv."
        ),
    ],
    target: Annotated[
        str, typer.Option(metavar="COLUMN", help="The column to predict.")
    ],
    unit: Unit = None,
    order: Order = None,
    read: Read = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="STUDY",
            help="Where the study goes, the suite beside it. Default: hypotheses/ and expectations/ of the project.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="The folder that a source is looked up in, if not ASSAY_DATA."
        ),
    ] = None,
) -> None:
    """Write a study and an expectation suite for a table of your own, ready to check and to edit."""
    with _errors_in_words():
        from flows.drafting import Wanted, drafted, tell_draft

        wanted = Wanted(target, unit, order, tuple(read or ()))
        tell_draft(*drafted(table, data, wanted, output))


@app.command()
def fetch(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATASET]", help="A data set of the catalogue. Default: list them."
        ),
    ] = None,
) -> None:
    """Put a catalogued data set in place, every file verified, or list what is there and what is missing."""
    with _errors_in_words():
        from flows.fetching import fetch as fetched
        from flows.fetching import tell_catalogue

        if name is None:
            tell_catalogue(data_folder())
        else:
            fetched(name, data_folder())


@app.command()
def calibrate(
    study: Annotated[
        Path | None,
        typer.Argument(
            metavar="[STUDY]",
            help="Use this study's own table, with labels that mean nothing, instead of simulated worlds.",
        ),
    ] = None,
    world: Annotated[
        list[str] | None,
        typer.Option(help="Only this world, or all whose names begin so; repeatable."),
    ] = None,
    repetitions: Annotated[
        int | None,
        typer.Option(min=2, help="Tables of each world. Default: the world's own."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Draws other tables.")] = 1,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Default: one for each core.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write the page here too, as Markdown.")
    ] = None,
    set_: Set = None,
    data: Data = None,
    artifacts: Artifacts = None,
    json: Json = False,
) -> None:
    """Measure how often the words of a check are right, by simulation.

    Tables are drawn whose truth is known, and each is taken to its verdict by the stages that check
    runs. What is finished is kept: the same command goes on from there.
    """
    with _errors_in_words():
        from flows.calibration import Wanted, calibrated, open_own
        from flows.tally import Tally, tell_rates

        store = store_of(artifacts)
        own = None
        if study is not None:
            declared = load(study, tuple(set_ or ()), data)
            own = open_own(store, declared, identify(declared, study, data))
        wanted = Wanted(tuple(world or ()), repetitions, seed, own)
        words = _asked(study, set_, world, repetitions, seed)
        with Tally() as tally:
            calibration, folder = calibrated(
                wanted,
                store,
                processes or cores_allowed(),
                " ".join(["python flows/main.py calibrate", *words]),
                tally.hear,
            )
        if output is not None:
            output.write_bytes((folder / "calibration.md").read_bytes())
        tell_rates(calibration, folder)
        if json:
            sys.stdout.write(calibration.model_dump_json() + "\n")


@app.command()
def reproduce(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A run's folder, its name, or a study, of which the newest run is taken.",
        ),
    ],
    environment: Annotated[
        str,
        typer.Option(
            metavar="here|venv|newest|container",
            help="Where it is run again: in another process, in a fresh environment of the run's lock or of newer "
            "versions, in the image.",
        ),
    ] = "here",
    cpu: Annotated[
        str | None,
        typer.Option(
            metavar="avx2|avx512",
            help="Leave the processor only so much of its instruction set, to see what another one changes.",
        ),
    ] = None,
    data: Data = None,
    artifacts: Artifacts = None,
    key: Annotated[
        Path | None,
        typer.Option("--sign", metavar="KEY", help="Sign the receipt with an SSH key."),
    ] = None,
    json: Json = False,
) -> None:
    """Run a finished run again, compare every digest, and write a receipt."""
    with _errors_in_words():
        from flows.reproducing import reproduced, sign, tell_receipt

        receipt, path = reproduced(store_of(artifacts), run, data, environment, cpu)
        tell_receipt(receipt, path, None if key is None else sign(path, key))
        if json:
            sys.stdout.write(receipt.model_dump_json() + "\n")
        if receipt.tier is None:
            sys.exit(NotReproducible.exit_code)


@app.command(name="verify-receipt")
def verify_receipt(
    receipt: Annotated[
        Path, typer.Argument(metavar="RECEIPT", help="A receipt's file.")
    ],
    signers: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="Who may sign, as ssh-keygen has it: a line of name and key each.",
        ),
    ],
) -> None:
    """Say who signed a receipt, or that nobody known did."""
    with _errors_in_words():
        from flows.reproducing import signer_of

        sys.stdout.write(f"✓ signed by {signer_of(receipt, signers)}\n")


@app.command(name="verify-cache")
def verify_cache(
    study: StudyFile,
    share: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Of the stored stages that are computed again."
        ),
    ] = 0.2,
    set_: Set = None,
    data: Data = None,
    artifacts: Artifacts = None,
) -> None:
    """Compute a random share of a study's stored stages again, and compare."""
    with _errors_in_words():
        from flows.auditing import audited

        check_again = partial(
            _run,
            study=str(study),
            overrides=set_ or [],
            data=str(data) if data else None,
            artifacts=str(artifacts) if artifacts else None,
            audit=share,
        )
        with store_of(artifacts).lock(f"run-{load(study, tuple(set_ or ())).name}"):
            sys.stdout.write(audited(check_again).sentence() + "\n")


@app.command()
def plan(
    study: StudyFile, set_: Set = None, data: Data = None, artifacts: Artifacts = None
) -> None:
    """Show what a check would compute and what is stored already."""
    with _errors_in_words():
        store, declared = store_of(artifacts), load(study, tuple(set_ or ()), data)
        identity = identify(declared, study, data)
        finished = runs.finished(store, identity.name) is not None
        from flows.outlook import outlook

        tell_plan(outlook(store, declared, identity), finished=finished)


def _is_study(
    path: Path,
    target: str | None,
    unit: str | None,
    order: str | None,
    read: list[str] | None,
) -> bool:
    """Return whether a path is a study rather than a table to draft one of.

    Raises
    ------
    StudyError
        If options are given that do not go with it, or one is missing.
    """
    named = {"--target": target, "--unit": unit, "--order": order, "--read": read}
    given = [option for option, said in named.items() if said]
    if path.suffix.lower() == ".toml":
        if given:
            raise StudyError(
                f"{given[0]} goes with a table, but {path} is a study, which says so itself. Leave it out, or edit the study."
            )
        return True
    if target is None:
        raise StudyError(
            f"{path} is no study, which ends in .toml. If it is a table, say with --target COLUMN what to predict."
        )
    return False


def _terms(source: str) -> str:
    """Return on what terms a catalogued source may be used; empty for any other."""
    if source.startswith("builtin:"):
        return ""
    from assay.catalogue import licence_of

    found = licence_of(source)
    return "" if found is None else f"{found.terms()}."


def _asked(
    study: Path | None,
    set_: list[str] | None,
    world: list[str] | None,
    repetitions: int | None,
    seed: int,
) -> list[str]:
    """Return the words of a calibrate command that decide what it finds."""
    said = [] if study is None else [str(study)]
    said += [f"--set {change}" for change in set_ or ()]
    said += [f"--world {name}" for name in world or ()]
    said += [] if repetitions is None else [f"--repetitions {repetitions}"]
    return said + [f"--seed {seed}"] * (seed != 1)


def _run(**asked: Any) -> Verdict:
    """Run the flow with the settings a person at a terminal needs; those already set are kept."""
    quiet = "PREFECT_LOGGING_LEVEL" not in os.environ
    settings = {
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_CLIENT_MAX_RETRIES": "5",  # a busy SQLite answers 503; a minute, each wait twice the last
        **(_QUIET if quiet else {}),
    }
    for key, value in settings.items():
        os.environ.setdefault(key, value)
    # A server that is gone would be told of at every line that it was to log.
    logging.raiseExceptions = not quiet
    with Watcher():
        from flows.server import prefect_server

        with prefect_server():
            from flows.main import check_hypothesis

            return cast("Verdict", check_hypothesis(**asked))


def _run_even_if_the_server_goes(
    store: Store, name: str | None, **asked: Any
) -> Verdict:
    """Run the flow. If its server is lost when the run has been published already, say so, and take its verdict."""
    try:
        return _run(**asked)
    except Unreachable as lost:
        verdict = None if name is None else runs.finished(store, name)
        if verdict is None:
            raise
        _say(str(lost))
        return verdict


@contextmanager
def _errors_in_words() -> Iterator[None]:
    """End with one sentence and its exit code, not with a traceback, where the fault is not ours."""
    try:
        with _heeding_interrupts():
            yield
    except AssayError as error:
        _say(str(error))
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in _NEXT_STEP:
            raise
        where = f"{error.filename}: " if error.filename else ""
        _say(
            f"{where}{error.strerror}. What was finished is kept; {_NEXT_STEP[error.errno]}."
        )
        sys.exit(1)
    except KeyboardInterrupt:
        _say(
            "Interrupted. What was finished is kept; the same command goes on from there."
        )
        sys.exit(130)


@contextmanager
def _heeding_interrupts() -> Iterator[None]:
    """Let an interrupt raise inside the block; before and after, where nothing is at stake, it just ends."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        with suppress(OSError):
            sys.stdout.flush()
        signal.signal(signal.SIGINT, before)


def _say(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")
