"""Assay: is there a signal, does the claim hold, does deep learning earn its cost, and is the result reproducible?

    import assay

    run = assay.check(frame, target="paid")      # a DataFrame, a file, or a study
    run.verdict.outcome, run.folds, run.predictions
    run.model().predict(new_frame)

Nothing heavy is loaded before it is used: neither NumPy nor pandas, scikit-learn, TensorFlow or Prefect.
"""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.api import Run, check, draft, open_run, runs, speak

# From 1.32 on onnxruntime sends telemetry from the moment it is imported, unless this is set before.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.2.0"
__all__ = ["Run", "__version__", "check", "draft", "open_run", "runs", "speak"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from assay import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return __all__
