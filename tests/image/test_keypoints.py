"""`eqm.image.PCK` and `eqm.image.OKS` beside their definitions in float64, and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, seeds
from .oracle import check, ROWS, STEPS


SIGMAS = 0.026, 0.1, 0.5, 0.079, 0.3


def draw(name):
    def batch(rng):
        """Whole numbers, whose distances aren't beside a threshold by rounding."""
        shape = (STEPS, ROWS, 5, 2)
        targets = rng.integers(0, 100, shape)
        predictions = targets + rng.integers(-9, 10, shape)
        size = rng.integers(1, 30, shape[:2])
        return {"predictions": predictions, "targets": targets, name: size}

    return batch


def squares(arrays):
    return np.sum((arrays["predictions"] - arrays["targets"]) ** 2, axis=-1)


@few
@given(seed=seeds)
def test_pck(seed):
    def entries(arrays, mask):
        near = squares(arrays) <= (arrays["scale"] / 2) ** 2
        return near[np.broadcast_to(mask, 5)].astype(float)

    make = lambda per: eqm.image.PCK(0.5, per=per)
    check(seed, make, entries, draw=draw("scale"), mask=(5,))


@few
@given(seed=seeds)
def test_oks(seed):
    def entries(arrays, mask):
        k = 2 * np.array(SIGMAS)
        return np.exp(-squares(arrays) / (2 * arrays["areas"] * k**2))[np.broadcast_to(mask, 5)]

    make = lambda per: eqm.image.OKS(SIGMAS, per=per)
    check(seed, make, entries, draw=draw("areas"), mask=(5,))


def test_by_hand():
    targets = jnp.zeros((2, 2, 2))
    predictions = jnp.array([[[3.0, 4.0], [9.0, 0.0]], [[0.0, 0.0], [50.0, 0.0]]])
    mask = jnp.array([[True, True], [True, False]])
    pck = lambda **kw: eqm.image.PCK(0.5, **kw)(
        predictions=predictions, targets=targets, scale=jnp.array([10.0, 1.0]), mask=mask
    )
    assert pck() == 0.75 and pck(per="pooled") == pytest.approx(2 / 3)
    oks = eqm.image.OKS((0.5, 0.25))(
        predictions=predictions, targets=targets, areas=jnp.array([25.0, 4.0]), mask=mask
    )
    want = ((np.exp(-25 / 50) + np.exp(-81 / (50 / 4))) / 2 + 1) / 2
    assert abs(oks - want) < 1e-6
    at = jnp.ones((1, 17, 3))
    assert eqm.image.OKS()(predictions=at, targets=at, areas=jnp.ones(1)) == 1


def test_undefined_invalid_and_refused():
    x, mask = jnp.ones((2, 5, 2)), jnp.ones((2, 5), bool).at[0].set(False)
    for metric, name in ((eqm.image.PCK(0.5), "scale"), (eqm.image.OKS(SIGMAS), "areas")):
        assert jnp.isnan(metric.compute())
        size = {name: jnp.array([0.0, 1.0])}
        with pytest.raises(eqm.InvalidDataError, match=f"1 invalid.*{name} > 0"):
            metric.update(predictions=x, targets=x, **size).check()
        # a row without a keypoint needs no size
        assert metric(predictions=x, targets=x, mask=mask, **size) == 1
        assert jnp.isnan(metric(predictions=x * jnp.nan, targets=x, **{name: jnp.ones(2)}))
        for wrong, words in (
            ({name: jnp.ones(3)}, f"`{name}` has one number for each row"),
            ({"targets": x[:, :4]}, "must have the same shape"),
            ({"mask": jnp.ones((2, 4), bool)}, "removes what is in them"),
        ):
            outputs = {"predictions": x, "targets": x, name: jnp.ones(2)} | wrong
            with pytest.raises(TypeError, match=words):
                metric.update(**outputs)
    with pytest.raises(TypeError, match="with 5 keypoints, expected 17"):
        eqm.image.OKS().update(predictions=x, targets=x, areas=jnp.ones(2))
    with pytest.raises(ValueError, match="threshold=0.0"):
        eqm.image.PCK(0.0)
    with pytest.raises(ValueError, match="sigmas="):
        eqm.image.OKS(())
