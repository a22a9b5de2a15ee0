"""Images as rows of pixels: noise removed by a median filter."""

import numpy as np
from numpy.typing import NDArray

_MIDDLE = 4  # of the nine pixels of a 3 x 3, in order
_AT_ONCE = 256  # images, of whose pixels nine copies are held


def smoothed(
    pixels: NDArray[np.float64], shape: tuple[int, int, int]
) -> NDArray[np.float64]:
    """Return images, shape (n_rows, n_pixels), each pixel the median of the 3 x 3 around it by channel.

    At the border the last row or column is repeated.

    Parameters
    ----------
    shape
        Height, width and channels.
    """
    medians = np.empty(pixels.shape)
    for start in range(0, len(pixels), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        medians[rows] = _medians(pixels[rows], *shape)
    return medians


def _medians(
    pixels: NDArray[np.float64], height: int, width: int, channels: int
) -> NDArray[np.float64]:
    images = pixels.reshape(-1, height, width, channels)
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    around = np.stack(
        [
            padded[:, down : down + height, right : right + width]
            for down in range(3)
            for right in range(3)
        ]
    )
    around.partition(_MIDDLE, axis=0)
    return np.asarray(around[_MIDDLE].reshape(pixels.shape))
