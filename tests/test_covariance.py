"""`CrossMoments`, `Covariance` and `Correlation` beside numpy in float64."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

import eqmetrics as eqm

from .oracle import agree, few, fold, LOST, moved, pairs, real_rows, spread


@pytest.mark.parametrize("way", [fold, spread])
@few
@given(
    batch=pairs(columns=(3,)), place=st.sampled_from([(1, 0), (1, 1e6), (1e-12, 0), (1e12, 0)])
)
def test_numpys(way, batch, place):
    batch = moved(batch, *place)
    batch["values"] = batch.pop("targets")
    del batch["predictions"]
    x, w = real_rows(batch, "values")
    d = eqm.MetricDict(
        cross=eqm.CrossMoments(3), covariance=eqm.Covariance(3), correlation=eqm.Correlation(3)
    )
    assert len(d.states) == 1
    got = way(d, batch).compute()
    agree(got["cross"]["weight"], w.sum())
    if w.size == 0:
        assert np.all(np.isnan(got["covariance"])) and np.all(np.isnan(got["correlation"]))
        return
    mean = np.average(x, axis=0, weights=w)
    agree(got["cross"]["mean"], mean, rtol=1e-6, atol=1e-6 * place[0])
    products = (x - mean).T @ ((x - mean) * w[:, None])
    if w.sum() > 1 + 1e-6:
        want = products / (w.sum() - 1)
        size = place[0] ** 2 * w.sum() / (w.sum() - 1)
        agree(got["covariance"], want, rtol=1e-5, atol=1e-6 * size)
    root = np.sqrt(np.diagonal(products))
    constant = (np.ptp(x, axis=0) == 0) | (root**2 / w.sum() < LOST)
    with np.errstate(invalid="ignore", divide="ignore"):
        want = np.where(constant[:, None] | constant, np.nan, products / root / root[:, None])
    agree(got["correlation"], want, atol=1e-5)


def test_by_hand():
    x = jnp.array([[1.0, 2.0, 5.0], [3.0, -2.0, 5.0]])
    two = eqm.Covariance(3, ddof=0)
    assert two(x).tolist() == [[1.0, -2.0, 0.0], [-2.0, 4.0, 0.0], [0.0, 0.0, 0.0]]
    assert eqm.Covariance(3)(x).tolist()[0] == [2.0, -4.0, 0.0]
    assert two(x, weights=jnp.array([3.0, 1.0]))[0, 0] == 0.75
    got = np.asarray(eqm.Correlation(3)(x))
    agree(got[:2, :2], [[1.0, -1.0], [-1.0, 1.0]])
    assert np.isnan(got[2]).all() and np.isnan(got[:, 2]).all()
    assert eqm.CrossMoments(3)(x)["products"].tolist()[1] == [-4.0, 8.0, 0.0]


def test_deviations_beyond_the_range_are_never_plausible():
    x = jnp.array([[1.0, 2.0, 5.0], [3.0, -2.0, 5.0]]) * jnp.array([[1.0, 1e-20, 1e-20]])
    got = np.asarray(eqm.Covariance(3)(x))
    assert got[0, 0] == 2.0 and np.isnan(got[1]).all() and np.isnan(got[:, 1]).all()
    assert got[2, 2] == 0.0 and not np.isfinite(eqm.Covariance(1)(x[:, :1] * 1e25)).any()


def test_undefined_and_invalid():
    assert jnp.isnan(eqm.Covariance(2).compute()).all()
    assert jnp.isnan(eqm.Covariance(2)(jnp.ones((1, 2)))).all()
    assert (eqm.Covariance(2, undefined=0.0).compute() == 0).all()
    assert (eqm.Correlation(2, undefined=0.0)(jnp.ones((3, 2))) == 0).all()
    with pytest.raises(TypeError, match=r"expected the trailing shape \(2,\)"):
        eqm.Covariance(2).update(jnp.ones(3))
    with pytest.raises(ValueError, match="size=0"):
        eqm.CrossMoments(0)
    with pytest.raises(eqm.InvalidDataError, match="Covariance: 1 invalid row"):
        eqm.Covariance(2).update(jnp.ones((1, 2)), weights=jnp.array([-1.0])).check()
