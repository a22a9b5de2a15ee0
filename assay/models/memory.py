"""Whether a table fits into the available memory, checked before training."""

from assay.errors import DataRefused
from assay.store.records import Cleaned
from assay.store.store import Store
from assay.study.plans import CleanPlan, most_levels

# In float32 tables: as read (2, float64), prepared, for boosted trees (2, float64) or the gate's linear model,
# in the graph, and temporary copies. A check of 1,000,000 rows x 50 numbers needed 1.5 GB and 8.9 tables.
_COPIES = 8
_PROGRAM_BYTES = 1_500_000_000  # a process with its libraries and no table


def n_inputs(store: Store, cleaned: Cleaned, plan: CleanPlan) -> int:
    """Return about how many inputs a network gets: one per number, and those of the other columns."""
    n = len(cleaned.numeric)
    n += sum(column.most + 2 for column in plan.lists)
    n += len(plan.text) * (plan.text_components + 1)
    others = {*plan.text, *(column.column for column in plan.lists)}
    categorical = [name for name in cleaned.categorical if name not in others]
    if not categorical:
        return n
    most = most_levels(len(categorical), wide=True) + 1
    categories = store.get_table(cleaned.features)[categorical].nunique()
    return n + int(categories.clip(upper=most).sum())


def processes_that_fit(
    n_rows: int, n_inputs: int, allowed: int, folds_per_trial: int = 1
) -> int:
    """Return how many processes can train on a table in parallel.

    Each needs eight times the float32 table, once more per inner fold that scores a trial, and 1.5 GB.

    Parameters
    ----------
    allowed
        Bytes that all of them may use together.

    Raises
    ------
    DataRefused
        If there is not enough memory for one.

    Examples
    --------
    >>> processes_that_fit(1_000_000, 50, allowed=7_000_000_000)
    2
    """
    copies = _COPIES + folds_per_trial
    needed = copies * 4 * n_rows * n_inputs + _PROGRAM_BYTES
    if needed > allowed:
        raise DataRefused(
            "models.memory",
            n_rows=n_rows,
            n_inputs=n_inputs,
            needed=needed / 1e9,
            allowed=allowed / 1e9,
        )
    return allowed // needed
