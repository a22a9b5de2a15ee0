"""What a study may declare about the test against chance."""

import math
from typing import Literal

from pydantic import Field

from assay.store.records import Record
from assay.study.invalid import Invalid

LEAST_ROWS = 60  # of a table that is tested (PROTOCOL section 1)


class GatePlan(Record):
    """The permutation test against chance."""

    permutations: int = Field(
        default=999,
        ge=39,
        le=99999,
        description="Most permutations; a sequential test may stop sooner.",
    )
    stop: Literal["betting", "never"] = Field(
        default="betting",
        description="betting: a sequential test. never: all permutations.",
    )
    hidden: int = Field(default=16, ge=2, le=256, description="Units of the small net.")
    steps: int = Field(
        default=300, ge=20, le=100_000, description="Training steps of the small net."
    )

    def fewest_permutations(self, alpha: float) -> int:
        """Return how many permutations it takes at least to reject chance at ``alpha``.

        Without one exceedance: ``1 / (B + 1) <= alpha`` for a fixed number, and for the bet
        ``(1 - (1 - c)^(t + 1)) / c >= 1 / alpha`` with ``c = .7 alpha`` (PROTOCOL step 2.5).
        """
        if self.stop == "never":
            return math.ceil(1 / alpha - 1e-9) - 1
        return math.ceil(math.log(0.3) / math.log1p(-0.7 * alpha)) - 1


# Rules of a study --------------------------------------------------------------------------------


def check_permutations(gate: GatePlan, plan: str, alpha: float) -> None:
    """Refuse a gate that cannot pass with as few permutations as it may draw."""
    fewest = gate.fewest_permutations(alpha)
    if gate.permutations < fewest:
        raise Invalid(
            "study.gate.permutations",
            plan=plan,
            permutations=gate.permutations,
            alpha=alpha,
            fewest=fewest,
        )
