"""Data augmentation in TensorFlow: images turned, mirrored and shifted at random."""

from assay.networks.tensors import Tensor
from assay.store.machine import pin

pin()
import tensorflow as tf  # noqa: E402  (its settings are read at import)


def augmented(images: Tensor, numbers: Tensor, seed: Tensor) -> Tensor:
    """Return each image turned, mirrored and shifted by random numbers of its own.

    Parameters
    ----------
    images : shape (n, height, width, channels)
    numbers : shape (4,)
        See :meth:`Augmentation.numbers`. A shift repeats the edge.
    """
    n, (height, width, channels) = tf.shape(images)[0], images.shape[1:]
    drawn = tf.random.stateless_uniform((4, n, 1, 1), seed)
    down, right = (
        tf.floor(drawn[i] * (2.0 * numbers[i] + 1.0)) - numbers[i] for i in range(2)
    )
    quarters = tf.floor(4.0 * drawn[2] * numbers[3])
    mirrored = tf.logical_and(drawn[3] >= 0.5, numbers[2] > 0.0)
    y = tf.range(height, dtype=tf.float32)[None, :, None]
    x = tf.range(width, dtype=tf.float32)[None, None, :]
    odd = tf.equal(quarters % 2.0, 1.0)
    upside_down = tf.logical_or(tf.equal(quarters, 1.0), tf.equal(quarters, 2.0))
    backwards = tf.math.logical_xor(quarters >= 2.0, mirrored)
    y, x = tf.where(odd, x, y), tf.where(odd, y, x)
    y = tf.where(upside_down, height - 1.0 - y, y) + down
    x = tf.where(backwards, width - 1.0 - x, x) + right
    y, x = tf.clip_by_value(y, 0, height - 1.0), tf.clip_by_value(x, 0, width - 1.0)
    place = tf.reshape(tf.cast(y * width + x, tf.int32), (n, -1))
    flat = tf.reshape(images, (n, height * width, channels))
    return tf.reshape(tf.gather(flat, place, batch_dims=1), tf.shape(images))
