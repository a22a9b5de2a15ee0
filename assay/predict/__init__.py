"""Prediction from a bundle, with NumPy and onnxruntime alone.

    from assay.predict import Bundle

    bundle = Bundle.open("artifacts/runs/breast-cancer-2b2330fd33e5")
    found = bundle.predict({"mean_radius": [14.1, 20.3], ...})
    found.prediction, found.probabilities, found.remarks

``python -m assay.predict BUNDLE TABLE -o FILE`` does the same with files. Parts of this package are what
training applies too: ``preparation`` and what it is made of, ``cells``, ``dates``.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.predict.bundle import Bundle, Predictions

__all__ = ["Bundle", "Predictions"]


def __getattr__(name: str) -> Any:
    """Load what opens bundles only when it is asked for: training takes its parts without."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from assay.predict import bundle

    return getattr(bundle, name)
