"""Receipts of reruns for the page of the run they are of: read, held to the run's manifest, never trusted.

They lie beside the run's folder, not in it, and come and go with reruns. So the page that a run leaves has none
of them: it is the same for equal runs.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from assay.errors import CorruptObject
from assay.report.folder import Run
from assay.reproduce.receipt import Fault, Receipt, Tier, fault_of
from assay.reproduce.signatures import Signature
from assay.store.run_folder import record_of

TIERS: tuple[Tier, ...] = get_args(Tier)
_LARGEST = 1 << 20  # bytes; one has about ten thousand
SHOWN = 30


class Kept(NamedTuple):
    """A file among a run's receipts, and what is wrong with it; ``receipt`` is None where it is none."""

    name: str
    receipt: Receipt | None
    fault: Fault | Literal["unreadable"] | None
    signature: Signature

    @property
    def tier(self) -> Tier | None:
        """Return the tier it shows: none where it contradicts the run or its signature is of another text."""
        if self.fault is not None or self.signature.state == "broken":
            return None
        return None if self.receipt is None else self.receipt.tier


def receipts_of(
    run: Run, folder: Path, signature_of: Callable[[Path], Signature]
) -> tuple[Kept, ...]:
    """Return what lies among the receipts of a run, the newest first."""
    paths = [path for path in sorted(folder.glob("*.json")) if path.is_file()]
    return tuple(_kept(run, path, signature_of(path)) for path in reversed(paths))


def _kept(run: Run, path: Path, signature: Signature) -> Kept:
    try:
        receipt = record_of(path, Receipt, _LARGEST)
    except CorruptObject:
        return Kept(path.name, None, "unreadable", signature)
    margin = run.registration.study.of(run.verdict.plan).margin
    name = run.folder.resolve().name
    return Kept(
        path.name, receipt, fault_of(receipt, name, run.manifest, margin), signature
    )


def reached(receipts: Sequence[Kept]) -> dict[Tier, tuple[int, int]]:
    """Return how many receipts show each tier, and how many of them are signed."""
    shown = [(receipt.tier, receipt.signature.holds) for receipt in receipts]
    return {
        tier: (
            sum(tier_shown == tier for tier_shown, _ in shown),
            sum(tier_shown == tier and signed for tier_shown, signed in shown),
        )
        for tier in TIERS
    }
