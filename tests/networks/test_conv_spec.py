import numpy as np
import pandas as pd
import pytest

from assay.networks.conv_spec import Augmentation, ImageShape
from assay.predict.denoise import smoothed
from assay.preprocess import fit as preprocess
from assay.study.plans import CleanPlan, ImagePlan

DIGIT = ImagePlan(height=8, width=8, channels=1)


# Shapes ----------------------------------------------------------------------------------------


def test_each_block_halves_the_image():
    """8 x 8 twice: 2 x 2 places of 32 maps for the dense layer, and one input that is no pixel."""
    shape = ImageShape(8, 8, 1, 65, 10, filters=(16, 32))

    assert shape.last_map == (2, 2)
    assert shape.arrays() == [
        *[(3, 3, 1, 16), (16,), (16,)],
        *[(3, 3, 16, 32), (32,), (32,)],
        *[(4 * 32 + 1, 10), (10,)],
    ]


def test_large_last_maps_are_averaged():
    shape = ImageShape(64, 64, 3, 3 * 64**2, 2, filters=(8, 8, 16))

    assert shape.last_map == (8, 8)
    assert shape.n_features == 16


def test_first_weights_belong_to_the_seed_and_normalisation_starts_as_it_is():
    shape = ImageShape(32, 32, 3, 3072, 10, filters=(64, 64))
    first, again, other = (shape.first_weights(seed) for seed in (1, 1, 2))

    assert [w.shape for w in first] == shape.arrays()
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    assert (first[1] == 1).all()
    assert not any(first[i].any() for i in (2, 5, 7))
    assert first[3].var() == pytest.approx(2 / (9 * 64), rel=0.05)


def test_augmentation_is_expressed_in_pixels():
    shape = ImageShape(8, 28, 1, 224, 2, filters=(4,))

    assert Augmentation(shift=0.125).numbers(shape) == (1.0, 4.0, 0.0, 0.0)
    assert Augmentation(flip=True, rotate=True).numbers(shape) == (0.0, 0.0, 1.0, 1.0)


# Preparation -----------------------------------------------------------------------------------


def images_of(channels, n=50):
    generator = np.random.default_rng(2)
    side, means = (8, 8), 10.0 * (1 + np.arange(channels))
    pixels = means * (1 + generator.normal(size=(n, *side, channels)))
    pixels[:, 0, 0] = 7.0
    flat = pixels.reshape(n, -1)
    return pd.DataFrame(flat, columns=[f"p{i}" for i in range(flat.shape[1])])


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_share_the_centre_and_spread_of_their_channel(channels):
    """Not bent, and a pixel that never changes stays a pixel."""
    frame = images_of(channels)
    plan = CleanPlan(image=ImagePlan(height=8, width=8, channels=channels))
    prepared = preprocess.fit(frame, plan)
    inputs = prepared.apply(frame).reshape(len(frame), 64, channels)
    raw = frame.to_numpy().reshape(len(frame), 64, channels)

    assert inputs.mean(axis=(0, 1)) == pytest.approx(np.zeros(channels), abs=1e-6)
    assert inputs.std(axis=(0, 1)) == pytest.approx(np.ones(channels), abs=1e-6)
    for c in range(channels):
        slope = np.ptp(inputs[..., c]) / np.ptp(raw[..., c])
        assert np.ptp(inputs[..., c] - slope * raw[..., c]) < 1e-5
    again = preprocess.unpack(prepared.packed())
    assert np.array_equal(again.apply(frame), prepared.apply(frame))


def test_a_missing_pixel_is_filled_and_marked_beside_the_image():
    frame = images_of(1)
    frame.loc[3, "p5"] = np.nan
    prepared = preprocess.fit(frame, CleanPlan(image=DIGIT))
    inputs = prepared.apply(frame)

    assert inputs.shape == (50, 65)
    assert inputs[:, 64].sum() == inputs[3, 64] == 1
    assert np.isfinite(inputs).all()


def test_images_of_one_grey_are_zeros():
    frame = pd.DataFrame({f"p{i}": [4.0] * 5 for i in range(64)})

    assert not preprocess.fit(frame, CleanPlan(image=DIGIT)).apply(frame).any()


def test_a_speck_goes_an_edge_stays_and_channels_are_apart():
    image = np.zeros((2, 8, 8, 3))
    image[:, :, 4:] = 200.0
    image[0, 2, 1, 0] = 255.0
    smooth = smoothed(image.reshape(2, -1), (8, 8, 3)).reshape(2, 8, 8, 3)

    assert smooth[0, 2, 1, 0] == 0
    np.testing.assert_array_equal(smooth[1], image[1])
    np.testing.assert_array_equal(smooth[0, :, :, 1:], image[0, :, :, 1:])


def test_a_preparation_smooths_for_networks_and_trees_and_comes_back():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.integers(0, 17, (20, 64)) * 1.0).rename(
        columns="p{}".format
    )
    plan = CleanPlan(image=ImagePlan(height=8, width=8, channels=1, denoise="median"))
    prepared = preprocess.fit(frame, plan)
    smooth = pd.DataFrame(smoothed(frame.to_numpy(), (8, 8, 1)), columns=frame.columns)
    expected = preprocess.fit(smooth, CleanPlan(image=DIGIT)).apply(smooth)
    inputs = prepared.apply(frame)

    np.testing.assert_array_equal(inputs, expected)
    np.testing.assert_array_equal(prepared.trees(frame, inputs), smooth)
    again = preprocess.unpack(prepared.packed())
    np.testing.assert_array_equal(again.apply(frame), inputs)
