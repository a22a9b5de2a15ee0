import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import TrainingFailed
from assay.models.search import at_edge, full_trainings, search
from assay.study.plans import BoostingSpace, ImageSpace, LogisticSpace, NetSpace
from assay.wording import Sentence
from tests.model_factories import steady

pytestmark = pytest.mark.slow

SPACES = [NetSpace(), ImageSpace(), LogisticSpace(), BoostingSpace()]


def by_rate(asked):
    """Score a trial by its rate or penalty, so that the best one is known."""
    known = [one.get("learning_rate", one.get("inverse_penalty")) for one in asked]
    return [(float(rate), None) for rate in known]


@pytest.mark.parametrize("space", SPACES)
def test_the_same_seed_asks_for_the_same_trials(space):
    assert search(space, 5, 3, by_rate) == search(space, 5, 3, by_rate)


@pytest.mark.parametrize("space", SPACES)
def test_another_seed_asks_for_others(space):
    first, other = search(space, 5, 3, by_rate)[0], search(space, 5, 4, by_rate)[0]

    assert [t.hyperparameters for t in first] != [t.hyperparameters for t in other]


@pytest.mark.parametrize("space", SPACES)
def test_trials_lie_in_the_declared_space_and_differ(space):
    trials, _ = search(space, 6, 1, by_rate)

    assert [trial.number for trial in trials] == list(range(6))
    assert len({str(trial.hyperparameters) for trial in trials}) == 6
    for trial in trials:
        for name, value in trial.hyperparameters.items():
            declared = getattr(space, name)
            chosen = value in declared
            assert chosen or declared[0] <= value <= declared[-1], name


def test_more_trials_begin_with_the_same_ones():
    """A larger budget looks further; it does not look elsewhere."""
    few, many = (
        search(NetSpace(), 3, 5, by_rate)[0],
        search(NetSpace(), 6, 5, by_rate)[0],
    )

    assert [t.hyperparameters for t in many[:3]] == [t.hyperparameters for t in few]


def test_a_small_space_gives_fewer_trials_than_asked_for():
    """Between 1 and the next number there is room for two trials or three, and none is tried twice."""
    space = LogisticSpace(inverse_penalty=(1.0, float(np.nextafter(1.0, 2.0))))
    trials, winner = search(space, 20, 1, by_rate)
    tried = [trial.hyperparameters["inverse_penalty"] for trial in trials]

    assert 1 <= len(trials) <= 3
    assert len(set(tried)) == len(tried)
    assert tried[winner] == max(tried)


def test_everything_is_tried_in_one_go():
    """The net's trials are trained in one stack, so they are asked for together."""
    calls = []

    def count(asked):
        calls.append(len(asked))
        return by_rate(asked)

    search(LogisticSpace(), 4, 1, count)

    assert calls == [4]


@steady
@given(st.lists(st.none() | st.floats(0, 1), min_size=4, max_size=4).filter(any))
def test_the_winner_is_the_first_of_the_best_and_never_a_failed_one(scores):
    trials, winner = search(
        LogisticSpace(),
        4,
        1,
        lambda _: [
            (s, None if s is not None else Sentence.plain("NaN")) for s in scores
        ],
    )
    best = max(s for s in scores if s is not None)

    assert winner == scores.index(best)
    assert [trial.score for trial in trials] == scores
    assert [bool(trial.message) for trial in trials] == [s is None for s in scores]


def test_when_every_trial_fails_the_search_says_why():
    with pytest.raises(TrainingFailed, match=r"None of 3 trials.*never finite"):
        search(
            NetSpace(),
            3,
            1,
            lambda asked: (
                [(None, Sentence.plain("the loss was never finite"))] * len(asked)
            ),
        )


def test_faults_of_ours_are_not_taken_for_bad_trials():
    def broken(asked):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        search(NetSpace(), 3, 1, broken)


def test_a_search_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    search(NetSpace(), 3, 1, by_rate)

    assert list(tmp_path.iterdir()) == []


# Before the oracle, and other oracles ------------------------------------------------------------


def test_what_is_good_without_a_search_is_tried_first_and_counts():
    first = [{"inverse_penalty": 1.0}]
    trials, winner = search(LogisticSpace(), 4, 1, by_rate, first=first)
    alone, _ = search(LogisticSpace(), 1, 1, by_rate, first=first)

    assert [len(trials), len(alone)] == [4, 1]
    assert trials[0].hyperparameters == alone[0].hyperparameters == first[0]
    assert trials[winner].score == max(trial.score for trial in trials)


@pytest.mark.parametrize("tuner", ["random", "hyperband", "bayesian"])
def test_every_oracle_proposes_the_same_from_the_same_seed_and_scores(tuner):
    """Whatever was kept on disk by one that was killed: nothing is read from there."""
    how = {"tuner": tuner, "epochs": 9, "first": [{"inverse_penalty": 1.0}]}
    first, again = (search(LogisticSpace(), 7, 3, by_rate, **how) for _ in range(2))
    other = search(LogisticSpace(), 7, 4, by_rate, **how)

    assert first == again != other
    assert tuner == "hyperband" or len(first[0]) == 7


def test_hyperband_says_how_long_to_train_and_what_to_go_on_with():
    """Nine epochs: brackets that begin with 1, 3 and 9; a third goes on, and only the best."""
    trials, _ = search(LogisticSpace(), 2, 3, by_rate, tuner="hyperband", epochs=9)
    known = {trial.number: trial for trial in trials}
    lengths = {trial.hyperparameters["epochs"] for trial in trials}
    later = [t for t in trials if t.hyperparameters["goes_on"] >= 0]

    assert lengths == {1, 3, 9}
    assert later
    for trial in later:
        before = known[trial.hyperparameters["goes_on"]].hyperparameters
        assert before["epochs"] * 3 == trial.hyperparameters["epochs"]
        assert before["inverse_penalty"] == trial.hyperparameters["inverse_penalty"]


def test_a_sweep_of_hyperband_is_priced_in_whole_trainings():
    """By hand for 3 epochs: bracket 1 has 3 of one epoch and 1 of two more, bracket 0 has 2 of three."""
    assert full_trainings("random", 8, 2, 3) == 8
    assert full_trainings("hyperband", 8, 2, 3) == 2 - (-(3 * 1 + 1 * 2 + 2 * 3) // 3)


def test_an_edge_is_named_with_the_side_it_is_on():
    space = NetSpace(width=(64, 128, 256), learning_rate=(1e-3, 1e-1))
    known = {"width": 256, "learning_rate": 1.1e-3, "depth": 2, "activation": "relu"}

    assert at_edge(space, known) == ("width >= 256", "learning_rate <= 0.001")
    assert at_edge(space, known | {"width": 128, "learning_rate": 1e-2}) == ()
    assert at_edge(NetSpace(width=(64, 128)), {"width": 128}) == ()
    assert at_edge(NetSpace(dropout=(0.0, 0.3)), {"dropout": 0.3}) == ()
