import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.networks.augment import augmented
from assay.networks.conv_spec import Augmentation, ImageShape
from tests.model_factories import steady

pytestmark = pytest.mark.slow

N = 64


def augmented_images(height, width, seed=(1, 2), **how):
    """Images that number their pixels, augmented, shape (N, height, width)."""
    shape = ImageShape(height, width, 1, height * width, 2, filters=(4,))
    place = np.arange(height * width, dtype=np.float32).reshape(1, height, width, 1)
    images = np.repeat(place, N, axis=0)
    numbers = np.array(Augmentation(**how).numbers(shape), dtype=np.float32)
    return augmented(images, numbers, np.array(seed, dtype=np.int32)).numpy()[..., 0]


def every(images):
    return {image.tobytes() for image in images}


def test_without_augmentation_images_stay_as_they_are():
    assert every(augmented_images(8, 11)) == every(augmented_images(8, 11)[:1])
    assert np.array_equal(augmented_images(8, 11)[0].ravel(), np.arange(88))


def test_flips_exchange_left_and_right_of_about_half_the_images():
    plain = augmented_images(8, 11)[0]
    found = augmented_images(8, 11, flip=True)
    flipped = [np.array_equal(image, plain[:, ::-1]) for image in found]

    assert every(found) == every([plain, plain[:, ::-1]])
    assert 0.3 < np.mean(flipped) < 0.7


def test_turns_are_the_four_by_quarters_and_with_flips_all_eight():
    plain = augmented_images(8, 8)[0]
    turned = [np.rot90(plain, k) for k in range(4)]

    assert every(augmented_images(8, 8, rotate=True)) == every(turned)
    assert every(augmented_images(8, 8, rotate=True, flip=True)) == every(
        [*turned, *(one[:, ::-1] for one in turned)]
    )


@steady
@given(st.integers(8, 20), st.integers(8, 20), st.integers(0, 2**31 - 1))
def test_shifts_are_of_whole_images_and_repeat_their_edges(height, width, seed):
    """Rows and columns shift as a whole, each by at most an eighth of its side."""
    found = augmented_images(height, width, seed=(seed, 5), shift=0.125)
    rows, columns = found // width, found % width

    assert (rows == rows[:, :, :1]).all()
    assert (columns == columns[:, :1]).all()
    for places, side in ((rows[:, :, 0], height), (columns[:, 0], width)):
        by = places[:, side // 2] - side // 2
        expected = np.clip(np.arange(side) + by[:, None], 0, side - 1)
        assert np.array_equal(places, expected)
        assert set(by) == set(range(-round(side / 8), round(side / 8) + 1))


def test_augmentation_belongs_to_the_replica_and_the_step():
    """Another seed, by either number, changes other images."""
    first = augmented_images(16, 16, shift=0.125, flip=True)

    assert np.array_equal(augmented_images(16, 16, shift=0.125, flip=True), first)
    for seed in ((1, 3), (2, 2)):
        other = augmented_images(16, 16, seed=seed, shift=0.125, flip=True)
        assert np.mean((other == first).all(axis=(1, 2))) < 0.2
