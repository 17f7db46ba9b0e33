"""From 8192 rows on the arrays of a collection aren't joined, but reduced one by one, in blocks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import eqmetrics as eqm

from .benchmarks.regression import TEN


MEMBERS = eqm.MetricDict(
    mean=eqm.Average().from_output("x"),
    std=eqm.Std().from_output("x"),
    least=eqm.Min().from_output("x", weights=None),
    most=eqm.Max().from_output("x", weights=None),
    largest_error=eqm.MaxError().from_output(predictions="x", targets="y", weights=None),
    log_cosh=eqm.LogCosh().from_output(predictions="x", targets="y"),
    positive=eqm.Average().from_fun(lambda x: x > 0),
    count=eqm.Sum().from_output("n"),
)
SIZES = [8191, 8193, 100_003]


def rows(size):
    rng = np.random.default_rng(size)
    x, y = rng.normal(size=(2, size)).astype(np.float32)
    n = rng.integers(-(2**30), 2**30, size).astype(np.int32)
    return {"x": x + np.float32(1000), "y": y, "n": n}


def in_float64(x, y, n, mask, weights):
    """What the members should return, by their definitions."""
    w = np.where(mask, weights.astype(np.float64), 0)
    x, y, n = (np.where(mask, a, 0).astype(np.float64) for a in (x, y, n))
    mean = lambda a: np.sum(w * a) / np.sum(w)
    e = np.abs(x - y)
    return {
        "mean": mean(x),
        "std": np.sqrt(mean((x - mean(x)) ** 2)),
        "least": x[mask].min(),
        "most": x[mask].max(),
        "largest_error": np.abs(np.float32(x) - np.float32(y))[mask].max(),
        "log_cosh": mean(e + np.log1p(np.exp(-2 * e)) - np.log(2)),
        "positive": np.sum(w * (x > 0)) / np.sum(w),
        "count": np.sum(w * n),
    }


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["plain", "mask", "weights"])
def test_as_in_float64(size, kind):
    batch = rows(size)
    rng = np.random.default_rng(0)
    mask, weights = np.ones(size, bool), np.ones(size, np.float32)
    if kind == "mask":
        mask = rng.random(size) < 0.7
        # What a mask hides may be anything, at the end, which isn't part of a block, too.
        mask[-1] = False
        batch["x"][~mask] = np.nan
    if kind == "weights":
        weights = rng.integers(0, 4, size).astype(np.float32)
    extra = {"mask": {"mask": mask}, "weights": {"weights": weights}}.get(kind, {})
    found = MEMBERS.update(**batch, **extra).compute()
    right = in_float64(**batch, mask=mask, weights=weights)
    for name, x in right.items():
        np.testing.assert_allclose(found[name], x, rtol=3e-6, err_msg=name)
    if kind != "weights":
        for name in ("least", "most", "largest_error"):
            assert found[name] == np.float32(right[name]), name


@pytest.mark.parametrize("where", [0, 4000, 8191, 8199])
def test_nan_and_zeros(where):
    x = np.full(8200, -1, np.float32)
    x[where] = np.nan
    both = eqm.MetricDict(least=eqm.Min().from_output("x"), most=eqm.Max().from_output("x"))
    found = both.update(x=x).compute()
    assert np.isnan(found["least"]) and np.isnan(found["most"])
    x[where] = -0.0
    assert np.signbit(both.update(x=x).compute()["most"])
    x[where - 1] = 0.0
    assert not np.signbit(both.update(x=x).compute()["most"])


@pytest.mark.parametrize("size", [8199, 20_000])
def test_gradient_as_of_short_batches(size):
    rng = np.random.default_rng(1)
    p, t = rng.normal(size=(2, size)).astype(np.float32)

    def value(p, parts):
        m = TEN
        for i in np.array_split(np.arange(size), parts):
            m = m.update(predictions=p[i], targets=t[i])
        return sum(m.compute().values(), jnp.float32(0))

    whole = jax.jit(jax.grad(lambda p: value(p, 1)))(p)
    parts = jax.jit(jax.grad(lambda p: value(p, 5)))(p)
    np.testing.assert_allclose(whole, parts, rtol=2e-4, atol=2e-9)


def test_ties_share_the_gradient():
    x = np.zeros(8200, np.float32)
    x[[3, 1500, 8198]] = 2
    most = eqm.MetricDict(a=eqm.Max().from_output("x"), b=eqm.Min().from_output("x"))
    slope = jax.grad(lambda x: most.update(x=x).compute()["a"])(jnp.asarray(x))
    right = np.zeros(8200, np.float32)
    right[[3, 1500, 8198]] = 1 / 3
    np.testing.assert_allclose(slope, right, rtol=1e-6)
