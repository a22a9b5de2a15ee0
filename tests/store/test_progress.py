import pytest

from assay.store.progress import Finished, Started, Step, announce, listening, report
from assay.wording import Sentence


def test_a_listener_hears_everything_in_order_while_it_listens():
    heard = []
    with listening(heard.append):
        announce(Started("gate", ""))
        report("gate.permutations", 16, 999)
        announce(Finished("gate", "", 1.5, False, "AUC .9"))
    report("gate.permutations", 48, 999)

    assert heard == [
        Started("gate", ""),
        Step(Sentence("gate.permutations"), 16, 999),
        Finished("gate", "", 1.5, False, "AUC .9"),
    ]


def test_two_listeners_hear_the_same_and_leave_one_at_a_time():
    outside, inside = [], []
    with listening(outside.append):
        with listening(inside.append):
            report("models.step.models", 0, 3)
        report("models.step.models", 1, 3)

    models = Sentence("models.step.models")
    first = Step(models, 0, 3)
    assert inside == [first]
    assert outside == [first, Step(models, 1, 3)]


def test_a_listener_leaves_even_when_the_work_fails():
    heard = []
    with pytest.raises(ZeroDivisionError), listening(heard.append):
        _ = 1 / 0
    report("models.step.models", 0, 3)

    assert heard == []


def test_nobody_listening_is_no_error():
    report("models.step.models", 0, 3)
