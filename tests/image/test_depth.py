"""The scores of depth maps beside their definitions in float64, and by hand."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, seeds
from .oracle import check, check_images, identity, pixels, ROWS, STEPS


def draw(rng):
    """Multiples of 1/16, so that no quotient is beside a threshold by rounding."""
    shape = (STEPS, ROWS, 5, 4)
    return {k: rng.integers(1, 64, shape) / 16 for k in ("predictions", "targets")}


# Of eqm.image.AbsoluteRelative, eqm.image.SquaredRelative, eqm.image.RMSELog and
# eqm.image.DeltaAccuracy: what each pixel adds, and what is read from the mean.
CASES = {
    "AbsoluteRelative": (lambda p, t: np.abs(p - t) / t, identity),
    "SquaredRelative": (lambda p, t: (p - t) ** 2 / t, identity),
    "RMSELog": (lambda p, t: (np.log(p) - np.log(t)) ** 2, np.sqrt),
    "DeltaAccuracy": (lambda p, t: np.maximum(p / t, t / p) < 1.25, identity),
}


@pytest.mark.parametrize("name", CASES)
@few
@given(seed=seeds)
def test_float64_agrees(name, seed):
    each, of_mean = CASES[name]
    entries = lambda arrays, mask: np.asarray(each(*pixels(arrays, mask)), float)
    check(seed, getattr(eqm.image, name), entries, of_mean, draw=draw, mask=(5, 4))


@few
@given(seed=seeds)
def test_scale_invariant(seed):
    def value(arrays, mask):
        p, t = pixels(arrays, mask)
        return float(np.std(np.log(p) - np.log(t))) if p.size else math.nan

    check_images(seed, eqm.image.ScaleInvariantLog(), value, draw=draw, mask=(5, 4))


def test_by_hand():
    p, t = jnp.array([[[1.0, 4.0]], [[2.0, 2.0]]]), jnp.array([[[2.0, 2.0]], [[1.0, 0.0]]])
    read = lambda metric: metric(predictions=p, targets=t, mask=t > 0)
    assert read(eqm.image.AbsoluteRelative()) == (0.75 + 1) / 2
    assert abs(read(eqm.image.AbsoluteRelative(per="pooled")) - 2.5 / 3) < 1e-6
    assert read(eqm.image.SquaredRelative()) == (1.25 + 1) / 2
    assert abs(read(eqm.image.RMSELog()) - np.log(2)) < 1e-6
    assert read(eqm.image.DeltaAccuracy(2.5)) == 1 and read(eqm.image.DeltaAccuracy(2.0)) == 0
    assert abs(read(eqm.image.ScaleInvariantLog()) - np.log(2) / 2) < 1e-6


def test_another_scale_of_a_map_changes_nothing_and_errors_keep_their_digits():
    t = jnp.asarray(np.random.default_rng(0).uniform(1, 80, (2, 8, 8)), jnp.float32)
    metric = eqm.image.ScaleInvariantLog()
    assert metric(predictions=t * jnp.array([[[2.0]], [[64.0]]]), targets=t) < 1e-6
    near = np.float64(np.float32(t * 1.00001)), np.float64(t)
    want = np.mean(np.sqrt(np.mean((np.log(near[0]) - np.log(near[1])) ** 2, axis=(1, 2))))
    got = eqm.image.RMSELog()(predictions=t * 1.00001, targets=t)
    assert abs(got / want - 1) < 1e-3


def test_what_is_not_positive():
    t, one = jnp.array([[[2.0, 0.0]], [[1.0, 1.0]]]), jnp.ones((2, 1, 2))
    for name in [*CASES, "ScaleInvariantLog"]:
        metric = getattr(eqm.image, name)()
        with pytest.raises(eqm.InvalidDataError, match="1 invalid.*targets above 0"):
            metric.update(predictions=one, targets=t).check()
        assert jnp.isfinite(metric(predictions=one, targets=t, mask=t > 0))
        assert jnp.isnan(metric.compute())
        assert jnp.isnan(metric(predictions=one * jnp.nan, targets=one))
    for name in ("RMSELog", "ScaleInvariantLog"):
        with pytest.raises(eqm.InvalidDataError, match="predictions above 0"):
            getattr(eqm.image, name)().update(predictions=t, targets=one).check()
    assert eqm.image.DeltaAccuracy()(predictions=-one, targets=one) == 0
    with pytest.raises(ValueError, match="threshold=1.0: expected a ratio above 1"):
        eqm.image.DeltaAccuracy(1.0)
