"""What a person sees of a rerun."""

import sys
from pathlib import Path

from assay.reproduce.receipt import Receipt
from assay.wording import Sentence


def tell_receipt(receipt: Receipt, path: Path, signature: Path | None) -> None:
    """Print the result of a rerun, and where its receipt lies."""
    lines = [f"{'✓' if receipt.tier else '✗'} {receipt.summary()}"]
    if receipt.tier in ("R3", "R4") and receipt.difference is not None:
        moved = tuple(f"{name} {by:+.2g}" for name, by in receipt.scores.items())
        scores = Sentence.of("cli.scores_moved", scores=moved, margin=receipt.margin)
        lines += [f"  {receipt.difference.sentence()}", f"  {scores}"]
    lines.append(f"  {Sentence.of('cli.receipt', path=str(path))}")
    if signature is not None:
        lines.append(f"  {Sentence.of('cli.signature', path=str(signature))}")
    sys.stdout.write("\n".join(lines) + "\n")
