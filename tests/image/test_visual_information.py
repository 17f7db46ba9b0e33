"""`eqm.image.VisualInformationFidelity` beside its definition in float64, which sewar's `vifp` has
too, and by hand."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from numpy.lib.stride_tricks import sliding_window_view

import eqmetrics as eqm

from ..oracle import few, seeds


SIZE, SHAPE = 1.0, (2, 42, 43, 2)
IMAGE = eqm.image.Image(SIZE)


def parts_of(p, t, keep):
    """Of one channel what is learned, and what there is."""
    p, t = (255 / SIZE * np.where(keep, x, 0).astype(float) for x in (p, t))
    learned = there = 0.0
    for side in (17, 9, 5, 3):
        line = np.exp(-(np.arange(side) - side // 2) ** 2 / (2 * (side / 5) ** 2))
        weights = np.outer(line, line) / line.sum() ** 2
        windows = lambda x: sliding_window_view(x, (side, side))
        mean = lambda x: np.einsum("ijkl,kl->ij", x, weights)
        if side < 17:
            p, t = (mean(windows(x))[::2, ::2] for x in (p, t))
            every: Any = windows(keep).all(axis=(2, 3))
            keep = every[::2, ::2]
        a, b = (windows(x) - mean(windows(x))[..., None, None] for x in (p, t))
        vp, vt, cov = mean(a * a), mean(b * b), mean(a * b)
        g = np.where((vt > 1e-10) & (vp > 1e-10), np.maximum(cov, 0) / (vt + 1e-10), 0)
        rest = np.maximum(vp - g * cov, 0)
        some = windows(keep).all(axis=(2, 3))
        learned += np.sum(np.log10(1 + g * g * vt / (rest + 2))[some])
        there += np.sum(np.log10(1 + vt / 2)[some])
    return learned, there


@pytest.mark.parametrize("per", ["row", "pooled"])
def test_float64_agrees(per):
    metric = eqm.image.VisualInformationFidelity(IMAGE, per=per)
    read = jax.jit(lambda batch: metric.update(**batch).compute())

    @few
    @given(seed=seeds)
    def compare(seed):
        rng = np.random.default_rng(seed)
        t = np.cumsum(rng.normal(size=SHAPE), axis=1) * rng.choice([0.1, 0.01, 0], (2, 1, 1, 2))
        p = t * rng.choice([0.5, 1, 2]) + rng.choice([0.3, 0.01, 0]) * rng.normal(size=SHAPE)
        p, t = p.astype(np.float32), t.astype(np.float32)
        weights = rng.choice([0.5, 1, 3, 0], 2).astype(np.float32)
        mask = np.ones(SHAPE[:3], bool)
        mask[rng.random(2) < 0.5, rng.choice([0, 41]), 1] = False  # windows are large
        mask[rng.random(2) < 0.1] = False
        batch = {"predictions": p, "targets": t, "mask": mask, "weights": weights}
        for name in ("predictions", "targets"):
            batch[name] = np.where(mask[..., None], batch[name], np.nan)
        each = np.array([
            [parts_of(p[i, ..., c], t[i, ..., c], mask[i]) for c in range(2)] for i in range(2)
        ])  # fmt: skip
        learned, there = each[..., 0], each[..., 1]
        if per == "pooled":
            total = there.sum(1) @ weights
            want = learned.sum(1) @ weights / total if total else np.nan
        else:
            some = there > 0
            share = np.divide(learned, there, where=some, out=np.zeros_like(there))
            has = some.any(axis=1) & (weights > 0)
            of_image = (share.sum(1) / np.maximum(some.sum(1), 1))[has]
            want = of_image @ weights[has] / weights[has].sum() if has.any() else np.nan
        np.testing.assert_allclose(read(batch), want, rtol=2e-5, atol=1e-6)

    compare()


def test_by_hand():
    metric = eqm.image.VisualInformationFidelity(IMAGE)
    rng = np.random.default_rng(0)
    t = jnp.asarray(rng.random((1, *SHAPE[1:])), jnp.float32)
    read = jax.jit(lambda p: metric(predictions=p, targets=t))
    assert abs(read(t) - 1) < 1e-6
    assert abs(read(t + 0.25) - 1) < 1e-4  # light is nothing
    assert read(1 - t) < 1e-6
    assert read(1.5 * t) > 1 > read(0.5 * t) > 0  # more contrast tells more
    assert read(jnp.zeros_like(t) + 0.3) < 1e-6


def test_8_bits():
    rng = np.random.default_rng(0)
    p, t = rng.integers(0, 256, (2, 1, *SHAPE[1:])).astype(np.uint8)
    p = (t // 2 + p // 2).astype(np.uint8)
    keep = np.ones(SHAPE[1:3], bool)
    each = [parts_of(p[0, ..., c] / 255, t[0, ..., c] / 255, keep) for c in (0, 1)]
    bits = eqm.image.VisualInformationFidelity(eqm.image.Image(255))
    got = jax.jit(lambda p, t: bits(predictions=p, targets=t))(p, t)
    assert abs(got - np.mean([learned / there for learned, there in each])) < 1e-5


def test_undefined_and_refused():
    metric = eqm.image.VisualInformationFidelity(IMAGE)
    flat = jnp.full(SHAPE, 0.3).at[1].set(0)
    update = jax.jit(lambda p: metric(predictions=p, targets=flat))
    assert jnp.isnan(update(flat + 0.1))
    assert jnp.isnan(metric.compute())
    with pytest.raises(TypeError, match="expected at least 41 of both, for the window of 3 at the"):
        metric.update(predictions=flat[:, :40], targets=flat[:, :40])
    with pytest.raises(ValueError, match="needs the `data_range`"):
        eqm.image.VisualInformationFidelity(eqm.image.Image())
    with pytest.raises(ValueError, match="noise=0.0"):
        eqm.image.VisualInformationFidelity(IMAGE, noise=0.0)
