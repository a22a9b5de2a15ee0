"""How replicas of a convolutional network are best trained together: CPU for a step of each.

    python -m bench.bench_convolution [--filters=16] [--replicas=1,4] [--json]

Three blocks with their gradients, 64 images of 28x28x3, one thread; medians of seven calls. ``loop``
takes a library's convolution replica by replica, ``grouped`` one grouped convolution for all,
``patches`` one product of all kernels with the 3x3 patches of every place, rows on the last axis.
"""

import itertools
import json
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from assay.store.machine import pin

pin()
import tensorflow as tf  # noqa: E402  (its settings are read at import)

_N, _SIDE, _CHANNELS, _CALLS = 64, 28, 3, 7
Kernels = list[Any]  # of each block, shape (n_replicas, 3, 3, n_in, n_out)
Form = Callable[[Kernels, Any], Any]  # returns the gradients of each replica's loss


def loop(kernels: Kernels, images: Any) -> Any:
    def gradient(own: Kernels) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(own)
            loss = _loss(images, own)
        return tape.gradient(loss, own)

    return tf.map_fn(gradient, kernels, parallel_iterations=1)


def grouped(kernels: Kernels, images: Any) -> Any:
    with tf.GradientTape() as tape:
        tape.watch(kernels)
        every = tf.tile(images, (1, 1, 1, kernels[0].shape[0]))
        together = [
            tf.reshape(
                tf.transpose(kernel, (1, 2, 3, 0, 4)), (3, 3, kernel.shape[3], -1)
            )
            for kernel in kernels
        ]
        loss = _loss(every, together)
    return tape.gradient(loss, kernels)


def _loss(images: Any, kernels: Kernels) -> Any:
    hidden = images
    for kernel in kernels:
        convolved = tf.nn.conv2d(hidden, kernel, 1, "SAME")
        hidden = tf.nn.relu(tf.nn.max_pool2d(convolved, 2, 2, "VALID"))
    return tf.reduce_sum(tf.square(tf.reduce_mean(hidden, axis=(1, 2))))


def patches(kernels: Kernels, images: Any) -> Any:
    with tf.GradientTape() as tape:
        tape.watch(kernels)
        n_replicas = kernels[0].shape[0]
        hidden = tf.repeat(tf.transpose(images, (3, 1, 2, 0))[None], n_replicas, axis=0)
        for kernel in kernels:
            n_maps, side = hidden.shape[1], hidden.shape[2]
            padded = tf.pad(hidden, ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0)))
            shifted = [
                padded[:, :, i : i + side, j : j + side]
                for i in range(3)
                for j in range(3)
            ]
            columns = tf.reshape(
                tf.concat(shifted, axis=1), (n_replicas, 9 * n_maps, -1)
            )
            flat = tf.reshape(kernel, (n_replicas, 9 * n_maps, -1))
            maps = tf.matmul(flat, columns, transpose_a=True)
            maps = tf.reshape(maps, (n_replicas, -1, side, side, _N))
            hidden = tf.nn.relu(_pooled(maps, side // 2 * 2))
        loss = tf.reduce_sum(tf.square(tf.reduce_mean(hidden, axis=(2, 3))))
    return tape.gradient(loss, kernels)


def _pooled(maps: Any, side: int) -> Any:
    even = maps[:, :, :side, :side]
    rows = tf.maximum(even[:, :, 0::2], even[:, :, 1::2])
    return tf.maximum(rows[:, :, :, 0::2], rows[:, :, :, 1::2])


def drawn(n_replicas: int, n_filters: int) -> tuple[Kernels, Any]:
    """Return kernels and images."""
    generator = np.random.default_rng(0)
    sizes = (_CHANNELS, n_filters, 2 * n_filters, 4 * n_filters)
    forms = [(n_replicas, 3, 3, *sides) for sides in itertools.pairwise(sizes)]
    kernels = [generator.normal(0, 0.1, form).astype(np.float32) for form in forms]
    images = generator.normal(size=(_N, _SIDE, _SIDE, _CHANNELS)).astype(np.float32)
    return [tf.constant(kernel) for kernel in kernels], tf.constant(images)


def step_ms(form: Form, n_replicas: int, n_filters: int) -> float:
    """Return milliseconds of CPU for a step of each replica."""
    kernels, images = drawn(n_replicas, n_filters)
    step, seconds = tf.function(form, autograph=False), []
    for _ in range(1 + _CALLS):
        begun = time.process_time()
        step(kernels, images)
        seconds.append(time.process_time() - begun)
    return round(1e3 * median(seconds[1:]) / n_replicas, 1)


def main(arguments: list[str]) -> None:
    given = dict(word[2:].split("=") for word in arguments if "=" in word)
    n_filters = int(given.get("filters", 16))
    replicas = [int(word) for word in given.get("replicas", "1,4").split(",")]
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    milliseconds = {
        form.__name__: {f"R={n}": step_ms(form, n, n_filters) for n in replicas}
        for form in (loop, grouped, patches)
    }
    if "--json" in arguments:
        print(json.dumps(milliseconds))
    else:
        for name, of_form in milliseconds.items():
            print(f"{name:8}", *(f"{n} {ms:7.1f} ms" for n, ms in of_form.items()))


if __name__ == "__main__":
    main(sys.argv[1:])
