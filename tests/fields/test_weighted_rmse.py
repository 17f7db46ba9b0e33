"""`eqm.fields.WeightedRMSE` beside its definition in float64, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, seeds
from .oracle import check, rows_of


OUTPUTS, GRID = (2,), (4, 3)
AREA = np.cos(np.deg2rad([[80.0], [30], [-30], [-90]])).clip(0) * np.ones(3)
PAIR = {name: OUTPUTS + GRID for name in ("predictions", "targets")}


def truth(batch):
    total, size = np.zeros(OUTPUTS), np.zeros(OUTPUTS)
    for x, mask, w in rows_of(batch):
        share = np.where(np.broadcast_to(mask, OUTPUTS + GRID), w * AREA, 0)
        errors = np.nan_to_num(x["predictions"] - x["targets"])
        total += np.sum(share * errors**2, (1, 2))
        size += np.sum(share, (1, 2))
    with np.errstate(invalid="ignore"):
        return np.sqrt(total / size)


@few
@given(seed=seeds)
def test_float64_agrees(seed):
    metric = eqm.fields.WeightedRMSE(AREA, outputs=OUTPUTS)
    check(seed, metric, PAIR, truth, OUTPUTS + GRID)


def test_by_hand():
    p = jnp.array([[0.0, 2.0], [0.0, 4.0]])
    zero = jnp.zeros((2, 2))
    rmse = eqm.fields.WeightedRMSE([3.0, 1.0])
    # Of the mean 1 and 4 of the fields, not 1.5, the mean of their roots.
    np.testing.assert_allclose(rmse(predictions=p, targets=zero), 2.5**0.5, rtol=1e-6)
    np.testing.assert_allclose(rmse.per_row(predictions=p, targets=zero), [1, 2], rtol=1e-6)
    # Errors of 1 everywhere are 1, whatever the areas and the mask.
    for area in ([3.0, 1.0], [3e20, 1e20], [0.0, 7.0]):
        metric = eqm.fields.WeightedRMSE(area)
        assert abs(metric(predictions=zero + 1, targets=zero) - 1) < 1e-6
        mask = jnp.array([[False, True], [False, True]])
        assert abs(metric(predictions=zero + 1, targets=zero, mask=mask) - 1) < 1e-6


def test_integers_beyond_the_whole_floats():
    t = np.full((1, 2), 2**24, np.int32)
    assert eqm.fields.WeightedRMSE([1.0, 1.0])(predictions=t + 1, targets=t) == 1


def test_undefined_and_the_gradient_of_no_error():
    x = jnp.ones((1, 2))
    rmse = eqm.fields.WeightedRMSE([1.0, 0.0])
    assert jnp.isnan(rmse.compute())
    off = jnp.array([[False, True]])
    assert jnp.isnan(rmse(predictions=x, targets=x, mask=off))
    assert eqm.fields.WeightedRMSE([1.0], undefined=0.0).compute() == 0
    assert not jax.grad(lambda p: rmse(predictions=p, targets=x))(x).any()


def test_what_it_refuses():
    x = jnp.ones((2, 3))
    with pytest.raises(TypeError, match=r"float32\[2, 3\], expected the axes of the area, \(2,\)"):
        eqm.fields.WeightedRMSE([1.0, 1.0])(predictions=x, targets=x)
    with pytest.raises(TypeError, match=r"expected the axes \(5,\) of `outputs`"):
        eqm.fields.WeightedRMSE([1.0] * 3, outputs=5)(predictions=x[None], targets=x[None])
    with pytest.raises(TypeError, match=r"expected fields of shape \(\*rows, 5, \*grid\)"):
        eqm.fields.WeightedRMSE([1.0] * 3, outputs=5)(predictions=x[0], targets=x[0])
    for area in (1.0, [0.0, 0.0], [1.0, -1.0], [1.0, np.inf]):
        with pytest.raises(ValueError, match="expected the area of each point"):
            eqm.fields.WeightedRMSE(area)
