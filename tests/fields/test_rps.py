"""`eqm.fields.RPS` beside its definition in float64, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import agree, few, seeds
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


def test_probabilities_of_categories():
    rng = np.random.default_rng(0)
    rows, k = 200, 4
    p = rng.dirichlet(np.full(k, 0.5), rows).astype(np.float32)
    labels, weights = rng.integers(0, k, rows).astype(np.int32), rng.integers(0, 3, rows)
    mask = rng.random(rows) < 0.8
    seen = np.eye(k)[labels]
    each = np.sum((np.cumsum(p, 1, dtype=float) - np.cumsum(seen, 1)) ** 2, axis=1)
    want = np.average(each[mask], weights=weights[mask])
    p[~mask] = np.nan
    metric = eqm.fields.CategoricalRPS(k)
    given = {"labels": labels, "mask": mask, "weights": weights.astype(np.float32)}
    update = jax.jit(lambda **batch: metric.update(**batch).compute())
    agree(update(probabilities=p, **given), want, 1e-6)
    logits = np.log(np.where(mask[:, None], np.maximum(p, 1e-30), 1)).astype(np.float32)
    agree(update(logits=logits, **given), want, 1e-5)
    # Members in categories are an ensemble: the same score of their shares.
    members = rng.integers(0, k, (rows, 10))
    shares = np.stack([np.mean(members == i, axis=1) for i in range(k)], axis=1)
    ensemble = eqm.fields.RPS(np.arange(1, k) - 0.5)
    agree(
        metric(probabilities=shares.astype(np.float32), labels=labels),
        ensemble(samples=members.astype(np.float32), targets=labels.astype(np.float32)),
        1e-6,
    )
    bad = metric.update(probabilities=jnp.array([[0.5, 0.5, 0.5, 0.0]]), labels=jnp.array([4]))
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row"):
        bad.check()
