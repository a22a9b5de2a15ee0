import dataclasses

import numpy as np
import pytest

from assay.errors import TrainingFailed
from assay.models.ensemble import refit, select
from assay.models.net_search import deep
from assay.networks.net import nets_digest
from tests.model_factories import line_table, number_table
from tests.models.net_parts import fitted, part_of

pytestmark = pytest.mark.slow


# Selection -------------------------------------------------------------------------------------


def test_the_ensemble_is_chosen_for_what_members_add_to_each_other():
    """By hand: A is off by 1 on one row, B on another, C is the best alone; A and B cancel out."""
    labels = np.array([0.0, 0.0])
    a, b, c = (np.array([[x], [y]]) for x, y in [(2, -1), (-2, 1.2), (1, 1)])

    assert select([c], labels, 2, "squared_error") == (0, 0)
    assert select([a, b, c], labels, 1, "squared_error") == (2,)
    assert select([a, b], labels, 2, "squared_error") == (0, 1)
    assert select([a, None, b], labels, 2, "squared_error") == (0, 2)


def test_a_confident_mistake_costs_an_ensemble_of_classes_its_place():
    labels = np.array([0, 1])
    sure = np.array([[0.9, 0.1], [1.0, 0.0]])
    fair = np.array([[0.6, 0.4], [0.4, 0.6]])

    assert select([sure, fair], labels, 3, "cross_entropy") == (1, 1, 1)


def test_ties_go_to_the_first():
    same = np.array([[0.6, 0.4], [0.4, 0.6]])

    assert select([same, same], np.array([0, 1]), 4, "cross_entropy") == (0, 0, 0, 0)


# The ensemble ----------------------------------------------------------------------------------


@pytest.mark.parametrize("table", [line_table(160, seed=3), number_table(160, seed=3)])
def test_an_ensemble_has_as_many_networks_as_the_plan_says_and_averages_them(table):
    part = part_of(table)
    _, trials, found = fitted(part)
    rows = part.whole.inputs[part.test]

    assert len(found.members) == len(found.picks) == 4
    assert {trials[pick].score is not None for pick in found.picks} == {True}
    assert found.size == sum(net.size for net in found.members)
    assert len({net.digest() for net in found.members}) == 4
    assert found.predict(rows).shape == (len(part.test), part.n_outputs)


def test_networks_stop_on_the_inner_folds_in_turn_whatever_trials_they_are_of():
    """Together they train on every row; those the trials had there already are taken as they are."""
    part = part_of(folds_per_trial=3, seeds=5)
    nets, _, found = fitted(part)
    of_trials = {
        (p.trial, p.fold): one.net
        for p, one in nets.trainer.trained.items()
        if not p.copy
    }
    first = {}
    for member, pick in enumerate(found.picks):
        first.setdefault((pick, member % 3), found.members[member])

    assert len(found.picks) == 5
    for place, net in first.items():
        assert net.digest() == of_trials[place].digest()


def test_a_network_without_a_finite_loss_is_left_out_and_told():
    part = part_of()
    nets, trials, _ = fitted(part)
    lost = next(
        place for place in nets.trainer.trained if place.copy == 0 and place.fold == 1
    )
    nets.trainer.trained[lost] = dataclasses.replace(
        nets.trainer.trained[lost], net=None
    )
    found = nets.fit(trials[0])

    assert len(found.members) == len(found.picks) == 3
    assert str(found.remark) == "1 of 4 networks had no finite loss and are left out"


def test_none_that_may_be_picked_is_told():
    with pytest.raises(TrainingFailed, match="None of 2 trials"):
        select([None, None], np.array([0.0]), 3, "squared_error")


# Refitting -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [{}, {"tuner": "hyperband", "epochs": 6}])
@pytest.mark.parametrize("table", [None, number_table(160, seed=3)])
def test_what_was_selected_is_trained_again_without_a_search_to_the_same_bits(
    table, how
):
    _, trials, before = fitted(part_of(table), **how)
    hyperparameters = [trial.hyperparameters for trial in trials]
    again, trained = refit(
        deep(part_of(table), 5).trainer, hyperparameters, before.picks
    )
    few, courses = refit(
        deep(part_of(table), 5).trainer, hyperparameters, before.picks[:2], n_watched=20
    )

    assert nets_digest(again.members) == nets_digest(before.members)
    assert again.picks == before.picks
    assert nets_digest(few.members) == nets_digest(before.members[:2])
    assert [training.course for training in trained] == [None] * 4
    assert all(training.course is not None for training in courses)
