"""`eqm.uncertainty.RHat` and `eqm.uncertainty.EffectiveSampleSize` beside their definitions as
ArviZ 0.23 has them, in float64, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arviz_stats.base.array import array_stats
from hypothesis import given

import eqmetrics as eqm

from ..oracle import agree, at_once, CASES, fold, seeds, spread, values_of
from .drawn import each_case, hidden, masked


u = eqm.uncertainty
DRAWS, CHAINS = 23, (CASES, 2, 3)
METRICS = eqm.MetricDict(
    split=u.RHat(DRAWS), identity=u.RHat(DRAWS, split=False), ess=u.EffectiveSampleSize(DRAWS)
)


def drawn(seed):
    rng = np.random.default_rng(seed)
    mask = masked(rng, CHAINS)
    # Chains that remember much, nothing, or that alternate, and that have or haven't mixed.
    memory = rng.choice([-0.9, -0.4, 0.0, 0.5, 0.9, 0.99], (CASES, 1, 1))
    x = rng.normal(size=(*CHAINS, DRAWS))
    for t in range(1, DRAWS):
        x[..., t] = memory * x[..., t - 1] + np.sqrt(1 - memory**2) * x[..., t]
    x += rng.choice([0.0, 0.0, 2.0], (CASES, 1, 1, 1)) * rng.normal(size=(*CHAINS, 1))
    x = x * rng.choice([1e-6, 1.0, 1e6], (CASES, 1, 1, 1))
    return {"samples": hidden(x, mask), "mask": mask}


def halves(x):
    half = x.shape[1] // 2
    return np.concatenate([x[:, :half], x[:, -half:]])


def r_hat(x):
    n = x.shape[1]
    if len(x) < 2:
        return np.nan
    between, within = n * x.mean(1).var(ddof=1), x.var(1, ddof=1).mean()
    return np.sqrt((between / within + n - 1) / n)


def autocovariance(x):
    n, d = x.shape[1], x - x.mean(1, keepdims=True)
    return np.stack([(d[:, t:] * d[:, : n - t]).sum(1) / n for t in range(n)], axis=1)


def effective_size(x):
    if len(x) == 0:
        return np.nan
    (m, n), acov = x.shape, autocovariance(x).mean(0)
    mean_var = acov[0] * n / (n - 1)
    var_plus = acov[0] + x.mean(1).var(ddof=1)
    rho = [1.0, 1 - (mean_var - acov[1]) / var_plus]
    rho += [0.0] * (n - 2)
    even, odd, t = rho[0], rho[1], 1
    while t < n - 3 and even + odd > 0:
        even, odd = (1 - (mean_var - acov[t + i]) / var_plus for i in (1, 2))
        if even + odd >= 0:
            rho[t + 1], rho[t + 2] = even, odd
        t += 2
    most = t - 2
    if even > 0:
        rho[most + 1] = even
    t = 1
    while t <= most - 2:
        if rho[t + 1] + rho[t + 2] > rho[t - 1] + rho[t]:
            rho[t + 1] = rho[t + 2] = (rho[t - 1] + rho[t]) / 2
        t += 2
    tau = -1 + 2 * sum(rho[: most + 1]) + sum(rho[most + 1 : most + 2])
    return m * n / max(tau, 1 / np.log10(m * n))


@pytest.mark.parametrize("way", [fold, spread])
@at_once
@given(seed=seeds)
def test_float64_agrees(way, seed):
    batch = drawn(seed)
    for got, rows in each_case(values_of(way, METRICS, batch), batch):
        x = rows["samples"]
        agree(got["split"], r_hat(halves(x)))
        agree(got["identity"], r_hat(x))
        # A sum of neighbours that is 0 but for rounding ends the sum, or doesn't: its value is 0.
        agree(got["ess"], effective_size(halves(x)), rtol=1e-4)


def test_arviz_agrees():
    rng = np.random.default_rng(0)
    x = np.cumsum(rng.normal(size=(4, 301)), axis=1).astype(np.float32)
    for chains in (x, rng.normal(size=(4, 301)).astype(np.float32)):
        got = {"split": u.RHat(301), "identity": u.RHat(301, split=False)}
        for method, metric in got.items():
            agree(metric(samples=chains), array_stats.rhat(np.float64(chains), method=method))
        size = u.EffectiveSampleSize(301)(samples=chains)
        agree(size, array_stats.ess(np.float64(chains), method="mean"), rtol=1e-4)


def test_by_hand():
    chains = jnp.array([[1.0, 2.0, 3.0, 4.0], [2.0, 3.0, 4.0, 5.0]])
    # W is 5/3, B is 2: the root of 1.75 / 1.6667.
    agree(u.RHat(4, split=False)(samples=chains), (1.75 / (5 / 3)) ** 0.5)
    # One chain has halves, and an odd one a middle that is left out.
    one = jnp.array([[0.0, 2.0, 99.0, 1.0, 3.0], [jnp.nan] * 5])
    first = jnp.array([True, False])
    agree(u.RHat(5)(samples=one, mask=first), (0.5 + 0.5 / 2) ** 0.5)
    assert jnp.isnan(u.RHat(4, split=False)(samples=chains, mask=first))
    assert jnp.isnan(u.RHat(4).compute()) and jnp.isnan(u.EffectiveSampleSize(4).compute())
    still = jnp.array([[1.0] * 4, [2.0] * 4])
    assert u.RHat(4)(samples=still) == jnp.inf
    assert jnp.isnan(u.RHat(4)(samples=still, mask=first))
    assert jnp.isnan(u.EffectiveSampleSize(4)(samples=still, mask=first))
    assert u.EffectiveSampleSize(4, undefined=0.0)(samples=still, mask=first) == 0


def test_at_any_offset():
    x = np.random.default_rng(0).integers(0, 9, (6, 30)).astype(np.int32)
    metrics = eqm.MetricDict(r_hat=u.RHat(30), ess=u.EffectiveSampleSize(30))

    @jax.jit
    def in_three(x):  # batches, each with a pivot of its own
        one, two = (metrics.update(samples=part) for part in (x[:2], x[2:4]))
        return one.merge(two).update(samples=x[4:]).compute()

    want = in_three(x)
    for far in (x + 1_764_000_000, (x + 1e6).astype(np.float32)):
        for name, value in in_three(far).items():
            agree(value, want[name], rtol=1e-5)


def test_several_parameters():
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(4, 50, 3)) + np.arange(4)[:, None, None] * [0, 0, 5]).astype(np.float32)
    each = eqm.MultiOutput(u.RHat(50), 3)(samples=x)
    np.testing.assert_allclose(each, [r_hat(halves(x[..., i])) for i in range(3)], rtol=1e-5)
    assert each[2] > 5


def test_invalid_and_refused():
    x = jnp.array([[1.0, jnp.nan, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0]])
    for metric in (u.RHat(4), u.EffectiveSampleSize(4)):
        with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*finite samples"):
            metric.update(samples=x).check()
        with pytest.raises(TypeError, match=r"expected chains of 4 draws.*\(3\)` takes"):
            metric.update(samples=x[:, :3])
    for make in (u.RHat, u.EffectiveSampleSize):
        with pytest.raises(ValueError, match="num_draws=3.*at least 4"):
            make(3)
