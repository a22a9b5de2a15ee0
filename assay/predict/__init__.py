"""Prediction from a bundle, with NumPy and onnxruntime alone.

    from assay.predict import Bundle

    bundle = Bundle.open("artifacts/runs/breast-cancer-2b2330fd33e5")
    predictions = bundle.predict({"mean_radius": [14.1, 20.3], ...})
    predictions.prediction, predictions.probabilities, predictions.remarks

``python -m assay.predict BUNDLE TABLE -o FILE`` does the same with files. Training applies parts of this
package too: ``preparation`` and its parts, ``parsing`` and ``features``.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.predict.bundle import Bundle, Predictions

__all__ = ["Bundle", "Predictions"]


def __getattr__(name: str) -> Any:
    """Load ``Bundle`` on first use: training needs only other parts of the package."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from assay.predict import bundle

    return getattr(bundle, name)
