"""The floor: what the matrix products of training alone cost, on one thread of numpy's BLAS."""

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

_REPLICAS = (
    8  # products of several networks in one call, so that no call's own cost counts
)
_LEAST_S = 0.02  # CPU seconds of one measurement
_MEASUREMENTS = 5


def products_cpu_s(
    layers: Sequence[tuple[int, int]], n_rows: int, *, backward: bool
) -> float:
    """Return the CPU seconds of one network's products on ``n_rows`` rows: the median of five.

    Forward one product a layer; backward the gradient of each kernel, and of each layer's inputs
    but the first's. No activation, no optimizer, nothing else.

    Parameters
    ----------
    layers
        Inputs and outputs of each layer.
    """
    generator = np.random.default_rng(0)

    def some(*form: int) -> NDArray[np.float32]:
        return generator.normal(size=(_REPLICAS, *form)).astype(np.float32)

    arrays = [
        (some(n_rows, n_in), some(n_in, n_out), some(n_rows, n_out))
        for n_in, n_out in layers
    ]
    results = [[np.empty_like(array) for array in arrays_of] for arrays_of in arrays]

    def products() -> None:
        for number, (inputs, kernel, slopes) in enumerate(arrays):
            to_inputs, to_kernel, to_outputs = results[number]
            np.matmul(inputs, kernel, out=to_outputs)
            if backward:
                np.matmul(inputs.transpose(0, 2, 1), slopes, out=to_kernel)
            if backward and number:
                np.matmul(slopes, kernel.transpose(0, 2, 1), out=to_inputs)

    def measured() -> float:
        begun, times = time.process_time(), 0
        while (spent := time.process_time() - begun) < _LEAST_S:
            products()
            times += 1
        return spent / times

    with threadpool_limits(1):
        products()
        return float(np.median([measured() for _ in range(_MEASUREMENTS)])) / _REPLICAS


def multiplications(
    layers: Sequence[tuple[int, int]], n_rows: int, *, backward: bool
) -> int:
    """Return how many multiplications those products take."""
    forward = sum(n_in * n_out for n_in, n_out in layers)
    first = layers[0][0] * layers[0][1]
    return n_rows * (3 * forward - first if backward else forward)
