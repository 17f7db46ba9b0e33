"""`eqm.training.UpdateRatio` beside float64, and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import at_once, fold, seeds


STEPS, ROWS = 3, 8


def drawn(seed: int) -> dict:
    rng = np.random.default_rng(seed)

    def leaf(size):
        factor = 10.0 ** rng.integers(-15, 15, (STEPS, ROWS, 1))
        factor = np.where(rng.random(factor.shape) < 0.1, 0, factor)
        return (rng.normal(size=(STEPS, ROWS, size)) * factor).astype(np.float32)

    updates = {"a": leaf(3), "b": leaf(2)}
    updates["b"][..., 0] = np.where(rng.random((STEPS, ROWS)) < 0.1, np.nan, updates["b"][..., 0])
    return {
        "updates": updates,
        "params": {"a": leaf(3), "b": leaf(2)},
        "mask": rng.random((STEPS, ROWS)) < rng.choice([0.0, 0.3, 1.0], p=[0.1, 0.4, 0.5]),
        "weights": rng.choice([0.0, 1.0, 2.0, 0.25], (STEPS, ROWS)).astype(np.float32),
    }


@at_once
@given(seed=seeds)
def test_float64_agrees(seed):
    metric = eqm.training.UpdateRatio(("", "a", "b"), axes=1)
    size = lambda tree, names: np.linalg.norm(
        np.concatenate([np.float64(tree[n]) for n in names], axis=-1), axis=-1
    )
    for k in range(12):
        batch = drawn(seed + k)
        got = eqm.to_host(fold(metric, batch))
        for group, names in {"": ("a", "b"), "a": ("a",), "b": ("b",)}.items():
            with np.errstate(divide="ignore", invalid="ignore"):
                moved, whole = size(batch["updates"], names), size(batch["params"], names)
                ratio = np.log10(moved / whole)
            w = np.where(batch["mask"], batch["weights"], 0)
            finite = np.isfinite(ratio)
            assert got[group]["not_finite"] == w[~finite].sum()
            if w[finite].sum() == 0:
                assert np.isnan(got[group]["mean"])
            else:
                want = np.average(ratio[finite], weights=w[finite])
                np.testing.assert_allclose(got[group]["mean"], want, rtol=1e-5, atol=1e-5)


def test_by_hand():
    params = {"kernel": jnp.array([3.0, 4.0])}
    ratio = eqm.training.UpdateRatio()
    ratio = ratio.update(updates={"kernel": jnp.array([0.0, 0.5])}, params=params)
    ratio = ratio.update(updates={"kernel": jnp.array([0.0, 0.005])}, params=params)
    ratio = ratio.update(updates={"kernel": jnp.zeros(2)}, params=params)
    assert abs(ratio.compute()["mean"] + 2) < 1e-6 and ratio.compute()["not_finite"] == 1
    assert eqm.training.UpdateRatio(undefined=0.0).compute()["mean"] == 0


def test_what_it_refuses():
    ratio = eqm.training.UpdateRatio(axes=1)
    with pytest.raises(TypeError, match=r"`updates` are of \(3,\) steps and `params` of \(2,\)"):
        ratio.update(updates=jnp.ones((3, 2)), params=jnp.ones((2, 2)))
    with pytest.raises(TypeError, match="`params` has no arrays of floats"):
        ratio.update(updates=jnp.ones((3, 2)), params=None)
