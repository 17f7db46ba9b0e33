"""`eqm.shape.ChamferDistance` beside scipy in float64, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from scipy.spatial import KDTree

import eqmetrics as eqm

from ..fields.oracle import mean_of_rows, rows_of
from ..oracle import few, seeds
from .oracle import batch_of, WAYS


Chamfer = eqm.shape.ChamferDistance


def chamfer(power):
    def value(p, t):
        near = lambda x, y: np.mean(KDTree(y).query(x)[0] ** power)
        return near(p, t) + near(t, p)

    return value


@pytest.mark.parametrize("power", [1, 2])
@few
@given(seed=seeds)
def test_float64_agrees(power, seed):
    """Sets of different sizes: the predictions have a point less."""

    def value(predictions, targets, mask):
        keep = np.broadcast_to(mask, len(targets))
        return chamfer(power)(predictions, targets[keep])

    for way, inner in WAYS:
        batch = batch_of(seed, inner)
        extra = np.random.default_rng(seed).normal(size=batch["targets"].shape)
        extra = np.where(batch["mask"][..., None, None], extra, np.nan) if not inner else extra
        batch["predictions"] = extra[..., :-1, :].astype(np.float32)
        want = mean_of_rows(batch, value)
        np.testing.assert_allclose(way(Chamfer(power=power), batch).compute(), want, 1e-5)


@few
@given(seed=seeds)
def test_masks_of_both(seed):
    def value(predictions, targets, predicted_mask, mask):
        p, t = predictions[predicted_mask > 0], targets[np.broadcast_to(mask, len(targets))]
        return chamfer(2)(p, t) if len(p) else np.inf

    way, batch = WAYS[0][0], batch_of(seed, True)
    rng = np.random.default_rng(seed)
    shown = rng.random(batch["mask"].shape) < rng.choice([0.1, 0.5, 1.0])
    drawn = rng.normal(size=batch["targets"].shape).astype(np.float32)
    batch["predictions"] = np.where(shown[..., None], drawn, np.nan)
    batch["predicted_mask"] = shown
    each = [(value(mask=m, **x), w) for x, m, w in rows_of(batch)]
    want = sum(x * w for x, w in each) / sum(w for _, w in each) if each else np.nan
    np.testing.assert_allclose(way(Chamfer(), batch).compute(), want, 1e-5)


def test_by_hand():
    p, t = jnp.array([[[0.0, 0.0]]]), jnp.array([[[3.0, 4.0], [0.0, 1.0]]])
    assert Chamfer()(predictions=p, targets=t) == 1 + 13
    assert Chamfer(power=1)(predictions=p, targets=t) == 1 + 3
    assert Chamfer()(predictions=t, targets=t[:, ::-1]) == 0
    far = Chamfer()(predictions=p + 1e4, targets=t + 1e4)
    assert far == 14
    none = jnp.zeros((1, 1), bool)
    assert Chamfer()(predictions=p, targets=t, predicted_mask=none) == jnp.inf
    no_target = jnp.zeros((1, 2), bool)
    assert jnp.isnan(Chamfer()(predictions=p, targets=t, mask=no_target))
    assert jnp.isnan(Chamfer()(predictions=p, targets=t.at[0, 0, 0].set(jnp.nan)))
    slope = jax.grad(lambda x: Chamfer()(predictions=x, targets=t))(p)
    assert slope.tolist() == [[[-3.0, -7.0]]]
    same = jax.grad(lambda x: Chamfer(power=1)(predictions=x, targets=t))(t)
    assert not same.any()


def test_what_it_refuses():
    x = jnp.ones((2, 5, 3))
    with pytest.raises(TypeError, match="they must have the same rows and axes"):
        Chamfer()(predictions=x, targets=x[..., :2])
    with pytest.raises(TypeError, match="they must have the same rows and axes"):
        Chamfer()(predictions=x, targets=x[0])
    with pytest.raises(TypeError, match=r"`predicted_mask` has the shape \(2, 5\)"):
        Chamfer()(predictions=x, targets=x, predicted_mask=jnp.ones(2, bool))
    with pytest.raises(ValueError, match="power=3"):
        Chamfer(power=3)  # pyright: ignore[reportArgumentType]
