"""Commands that show what can be trusted: calibrate, reproduce, and whether receipts and stored results hold."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, cast

import typer

from assay.cli.entry import Check, store_in, write_page
from assay.cli.guard import guarded
from assay.cli.options import (
    Artifacts,
    Data,
    Json,
    RunName,
    Set,
    Shared,
    StudyFile,
    argument,
    command,
    option,
)
from assay.errors import NotReproducible
from assay.wording import Sentence, program, spoken


@command("trust", "reproduce", "reproduce digits --environment venv")
def reproduce(
    run: RunName,
    environment: Annotated[str, option("environment", metavar="WHERE")] = "here",
    cpu: Annotated[str | None, option("cpu", metavar="SET")] = None,
    data: Data = None,
    artifacts: Artifacts = None,
    key: Annotated[Path | None, option("sign", metavar="KEY")] = None,
    page: Annotated[
        Path | None, option("report_page", "--report", metavar="FILE")
    ] = None,
    json: Json = False,
) -> None:
    from assay.cli.reproducing import tell_receipt
    from assay.reproduce.again import reproduced
    from assay.reproduce.signatures import sign

    store = store_in(artifacts)
    receipt, path = reproduced(store, run, data, environment, cpu)
    tell_receipt(receipt, path, None if key is None else sign(path, key))
    if page is not None:
        from assay.cli.reporting import report_again

        report_again(store, run, spoken(), page, receipts=True)
    if json:
        sys.stdout.write(receipt.model_dump_json() + "\n")
    if receipt.tier is None:
        sys.exit(NotReproducible.exit_code)


@command("trust", "verify_receipt", "verify-receipt RECEIPT --signers allowed_signers")
def verify_receipt(
    receipt: Annotated[Path, argument("receipt")],
    signers: Annotated[Path, option("signers", metavar="FILE")],
) -> None:
    from assay.reproduce.signatures import signer_of

    signer = Sentence.of("cli.signed_by", signer=signer_of(receipt, signers))
    sys.stdout.write(f"✓ {signer}\n")


@command("trust", "verify_cache", "verify-cache study.toml --share 0.5")
def verify_cache(
    context: typer.Context,
    study: StudyFile,
    share: Annotated[float, option("share", metavar="X", min=0, max=1)] = 0.2,
    set_: Set = None,
    data: Data = None,
    artifacts: Artifacts = None,
    shared: Shared = None,
) -> None:
    from assay.cli.verify_cache import recomputed
    from assay.request import Request
    from assay.study.load import load

    overrides = tuple(set_ or ())
    request = Request(
        study=study,
        overrides=overrides,
        data=data,
        artifacts=artifacts,
        shared=shared,
        audit=share,
    )
    store = request.store()
    store.reach()
    with store.lock(f"run-{load(study, overrides).name}"):
        check = partial(cast("Check", context.obj), request)
        with guarded():
            sentence = recomputed(check)
        sys.stdout.write(f"{sentence}\n")


@command("trust", "calibrate", "calibrate --world null --repetitions 200")
def calibrate(
    study: Annotated[Path | None, argument("own_study", "STUDY")] = None,
    world: Annotated[list[str] | None, option("world", metavar="NAME")] = None,
    repetitions: Annotated[
        int | None, option("repetitions", metavar="N", min=2)
    ] = None,
    seed: Annotated[int, option("seed", metavar="N", min=0)] = 1,
    processes: Annotated[int | None, option("processes", metavar="N", min=1)] = None,
    output: Annotated[
        Path | None, option("output_page", "-o", "--output", metavar="FILE")
    ] = None,
    set_: Set = None,
    data: Data = None,
    artifacts: Artifacts = None,
    json: Json = False,
) -> None:
    from assay.calibrate.run import Wanted, calibrated, open_own
    from assay.cli.calibrate_progress import Bars, tell_rates
    from assay.store.machine import cores_allowed
    from assay.study.load import load
    from assay.study.sources import identify

    store = store_in(artifacts)
    own = None
    if study is not None:
        declared = load(study, tuple(set_ or ()), data)
        own = open_own(store, declared, identify(declared, study, data))
    wanted = Wanted(tuple(world or ()), repetitions, seed, own)
    words = _words(study, set_, world, repetitions, seed)
    with guarded(), Bars() as bars:
        calibration, folder = calibrated(
            wanted,
            store,
            processes or cores_allowed(),
            " ".join([program(), "calibrate", *words]),
            bars.hear,
        )
    if output is not None:
        write_page(output, (folder / "calibration.md").read_bytes(), "-o")
    tell_rates(calibration, folder)
    if json:
        sys.stdout.write(calibration.model_dump_json() + "\n")


def _words(
    study: Path | None,
    set_: list[str] | None,
    world: list[str] | None,
    repetitions: int | None,
    seed: int,
) -> list[str]:
    """Return the words that ask for the same calibration again."""
    words = [str(study)] if study else []
    for option_, values in (("--set", set_), ("--world", world)):
        words += [word for value in values or () for word in (option_, value)]
    words += ["--repetitions", str(repetitions)] if repetitions else []
    return words + (["--seed", str(seed)] if seed != 1 else [])
