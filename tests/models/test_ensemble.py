import dataclasses

import numpy as np
import pytest

from assay.errors import TrainingFailed
from assay.models.ensemble import Nets, _Place, batch_size_for, portfolio, select
from assay.models.search import search
from assay.models.training_part import Part
from assay.networks.net import nets_digest
from assay.networks.train import train
from assay.study.plans import CleanPlan, NetSpace, TunePlan, Tuning
from tests.model_factories import line_table, number_table, samples_of, shuffled_folds

pytestmark = pytest.mark.slow

SPACE = NetSpace(depth=(1,), width=(8,), pieces=(0, 4), learning_rate=(5e-3, 2e-2))


def part_of(table=None, **changed):
    samples = samples_of(table or line_table(160, seed=3))
    codes = samples.labels if samples.task != "regression" else np.zeros(160)
    inner = shuffled_folds(codes, 3, 1)
    inner[shuffled_folds(codes, 4, 2) == 0] = -1
    plan = {"seeds": 4, "epochs": 6, "patience": 3, "net": SPACE, **changed}
    metric = "r2" if samples.task == "regression" else "auc"
    tuning = Tuning(
        tune=TunePlan.model_validate(plan), clean=CleanPlan(), metric=metric
    )
    return Part(samples, inner, tuning)


def fitted(part, n_trials=3, **how):
    nets = Nets(part, 5)
    trials, winner = search(
        nets.space, n_trials, 5, nets.try_all, first=nets.first, **how
    )
    return nets, trials, nets.fit(trials[winner])


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
        (p.trial, p.fold): one.net for p, one in nets._trained.items() if not p.copy
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
    lost = next(place for place in nets._trained if place.copy == 0 and place.fold == 1)
    nets._trained[lost] = dataclasses.replace(nets._trained[lost], net=None)
    found = nets.fit(trials[0])

    assert len(found.members) == len(found.picks) == 3
    assert found.remark == "1 of 4 networks had no finite loss and are left out"


def test_none_that_may_be_picked_is_told():
    with pytest.raises(TrainingFailed, match="None of 2 trials"):
        select([None, None], np.array([0.0]), 3, "squared_error")


def test_what_is_good_without_a_search_lies_in_the_space():
    """With pieces, without, and screened, where the space has them."""
    with_pieces, without, screened = portfolio(NetSpace())
    narrow = NetSpace(
        width=(16,), pieces=(0,), screen=(0.0,), learning_rate=(1e-2, 1e-1)
    )

    assert (with_pieces["pieces"], without["pieces"]) == (8, 0)
    assert with_pieces | {"pieces": 0} == without == screened | {"screen": 0.0}
    assert [one["width"] for one in portfolio(narrow)] == [16]
    assert portfolio(narrow)[0]["learning_rate"] == 1e-2
    unencoded = portfolio(NetSpace(), numbers=False)
    assert [(one["pieces"], one["screen"]) for one in unencoded] == [(0, 0.0), (0, 2.0)]


def test_what_a_network_is_shown_is_told_by_the_rows_it_learns_from():
    """Labels of the rows it stops on may be anything: its emphases stay as they are."""
    part = part_of()
    nets = Nets(part, 5)
    nets.try_all([portfolio(SPACE)[-1]])
    jobs = [nets._job(_Place(0, fold)) for fold in range(3)]
    part.labels[jobs[0].stopping_rows] = 1 - part.labels[jobs[0].stopping_rows]
    again = Nets(part, 5)
    again.asked = nets.asked
    turned = [again._job(_Place(0, fold)) for fold in range(3)]

    assert np.array_equal(jobs[0].emphasis, turned[0].emphasis)
    assert not np.array_equal(jobs[1].emphasis, turned[1].emphasis)
    assert jobs[0].emphasis[0] > 0


def test_batches_grow_with_the_rows():
    sizes = [batch_size_for(n) for n in (2, 800, 1599, 1600, 6400, 10**6)]

    assert sizes == [32, 32, 32, 64, 256, 256]


def test_classes_of_equal_say_weigh_as_much_in_all():
    part = part_of(balanced=True)
    rare = dataclasses.replace(
        samples_of(line_table(160, seed=3)),
        labels=(np.arange(160) % 8 == 0).astype(np.int32),
    )
    other = Part(rare, part.inner, part.plan)
    counts = np.bincount(rare.labels[other.whole.train])

    assert np.array(other.class_weights()) * counts == pytest.approx(counts.sum() / 2)
    assert part_of().class_weights() == ()


# Hyperband -------------------------------------------------------------------------------------


def test_hyperband_goes_on_with_networks_where_they_paused():
    """The winner of a bracket has the bits of a network trained in one go."""
    part = part_of(epochs=9, patience=9)
    nets, trials, found = fitted(part, tuner="hyperband", epochs=9)
    longest = [t for t in trials if t.hyperparameters.get("goes_on", -1) >= 0]
    whole = [t for t in longest if t.hyperparameters["epochs"] == 9]

    assert whole
    for trial in whole:
        place = next(p for p in nets._trained if p.trial == trial.number)
        job = dataclasses.replace(nets._job(place), paused=None, until=None)
        assert (
            train([job], nets.schedule)[0].net.digest()
            == nets._trained[place].net.digest()
        )
    for pick in found.picks:
        assert trials[pick].hyperparameters.get("epochs", 9) == 9


# Once more ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [{}, {"tuner": "hyperband", "epochs": 6}])
@pytest.mark.parametrize("table", [None, number_table(160, seed=3)])
def test_what_was_picked_is_trained_again_without_a_search_to_the_same_bits(table, how):
    _, trials, before = fitted(part_of(table), **how)
    again, trained = Nets(part_of(table), 5).again(
        [trial.hyperparameters for trial in trials], before.picks
    )
    some, courses = Nets(part_of(table), 5).again(
        [trial.hyperparameters for trial in trials], before.picks[:2], n_watched=20
    )

    assert nets_digest(again.members) == nets_digest(before.members)
    assert again.picks == before.picks
    assert nets_digest(some.members) == nets_digest(before.members[:2])
    assert [one.course for one in trained] == [None] * 4
    assert all(one.course is not None for one in courses)
