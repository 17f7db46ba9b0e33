"""`eqm.fields.AnomalyCorrelation` beside its definition in float64, and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, seeds
from .oracle import check, mean_of_rows


OUTPUTS, GRID = (2,), (4, 3)
AREA = np.arange(12.0).reshape(GRID)
NAMES = "predictions", "targets", "climatology"


def value_of(centred):
    def value(predictions, targets, mask, climatology=None):
        found = []
        for i in range(OUTPUTS[0]):
            keep = np.broadcast_to(mask, OUTPUTS + GRID)[i] & (AREA > 0)
            base = climatology[i] if climatology is not None else np.zeros(GRID)
            a, p, t = (x[keep] for x in (AREA, predictions[i] - base, targets[i] - base))
            if a.size and centred:
                p, t = (
                    np.zeros_like(x) if np.ptp(x) == 0 else x - np.average(x, weights=a)
                    for x in (p, t)
                )
            size = np.sqrt(np.sum(a * p**2) * np.sum(a * t**2))
            found.append(np.sum(a * p * t) / size if size > 0 else np.nan)
        return found

    return value


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("of_climatology", [False, True])
@few
@given(seed=seeds)
def test_float64_agrees(centred, of_climatology, seed):
    metric = eqm.fields.AnomalyCorrelation(AREA, centred=centred, outputs=OUTPUTS)
    shapes = {name: OUTPUTS + GRID for name in NAMES[: 2 + of_climatology]}
    value = value_of(centred)
    check(seed, metric, shapes, lambda b: mean_of_rows(b, value), OUTPUTS + GRID, atol=2e-6)


def test_by_hand():
    p, t = jnp.array([[1.0, 3.0]]), jnp.array([[2.0, 1.0]])
    of = lambda **config: eqm.fields.AnomalyCorrelation([1.0, 1.0], **config)(
        predictions=p, targets=t
    )
    np.testing.assert_allclose(of(), 5 / np.sqrt(50), rtol=1e-6)
    np.testing.assert_allclose(of(centred=True), -1, rtol=1e-6)
    # The offset of the climatology costs no digit that the fields still have.
    acc = eqm.fields.AnomalyCorrelation([1.0, 1.0])
    base = jnp.full((1, 2), 2.0**20)
    value = acc(predictions=p + base, targets=t + base, climatology=base)
    np.testing.assert_allclose(value, 5 / np.sqrt(50), rtol=1e-6)
    # The mean of the fields' values, not the value of their sums.
    p, t = jnp.array([[1.0, 0.0], [0.0, 9.0]]), jnp.array([[1.0, 0.0], [1.0, 0.0]])
    np.testing.assert_allclose(acc(predictions=p, targets=t), 0.5, rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_any_scale(scale):
    p, t = jnp.array([[1.0, 3.0]]) * scale, jnp.array([[2.0, 1.0]])
    value = eqm.fields.AnomalyCorrelation([1.0, 1.0])(predictions=p, targets=t)
    np.testing.assert_allclose(value, 5 / np.sqrt(50), rtol=1e-6)


def test_undefined():
    x = jnp.array([[0.1, 0.1, 0.1], [0.1, 0.2, 0.4]])
    acc = eqm.fields.AnomalyCorrelation([1.0, 1.0, 1.0], centred=True)
    assert jnp.isnan(acc.compute())
    assert jnp.isnan(acc(predictions=x[:1], targets=x[1:]))
    np.testing.assert_allclose(acc(predictions=x, targets=x), 1, rtol=1e-6)
    flat = eqm.fields.AnomalyCorrelation([1.0, 1.0, 1.0], undefined=0.0)
    assert flat(predictions=x, targets=jnp.zeros_like(x)) == 0
    assert jnp.isnan(flat(predictions=x.at[0, 0].set(jnp.nan), targets=x))
