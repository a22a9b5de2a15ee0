import numpy as np
import pytest

from assay.models.dense_nets import portfolio
from assay.models.net_search import deep
from assay.models.net_trainer import Member
from assay.study.plans import NetSpace
from tests.models.net_parts import SPACE, part_of

pytestmark = pytest.mark.slow


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
    unencoded = portfolio(NetSpace(), numeric=False)
    assert [(one["pieces"], one["screen"]) for one in unencoded] == [(0, 0.0), (0, 2.0)]


def test_emphasis_depends_on_the_labels_of_training_rows_only():
    """Labels of the rows a network stops on may be anything: its emphases stay as they are."""
    part = part_of()
    trainer = deep(part, 5).trainer
    trainer.trials = [portfolio(SPACE)[-1]]
    jobs = [trainer.job(Member(0, fold)) for fold in range(3)]
    part.labels[jobs[0].stopping_rows] = 1 - part.labels[jobs[0].stopping_rows]
    other = deep(part, 5).trainer
    other.trials = trainer.trials
    flipped = [other.job(Member(0, fold)) for fold in range(3)]

    assert np.array_equal(jobs[0].emphasis, flipped[0].emphasis)
    assert not np.array_equal(jobs[1].emphasis, flipped[1].emphasis)
    assert jobs[0].emphasis[0] > 0
