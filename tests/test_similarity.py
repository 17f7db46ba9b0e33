"""Scores of vectors beside scipy."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

import eqmetrics as eqm

from .oracle import agree, fold, many, moved, pairs, real_rows, spread


def cosine(t, p):
    return np.sum(t * p, 1) / np.linalg.norm(t, axis=1) / np.linalg.norm(p, axis=1)


CASES = [
    (eqm.CosineSimilarity(), cosine, -2),
    (eqm.KLDivergence(), lambda t, p: entropy(t.T, p.T), 0),
    (eqm.JensenShannon(), lambda t, p: jensenshannon(t.T, p.T) ** 2, 0),
]


@pytest.mark.parametrize("way", [fold, spread])
@pytest.mark.parametrize("metric, oracle, low", CASES)
@many
@given(data=st.data(), scale=st.sampled_from([1.0, 1e-12, 1e12]))
def test_scipys(way, metric, oracle, low, data, scale):
    batch = data.draw(pairs(low, columns=(3,)))
    for name in ("predictions", "targets"):
        batch[name][..., 0] = np.where(np.any(batch[name], axis=-1), batch[name][..., 0], 1)
    batch = moved(batch, scale)
    p, t, w = real_rows(batch, "predictions", "targets")
    want = np.average(oracle(t, p), weights=w) if w.size else np.nan
    agree(way(metric, batch).compute(), want, rtol=1e-5, atol=1e-6)


def test_by_hand():
    p, t = jnp.array([[3.0, 4.0], [1.0, 0.0]]), jnp.array([[4.0, 3.0], [-1.0, 0.0]])
    agree(eqm.CosineSimilarity()(predictions=p, targets=t), (0.96 - 1) / 2)
    one, two = jnp.array([[1.0, 0.0]]), jnp.array([[2.0, 2.0]])
    agree(eqm.KLDivergence()(predictions=two, targets=one), np.log(2))
    assert jnp.isinf(eqm.KLDivergence()(predictions=one, targets=two))
    agree(eqm.JensenShannon()(predictions=one, targets=one[:, ::-1]), np.log(2))
    far = jnp.array([[1e30, 1e-30]])
    agree(eqm.CosineSimilarity()(predictions=far, targets=far), 1.0)


def test_undefined_and_invalid():
    bad, good = jnp.array([[0.0, 0.0], [1.0, 1.0]]), jnp.ones((2, 2))
    for metric, _, _ in CASES:
        assert jnp.isnan(metric.compute()) and type(metric)(undefined=0.0).compute() == 0.0
        for p, t in ((bad, good), (good, bad)):
            seen = metric.update(predictions=p, targets=t)
            assert jnp.isnan(seen.compute())
            with pytest.raises(eqm.InvalidDataError, match="1 invalid row"):
                seen.check()
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row"):
        eqm.KLDivergence().update(predictions=jnp.array([[-1.0, 2.0]]), targets=good[:1]).check()
    with pytest.raises(TypeError, match="`predictions` is float32.*vectors"):
        eqm.CosineSimilarity().update(predictions=jnp.ones(()), targets=jnp.ones(()))
