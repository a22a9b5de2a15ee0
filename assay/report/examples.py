"""Rows that are images, as small PNG files that stand inside a page."""

import base64
import io
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image

from assay.report.account import Example
from assay.study.plans import ImagePlan


@dataclass(frozen=True)
class Pixels:
    """How the numbers among the features are an image, and the ends of its grey scale."""

    height: int
    width: int
    channels: int
    low: float
    high: float


def pixels_of(features: pd.DataFrame, plan: ImagePlan) -> Pixels:
    """Return how a table holds images: 0 to 255, or whatever the smallest and largest number is."""
    numbers = features.select_dtypes("number").to_numpy(dtype=float)
    low, high = min(0.0, float(np.nanmin(numbers))), float(np.nanmax(numbers))
    high = 255.0 if 127 < high <= 255 else max(high, low + 1e-9)
    return Pixels(plan.height, plan.width, plan.channels, low, high)


def example(
    features: pd.DataFrame, pixels: Pixels, row: int, truth: str, called: str, by: float
) -> Example:
    """Return a row as an image, with its class and the predicted one."""
    numbers = features.select_dtypes("number").iloc[row].to_numpy(dtype=float)
    return Example(row=row, truth=truth, said=called, by=by, png=png(numbers, pixels))


def png(numbers: "np.ndarray[tuple[int], np.dtype[np.float64]]", pixels: Pixels) -> str:
    """Return numbers, row by row and channels last, as a PNG file in base64; a missing one is black."""
    scaled = (np.nan_to_num(numbers) - pixels.low) / (pixels.high - pixels.low)
    grey = (255 * scaled.clip(0, 1)).round().astype(np.uint8)
    shape = (pixels.height, pixels.width, pixels.channels)
    image = grey[: pixels.height * pixels.width * pixels.channels].reshape(shape)
    buffer = io.BytesIO()
    Image.fromarray(image[:, :, 0] if pixels.channels == 1 else image).save(
        buffer, format="PNG", optimize=True
    )
    return base64.b64encode(buffer.getvalue()).decode()
