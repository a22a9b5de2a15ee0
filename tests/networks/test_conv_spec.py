import numpy as np
import pandas as pd
import pytest

from assay.networks.conv_spec import GROUPS, ImageShape, Moves, forward
from assay.predict.denoise import smoothed
from assay.preprocess import fit as preprocess
from assay.study.plans import CleanPlan, ImagePlan
from tests.net_factories import IMAGES, inputs_of

DIGIT = ImagePlan(height=8, width=8, channels=1)


def relu(hidden):
    return np.maximum(hidden, 0.0)


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
    one, again, other = (shape.first_weights(seed) for seed in (1, 1, 2))

    assert [w.shape for w in one] == shape.arrays()
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not np.array_equal(one[0], other[0])
    assert (one[1] == 1).all()
    assert not any(one[i].any() for i in (2, 5, 7))
    assert one[3].var() == pytest.approx(2 / (9 * 64), rel=0.05)


# What they compute -----------------------------------------------------------------------------


@pytest.mark.parametrize("shape", IMAGES)
def test_an_image_brighter_or_of_more_contrast_gives_the_same_outputs(shape):
    """After a kernel without a sum, normalisation of each image takes both away, but for its epsilon."""
    weights = list(shape.first_weights(3))
    weights[0] -= weights[0].mean(axis=(0, 1, 2))
    inside = inputs_of(shape).astype(np.float64)
    inside[:, : shape.n_pixels] = 0.0
    form = (len(inside), shape.height, shape.width, shape.channels)
    image = np.zeros(form)
    image[:, 3:-3, 3:-3] = np.random.default_rng(0).normal(
        size=image[:, 3:-3, 3:-3].shape
    )
    one, other = inside.copy(), inside.copy()
    one[:, : shape.n_pixels] = 1e3 * image.reshape(len(inside), -1)
    other[:, : shape.n_pixels] = 2e3 * image.reshape(len(inside), -1)

    assert forward(shape, weights, other, relu) == pytest.approx(
        forward(shape, weights, one, relu), abs=1e-4
    )


def test_a_network_is_computed_as_by_hand():
    """One block whose filters pass the middle pixel on, up or down: maxima of 2 x 2, then the groups."""
    shape = ImageShape(8, 8, 1, 64, 1, filters=(4,))
    image = np.random.default_rng(1).normal(size=(8, 8))
    kernel = np.zeros((3, 3, 1, 4))
    kernel[1, 1, 0] = [1, -1, 2, 0]
    weights = (kernel, np.full(4, 2.0), np.full(4, 0.5), np.ones((4, 1)), np.zeros(1))
    expected = 0.0
    for times in kernel[1, 1, 0]:
        blocks = (times * image).reshape(4, 2, 4, 2).max(axis=(1, 3))
        spread = np.sqrt(blocks.var() + 1e-3)
        expected += relu(2 * (blocks - blocks.mean()) / spread + 0.5).mean()

    assert GROUPS == 4
    assert forward(shape, weights, image.reshape(1, -1), relu) == pytest.approx(
        expected
    )


def test_moves_are_told_in_pixels():
    shape = ImageShape(8, 28, 1, 224, 2, filters=(4,))

    assert Moves(shift=0.125).numbers(shape) == (1.0, 4.0, 0.0, 0.0)
    assert Moves(flip=True, rotate=True).numbers(shape) == (0.0, 0.0, 1.0, 1.0)


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
