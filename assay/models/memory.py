"""Whether a table fits into the memory there is, asked before anything is trained on it."""

from assay.errors import DataRefused
from assay.store.records import Cleaned
from assay.store.store import Store
from assay.study.plans import CleanPlan, most_levels

# In float32 tables: as read (2, float64), prepared, for boosted trees (2, float64) or the gate's linear model,
# in the graph, and copies on the way. A check of 1,000,000 rows x 50 numbers needed 1.5 GB and 8.9 tables.
_TIMES_HELD = 8
_PROGRAM_BYTES = 1_500_000_000  # a process with its libraries and no table


def n_inputs(store: Store, cleaned: Cleaned, plan: CleanPlan) -> int:
    """Return about how many inputs a network gets: one a number, and what other columns become."""
    found = len(cleaned.numeric)
    found += sum(one.most + 2 for one in plan.lists)
    found += len(plan.text) * (plan.text_components + 1)
    apart = {*plan.text, *(one.column for one in plan.lists)}
    categories = [name for name in cleaned.categorical if name not in apart]
    if not categories:
        return found
    most = most_levels(len(categories), wide=True) + 1
    levels = store.get_table(cleaned.features)[categories].nunique()
    return found + int(levels.clip(upper=most).sum())


def processes_that_fit(
    n_rows: int, n_inputs: int, allowed: int, folds_per_trial: int = 1
) -> int:
    """Return how many processes can train on a table side by side.

    Each needs eight times the float32 table, once more for every inner fold that scores a trial, and 1.5 GB.

    Parameters
    ----------
    allowed
        Bytes that all of them together may use.

    Raises
    ------
    DataRefused
        If there is no room for one.

    Examples
    --------
    >>> processes_that_fit(1_000_000, 50, allowed=7_000_000_000)
    2
    """
    times_held = _TIMES_HELD + folds_per_trial
    needed = times_held * 4 * n_rows * n_inputs + _PROGRAM_BYTES
    if needed > allowed:
        raise DataRefused(
            f"Training on {n_rows:,} rows with {n_inputs:,} inputs takes about {needed / 1e9:.1f} GB of memory, "
            f"and {allowed / 1e9:.1f} GB are allowed here. Allow more, or take rows or columns out of the source."
        )
    return allowed // needed
