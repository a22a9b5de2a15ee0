"""Stored results computed again: what was drawn, and that all of it is the same."""

from collections.abc import Callable
from dataclasses import dataclass, field

from assay.store.progress import Audited, Event, Finished, listening


@dataclass
class Tally:
    """How many stages were stored, and which of them were computed again."""

    n_stored: int = 0
    again: list[str] = field(default_factory=list)

    def hear(self, event: Event) -> None:
        match event:
            case Finished(stored=True):
                self.n_stored += 1
            case Audited(stage, label, _):
                self.again.append(f"{stage} {label}".strip())

    def sentence(self) -> str:
        """Return what came of it: a result that differs has ended the check before."""
        if not self.n_stored:
            return "– nothing was stored of this study; it was computed"
        if not self.again:
            return f"– none of {self.n_stored} stored results was drawn; raise --share"
        return f"✓ {len(self.again)} of {self.n_stored} stored results were computed again, and are equal: {', '.join(self.again)}"


def audited(check: Callable[[], object]) -> Tally:
    """Run a check whose store draws results to be computed again, and count them."""
    tally = Tally()
    with listening(tally.hear):
        check()
    return tally
