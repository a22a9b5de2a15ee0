import dataclasses

import pytest

from assay.models.net_trainer import batch_size_for
from assay.networks.train import train
from tests.models.net_parts import fitted, part_of

pytestmark = pytest.mark.slow


def test_batches_grow_with_the_rows():
    sizes = [batch_size_for(n, 256) for n in (2, 800, 1599, 1600, 6400, 10**6)]

    assert sizes == [32, 32, 32, 64, 256, 256]


def test_hyperband_goes_on_with_networks_where_they_paused():
    """The winner of a bracket has the bits of a network trained in one go."""
    part = part_of(epochs=9, patience=9)
    nets, trials, found = fitted(part, tuner="hyperband", epochs=9)
    longest = [t for t in trials if t.hyperparameters.get("goes_on", -1) >= 0]
    whole = [t for t in longest if t.hyperparameters["epochs"] == 9]

    assert whole
    for trial in whole:
        place = next(p for p in nets.trainer.trained if p.trial == trial.number)
        job = dataclasses.replace(nets.trainer.job(place), paused=None, until=None)
        assert (
            train([job], nets.trainer.schedule)[0].net.digest()
            == nets.trainer.trained[place].net.digest()
        )
    for pick in found.picks:
        assert trials[pick].hyperparameters.get("epochs", 9) == 9
