"""`eqm.generative.MaximumMeanDiscrepancy` and `KernelDistance` beside their definitions in float64
(torch-fidelity's kernel and estimate, CMMD's average over all pairs), and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import at_once, fold, seeds, spread, values_of
from .oracle import CASES, DIM, features, sides


CAPACITY = 24
KernelDistance = eqm.generative.KernelDistance
MaximumMeanDiscrepancy = eqm.generative.MaximumMeanDiscrepancy


def polynomial(x, y):
    return (x @ y.T / DIM + 1) ** 3


def gaussian(x, y):
    return np.exp(-np.sum((x[:, None] - y[None]) ** 2, axis=-1) / (2 * 0.8**2))


def truth(x, y, w, kernel, unbiased):
    """Of repeated rows, sum over i != j / n (n - 1)."""
    n = w.sum()
    if not n > unbiased:
        return np.nan

    def within(x):
        k = kernel(x, x)
        if not unbiased:
            return w @ k @ w / n**2
        return (w @ k @ w - w @ np.diagonal(k)) / (n * (n - 1))

    return within(x) + within(y) - 2 * (w @ kernel(x, y) @ w) / n**2


METRICS = [
    (KernelDistance(DIM, capacity=CAPACITY), polynomial, True),
    (MaximumMeanDiscrepancy(DIM, capacity=CAPACITY, sigma=0.8), gaussian, True),
    (MaximumMeanDiscrepancy(DIM, capacity=CAPACITY, sigma=0.8, unbiased=False), gaussian, False),
]


@pytest.mark.parametrize("way", [fold, spread])
@at_once
@given(seed=seeds)
def test_float64_agrees(way, seed):
    batch = features(seed)
    members = eqm.MetricDict({str(i): m for i, (m, _, _) in enumerate(METRICS)})
    assert len(members.states) == 1
    got = values_of(way, members, batch)
    for (_, kernel, unbiased), found in zip(METRICS, got.values(), strict=True):
        for i in range(CASES):
            x, y, w = sides(batch, i)
            want = truth(x, y, w, kernel, unbiased)
            size = max((np.abs(kernel(z, z)).max() for z in (x, y) if len(z)), default=1)
            # near a weight of 1, n - 1 isn't known to more
            rest = max(abs(w.sum() - 1), 1e-3) if unbiased else 1
            bound = 1e-6 * size * max(1, 1 / rest)
            np.testing.assert_allclose(found[i], want, rtol=1e-5, atol=bound, err_msg=f"{w}")


def test_by_hand():
    x, y = jnp.array([[1.0], [1.0]]), jnp.zeros((2, 1))
    assert KernelDistance(1, capacity=4)(real_features=x, generated_features=y) == 7
    distance = MaximumMeanDiscrepancy(1, capacity=4, sigma=1.0, unbiased=False)
    value = distance(real_features=2 * x, generated_features=y)
    assert abs(value - 2 * (1 - np.exp(-2))) < 1e-6
    assert distance(real_features=x, generated_features=x) == 0
    wide = MaximumMeanDiscrepancy(1, capacity=4, sigma=1000.0, unbiased=False)
    # of two kernels that are 1 to 5e-7
    value = wide(real_features=x, generated_features=y)
    np.testing.assert_allclose(value, -2 * np.expm1(-0.5e-6), rtol=1e-5)


def test_more_rows_than_a_block():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, DIM)), rng.normal(size=(290, DIM)) + 0.2
    distance = KernelDistance(DIM, capacity=300).update(real_features=x.astype(np.float32))
    got = distance.update(generated_features=y.astype(np.float32)).compute()
    n, m = len(x), len(y)
    within = lambda k: (k.sum() - np.trace(k)) / (len(k) * (len(k) - 1))
    want = within(polynomial(x, x)) + within(polynomial(y, y))
    want -= 2 * polynomial(x, y).sum() / (n * m)
    np.testing.assert_allclose(got, want, rtol=1e-4)


def test_undefined_and_invalid():
    x = jnp.ones((3, 2))
    assert jnp.isnan(KernelDistance(2, capacity=4).compute())
    assert jnp.isnan(KernelDistance(2, capacity=4)(real_features=x))
    assert KernelDistance(2, capacity=4, undefined=0.0).compute() == 0
    full = KernelDistance(2, capacity=2).update(real_features=x, generated_features=x)
    with pytest.raises(eqm.InvalidDataError, match="capacity=3"):
        full.check()
    bad = x.at[0, 0].set(jnp.nan)
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*finite"):
        KernelDistance(2, capacity=4).update(real_features=bad).check()
    with pytest.raises(ValueError, match="degree=0"):
        KernelDistance(2, capacity=4, degree=0)
    with pytest.raises(ValueError, match="sigma=0"):
        MaximumMeanDiscrepancy(2, capacity=4, sigma=0.0)
    kept = eqm.generative.FeatureBuffer(2, capacity=4).update(real_features=x)
    assert kept.compute() == {"real": 3, "generated": 0}
    assert jax.grad(lambda v: kept.update(real_features=v).compute()["real"])(x[:1]).sum() == 0
