"""`eqm.fields.RPS` beside its definition in float64, and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, seeds
from .ensembles import check_ensembles


EDGES = -1.0, 0.0, 1.0, 3.0


def ranked(fair):
    def value(x, t):
        # By the categories, as the definition has it.
        at = lambda x: np.searchsorted(EDGES, x, "right")
        shares = np.bincount(at(x), minlength=len(EDGES) + 1) / x.size
        seen = np.eye(len(EDGES) + 1)[at(t)]
        score = np.sum((np.cumsum(shares) - np.cumsum(seen)) ** 2)
        below = np.cumsum(shares)[:-1]
        return score - np.sum(below * (1 - below)) / (x.size - 1) if fair else score

    return value


@pytest.mark.parametrize("fair", [False, True])
@few
@given(seed=seeds)
def test_float64_agrees(fair, seed):
    metric = eqm.fields.RPS(EDGES, fair=fair)
    check_ensembles(seed, metric, ranked(fair), least=1 + fair)


def test_by_hand():
    x = jnp.array([[0.5, 1.5, 1.7, 3.0]])
    rps = eqm.fields.RPS([1.0, 2.0])
    assert rps(samples=x, targets=jnp.array([0.0])) == 0.75**2 + 0.25**2
    assert rps(samples=x, targets=jnp.array([2.0])) == 0.25**2 + 0.75**2  # on the edge: above
    # Of one edge it is the Brier score of the event.
    brier = eqm.Brier(eqm.Binary())(probabilities=jnp.array([0.75]), labels=jnp.array([0]))
    assert eqm.fields.RPS([1.0])(samples=x, targets=jnp.array([0.0])) == brier
    # All pairs of draws of what happens half of the time: on average the score of the half.
    draws = jnp.array([[0.0, 0.0], [0.0, 2.0], [2.0, 0.0], [2.0, 2.0]])
    of = lambda fair: eqm.fields.RPS([1.0], fair=fair)(samples=draws, targets=jnp.zeros(4))
    assert of(True) == 0.25 and of(False) == 0.375
    whole = np.array([[2**24, 2**24 + 1]], np.int32)
    assert eqm.fields.RPS([2**24 + 1])(samples=whole, targets=whole[:, 1]) == 0.25


def test_invalid_and_refused():
    rps = eqm.fields.RPS([1.0])
    assert jnp.isnan(rps.compute())
    x = jnp.array([[1.0, jnp.nan], [1.0, 3.0]])
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*without NaN"):
        rps.update(samples=x, targets=jnp.ones(2)).check()
    for edges in ([], [1.0, 1.0], [[1.0]], [2.0, 1.0]):
        with pytest.raises(ValueError, match="expected increasing numbers"):
            eqm.fields.RPS(np.array(edges))
