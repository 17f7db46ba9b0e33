"""`eqm.generative.FeatureMoments` beside its definition in float64, and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import at_once, fold, seeds, values_of
from .oracle import CASES, DIM, features, moments, sides


@at_once
@given(seed=seeds)
def test_moments_are_numpys(seed):
    batch = features(seed)
    got = values_of(fold, eqm.generative.FeatureMoments(DIM), batch)
    for i in range(CASES):
        real, generated, w = sides(batch, i)
        for name, x in (("real", real), ("generated", generated)):
            found = {k: np.asarray(v)[i] for k, v in got[name].items()}
            np.testing.assert_allclose(found["weight"], w.sum(), rtol=1e-6)
            if w.sum() <= 1:
                assert np.isnan(found["covariance"]).all()
                continue
            mean, covariance = moments(x, w)
            np.testing.assert_allclose(found["mean"], mean, rtol=1e-5, atol=1e-6)
            size = np.abs(covariance).max()
            np.testing.assert_allclose(found["covariance"], covariance, 1e-5, 1e-5 * size)


def test_by_hand():
    empty = eqm.generative.FeatureMoments(2)
    x = jnp.array([[1.0, 2.0], [3.0, -2.0]])
    got = empty.update(real_features=x + 1e4, generated_features=x).compute()
    assert got["real"]["mean"].tolist() == [10_002, 10_000]
    for side in got.values():
        assert side["weight"] == 2 and side["covariance"].tolist() == [[2, -4], [-4, 8]]
    alone = eqm.generative.FeatureMoments(2, real=False).compute()
    assert alone.keys() == {"generated"} and jnp.isnan(alone["generated"]["covariance"]).all()
    with pytest.raises(TypeError, match="adds to them"):
        empty.sides["real"].update()
