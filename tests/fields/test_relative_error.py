"""`eqm.fields.RelativeError` beside its definition in float64, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, seeds
from .oracle import check, mean_of_rows, rows_of


GRID = 4, 3
PAIR = {"predictions": GRID, "targets": GRID}


def norm_of(x, p):
    return np.sum(np.abs(x) ** p) ** (1 / p)


def norms(predictions, targets, mask, p):
    keep = np.broadcast_to(mask, GRID)
    return norm_of((predictions - targets)[keep], p), norm_of(targets[keep], p)


def ratio(p):
    def value(**arrays):
        error, size = norms(**arrays, p=p)
        return error / size if size > 0 else np.nan

    return value


@pytest.mark.parametrize("p", [2, 1, 3])
@few
@given(seed=seeds)
def test_float64_agrees(p, seed):
    metric = eqm.fields.RelativeError(2, p=p)
    check(seed, metric, PAIR, lambda batch: mean_of_rows(batch, ratio(p)), GRID)


@few
@given(seed=seeds)
def test_pooled(seed):
    def truth(batch):
        both = [(*norms(**x, mask=mask, p=2), w) for x, mask, w in rows_of(batch)]
        size = sum(t * w for _, t, w in both)
        return sum(e * w for e, _, w in both) / size if size > 0 else np.nan

    check(seed, eqm.fields.RelativeError(2, per="pooled"), PAIR, truth, GRID)


def test_by_hand():
    # Norms of 1 over 1, and of 1 over 9.
    t = jnp.array([[1.0, 0.0, 0.0], [1.0, 4.0, 8.0]])
    p = t.at[:, 0].add(1.0)
    of = lambda **config: eqm.fields.RelativeError(1, **config)(predictions=p, targets=t)
    np.testing.assert_allclose(of(), 5 / 9, rtol=1e-6)
    np.testing.assert_allclose(of(per="pooled"), 2 / 10, rtol=1e-6)
    np.testing.assert_allclose(of(p=1), (1 + 1 / 13) / 2, rtol=1e-6)
    each = eqm.fields.RelativeError(1).per_row(predictions=p, targets=t)
    np.testing.assert_allclose(each, [1, 1 / 9], rtol=1e-6)


def test_what_a_row_is():
    x = jnp.arange(1.0, 25.0).reshape(2, 3, 4)
    of = lambda axes, x: eqm.fields.RelativeError(axes)(predictions=x + 1, targets=x)
    whole = [1 / np.sqrt(np.mean(np.square(y))) for y in np.asarray(x)]
    np.testing.assert_allclose(of(2, x), np.mean(whole), rtol=1e-6)
    np.testing.assert_allclose(of(2, x[0]), whole[0], rtol=1e-6)
    np.testing.assert_allclose(of(1, x), of(1, x.reshape(6, 4)), rtol=1e-6)
    assert of(1, x) != of(2, x)


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e12, 1e30])
def test_any_scale(scale):
    t = jnp.array([[3.0, 4.0]]) * jnp.float32(scale)
    for per in ("row", "pooled"):
        got = eqm.fields.RelativeError(1, per=per)(predictions=t * 1.5, targets=t)
        np.testing.assert_allclose(got, 0.5, rtol=1e-6)


def test_integers_beyond_the_whole_floats():
    t = np.full((1, 2), 2**24, np.int32)
    got = eqm.fields.RelativeError(1)(predictions=t + 1, targets=t)
    np.testing.assert_allclose(got, 2.0**-24, rtol=1e-6)


def test_a_target_of_0():
    t = jnp.array([[0.0, 0.0], [3.0, 4.0]])
    p = jnp.array([[1.0, 1.0], [3.0, 9.0]])
    error = eqm.fields.RelativeError(1)
    assert error(predictions=p, targets=t) == 1
    assert jnp.isnan(error(predictions=p[:1], targets=t[:1])) and jnp.isnan(error.compute())
    pooled = eqm.fields.RelativeError(1, per="pooled", undefined=-1.0)
    assert pooled(predictions=p[:1], targets=t[:1]) == -1
    assert jnp.isnan(error(predictions=p.at[1, 0].set(jnp.nan), targets=t))


@pytest.mark.parametrize("p, size", [(1, 7), (2, 5), (3, 91 ** (1 / 3))])
def test_the_gradient(p, size):
    t = jnp.array([[3.0, 4.0]])
    error = eqm.fields.RelativeError(1, p=p)
    slope = jax.jit(jax.grad(lambda x: error(predictions=x, targets=t)))
    assert not slope(t).any()
    np.testing.assert_allclose(slope(t.at[0, 0].add(2)), [[1 / size, 0]], rtol=1e-6)


def test_what_it_refuses():
    x = jnp.ones((2, 3))
    error = eqm.fields.RelativeError(2)
    with pytest.raises(TypeError, match=r"float32\[3\], expected fields.*the grid has 2 axes"):
        error(predictions=x[0], targets=x[0])
    with pytest.raises(TypeError, match=r"`predictions` is .*\[2, 3\] and `targets` is .*\[2\]"):
        error(predictions=x, targets=x[:, 0])
    with pytest.raises(TypeError, match=r"`mask` is bool\[2\]"):
        error(predictions=x, targets=x, mask=jnp.ones(2, bool))
    with pytest.raises(ValueError, match="axes=0"):
        eqm.fields.RelativeError(0)
    with pytest.raises(ValueError, match="p=0.5"):
        eqm.fields.RelativeError(1, p=0.5)
    with pytest.raises(ValueError, match="`per` is 'field'"):
        eqm.fields.RelativeError(1, per="field")  # pyright: ignore[reportArgumentType]
