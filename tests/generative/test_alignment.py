"""`eqm.generative.Alignment` beside its definition in float64, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import at_once, CASES, cases, fold, seeds, spread, taken, values_of


Alignment = eqm.generative.Alignment


@pytest.mark.parametrize("way, alpha", [(fold, 2.0), (spread, 2.0), (fold, 0.5)])
@at_once
@given(seed=seeds)
def test_float64_agrees(way, alpha, seed):
    batch = cases(seed, columns=(3,))
    keep, w = taken(batch), batch["weights"].astype(np.float64)
    x, y = (batch.pop(k) for k in ("predictions", "targets"))
    blank = lambda v: np.where(keep[..., None], v, np.float32(np.nan))
    batch |= {"anchors": blank(x), "positives": blank(y)}
    got = np.asarray(values_of(way, Alignment(3, alpha=alpha), batch))
    each = np.linalg.norm(x.astype(np.float64) - y, axis=-1) ** alpha
    for i in range(CASES):
        v = w[i][keep[i]]
        want = np.average(each[i][keep[i]], weights=v) if v.sum() else np.nan
        np.testing.assert_allclose(got[i], want, rtol=2e-6)


def test_by_hand():
    eye = jnp.eye(2)
    assert Alignment(2)(anchors=eye, positives=eye[::-1]) == 2
    assert Alignment(2)(anchors=eye, positives=-eye) == 4
    assert abs(Alignment(2, alpha=1)(anchors=eye, positives=eye[::-1]) - 2**0.5) < 1e-6
    for alpha in (0.5, 1.0, 2.0):
        of = lambda x, a=alpha: Alignment(2, alpha=a)(anchors=x, positives=eye)
        assert of(eye) == 0 and not jax.grad(of)(eye).any()


def test_undefined_and_invalid():
    x = jnp.ones((2, 2))
    assert jnp.isnan(Alignment(2).compute()) and Alignment(2, undefined=0.0).compute() == 0
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*finite"):
        Alignment(2).update(anchors=x, positives=x.at[0, 1].set(jnp.nan)).check()
    with pytest.raises(TypeError, match="same shape"):
        Alignment(2).update(anchors=x, positives=x[:1])
    with pytest.raises(ValueError, match="alpha=0"):
        Alignment(2, alpha=0.0)
