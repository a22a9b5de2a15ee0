"""What a person sees of a rerun."""

import sys
from pathlib import Path

from assay.reproduce.receipt import Receipt


def tell_receipt(receipt: Receipt, path: Path, signature: Path | None) -> None:
    """Print what came of a rerun, and where the receipt lies."""
    sign = "✓" if receipt.tier else "✗"
    lines = [f"{sign} {receipt.summary()}"]
    if receipt.tier in ("R3", "R4") and receipt.difference is not None:
        lines.append(f"  {receipt.difference.sentence()}")
        moved = ", ".join(f"{name} {by:+.2g}" for name, by in receipt.scores.items())
        lines.append(f"  Scores moved: {moved}; margin {receipt.margin:g}")
    lines.append(f"  Receipt: {path}")
    lines += [f"  Signature: {signature}"] if signature else []
    sys.stdout.write("\n".join(lines) + "\n")
