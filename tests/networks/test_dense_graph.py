import numpy as np
import pytest

from assay.networks.dense_graph import Dropout

pytestmark = pytest.mark.slow

RATES = np.array([0.0, 0.15, 0.5, 0.5])
FACTORS = (1 / (1 - RATES)).astype(np.float32)
NOISE = np.array(
    [
        [key, round(rate * 2**32)]
        for key, rate in zip((7, 99, 12345, 777), RATES, strict=True)
    ],
    dtype=np.uint32,
)
HIDDEN = np.ones((4, 300, 64), dtype=np.float32)


def dropped(which=slice(None), step=3, layer=0):
    drop = Dropout(FACTORS[which], NOISE[which], step)
    return drop(HIDDEN[which], layer).numpy()


def test_dropout_keeps_the_share_it_says_and_scales_it_up():
    """Each unit is 0 or 1 / (1 - rate), so that its mean stays 1."""
    drops = dropped()

    for replica, factor in zip(drops, FACTORS, strict=True):
        assert set(np.unique(replica)) <= {0.0, factor}
    assert drops.mean(axis=(1, 2)) == pytest.approx(np.ones(4), abs=0.03)
    assert (drops[0] == 1).all()


def test_replicas_steps_and_layers_have_noise_of_their_own():
    """Of two that each keep half, a quarter of the units stay in both."""
    drops = dropped()
    pairs = [(drops[2], drops[3])]
    pairs += [(drops[2], dropped(step=4)[2]), (drops[2], dropped(layer=1)[2])]

    for one, other in pairs:
        assert np.mean((one > 0) & (other > 0)) == pytest.approx(0.25, abs=0.02)


def test_the_noise_of_a_replica_is_the_same_in_any_stack():
    drops = dropped()

    assert np.array_equal(dropped(slice(2, 4)), drops[2:])
    assert np.array_equal(dropped(slice(3, 4)), drops[3:])
