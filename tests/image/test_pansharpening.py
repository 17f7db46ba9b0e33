"""`eqm.image.SpectralDistortion`, `eqm.image.SpatialDistortion` and `eqm.image.QNR` beside their
definitions in float64, and by hand."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from numpy.lib.stride_tricks import sliding_window_view

import eqmetrics as eqm

from ..oracle import few, fold, seeds, spread


STEPS, ROWS, CHANNELS, SIDE = 2, 3, 3, 4
FINE, COARSE = (9, 10), (5, 6)


def draw(seed):
    rng = np.random.default_rng(seed)
    lead = STEPS, ROWS
    of = lambda *shape: (rng.random((*lead, *shape)) + rng.choice([0, 3])).astype(np.float32)
    return {
        "predictions": of(*FINE, CHANNELS),
        "multispectral": of(*COARSE, CHANNELS),
        "panchromatic": of(*FINE),
        "coarse_panchromatic": of(*COARSE),
        "mask": rng.random(lead) < 0.7,
        "weights": rng.choice(np.array([0, 1, 2, 0.3], np.float32), lead),
    }


def quality(a, b):
    a, b = (sliding_window_view(x, (SIDE, SIDE)).reshape(-1, SIDE**2) for x in (a, b))
    cov = np.mean((a - a.mean(1, keepdims=True)) * (b - b.mean(1, keepdims=True)), axis=1)
    m, n = a.mean(1), b.mean(1)
    return np.mean(4 * cov * m * n / ((a.var(1) + b.var(1)) * (m**2 + n**2)))


def distortions(p, m, g, c):
    gaps = [
        abs(quality(p[..., i], p[..., j]) - quality(m[..., i], m[..., j]))
        for i in range(CHANNELS) for j in range(CHANNELS) if i != j
    ]  # fmt: skip
    bands = [
        abs(quality(p[..., i], g) - quality(m[..., i], c)) for i in range(CHANNELS)
    ]  # fmt: skip
    return np.mean(gaps), np.mean(bands)


VALUES = {
    "SpectralDistortion": (lambda spectral, spatial: spectral, {}),
    "SpatialDistortion": (lambda spectral, spatial: spatial, {}),
    "QNR": (lambda spectral, spatial: (1 - spectral) ** 2 * (1 - spatial) ** 0.5,
            {"alpha": 2.0, "beta": 0.5}),
}  # fmt: skip
NAMES = "predictions", "multispectral", "panchromatic", "coarse_panchromatic"


@few
@given(seed=seeds)
def test_float64_agrees(seed):
    batch = draw(seed)
    keep = batch["mask"] & (batch["weights"] > 0)
    arrays = [batch[k].astype(float)[keep] for k in NAMES]
    found = [distortions(*image) for image in zip(*arrays, strict=True)]
    weights = batch["weights"].astype(float)[keep]
    for name, (value, options) in VALUES.items():
        metric = getattr(eqm.image, name)(window=SIDE, **options)
        taken = dict(batch)
        if name == "SpectralDistortion":
            taken = {k: x for k, x in batch.items() if "panchromatic" not in k}
        each = [value(*x) for x in found]
        want = np.average(each, weights=weights) if each else np.nan
        for way in (fold, spread):
            got = way(metric, taken).compute()
            np.testing.assert_allclose(got, want, rtol=0, atol=2e-6, err_msg=name)


def test_by_hand():
    rng = np.random.default_rng(0)
    x, grey = (rng.random((1, 2, 2, *c)).astype(np.float32) for c in ((2,), ()))
    same = {"multispectral": x, "panchromatic": grey, "coarse_panchromatic": grey}
    for name, want in (("SpatialDistortion", 0), ("QNR", 1)):
        got = getattr(eqm.image, name)(window=2)(predictions=x, **same)
        assert abs(got - want) < 1e-6
    spectral = eqm.image.SpectralDistortion(window=2)
    # Two equal channels have a quality of 1, which two opposite ones with a mean of 0 don't.
    equal = jnp.repeat(x[..., :1], 2, axis=-1)
    turned = jnp.stack([x[..., 0], 2 * jnp.mean(x[..., 0]) - x[..., 0]], axis=-1)
    assert abs(spectral(predictions=turned, multispectral=equal) - 2) < 1e-5
    # A distortion of more than 1 is no quality that is negative, or not a number.
    half = eqm.image.QNR(window=2, alpha=0.5)
    assert half(predictions=turned, **{**same, "multispectral": equal}) == 0
    first = eqm.image.SpectralDistortion(eqm.image.Image(channel_axis=-3), window=2)
    moved = [jnp.moveaxis(jnp.asarray(y), -1, -3) for y in (turned, equal)]
    assert abs(first(predictions=moved[0], multispectral=moved[1]) - 2) < 1e-5
    slope = jax.grad(lambda p: spectral(predictions=p, multispectral=x))(jnp.asarray(x))
    assert jnp.isfinite(slope).all()


def test_undefined_and_refused():
    fine, coarse = jnp.ones((2, 8, 8, 3)), jnp.ones((2, 4, 4, 3))
    grey = {"panchromatic": fine[..., 0], "coarse_panchromatic": coarse[..., 0]}
    metric = eqm.image.SpatialDistortion(window=2)
    assert jnp.isnan(metric.compute())
    assert eqm.image.QNR(undefined=0.0).compute() == 0
    update = lambda **new: metric.update(
        **{"predictions": fine, "multispectral": coarse, **grey, **new}
    )
    with pytest.raises(TypeError, match=r"`multispectral` is .* expected the rows \(2,\)"):
        update(multispectral=coarse[0])
    with pytest.raises(TypeError, match="`multispectral` .* expected as many channels"):
        update(multispectral=coarse[..., :2])
    with pytest.raises(TypeError, match=r"`panchromatic` is .* axes \(height, width\)"):
        update(panchromatic=fine[..., :1])
    with pytest.raises(TypeError, match=r"`coarse_panchromatic` has .*\(8, 8\) and `multi"):
        update(coarse_panchromatic=fine[..., 0])
    with pytest.raises(TypeError, match="expected a mask of images"):
        update(mask=jnp.ones((2, 8, 8), bool))
    with pytest.raises(TypeError, match="`multispectral` is .* at least 8 of both"):
        eqm.image.SpectralDistortion().update(predictions=fine, multispectral=coarse)
    with pytest.raises(TypeError, match="one channel, expected at least two"):
        one = fine[..., :1]
        eqm.image.SpectralDistortion().update(predictions=one, multispectral=one)
    with pytest.raises(ValueError, match="`QNR` is of spectra"):
        eqm.image.QNR(dataclasses.replace(eqm.image.Image(), channel_axis=None))
    with pytest.raises(ValueError, match="alpha=0"):
        eqm.image.QNR(alpha=0)
