import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from assay.gate.power import detectable, needed_rows
from assay.study.plans import CleanPlan, GatePlan, Gating
from tests.model_factories import steady

PLAN = Gating(gate=GatePlan(), clean=CleanPlan(), smallest_effect=0.6, alpha=0.05)


def test_what_is_detectable_is_measured_from_the_mean_of_the_null_scores():
    """By hand: mean .52, standard deviation .02, z = 1.645 + .842 at alpha .05."""
    null = np.array([0.50, 0.52, 0.54])

    assert detectable(null, 0.05) == pytest.approx(0.52 + 2.4865 * 0.02, abs=1e-4)


def test_the_rows_needed_bring_what_is_detectable_down_to_the_smallest_effect():
    """By hand: .0697 above chance on 100 rows; it shrinks with the root, so .1 takes 48.6."""
    null = np.array([0.50, 0.52, 0.54])

    assert needed_rows(100, null, 0.5, PLAN) == 49


@steady
@given(
    arrays(np.float64, st.integers(5, 40), elements=st.floats(0.3, 0.7)),
    st.integers(60, 5000),
)
def test_more_rows_are_needed_the_wider_chance_spreads(null, n):
    wider = null.mean() + 2 * (null - null.mean())

    assert needed_rows(n, wider, 0.5, PLAN) >= needed_rows(n, null, 0.5, PLAN)
