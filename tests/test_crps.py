"""`CRPSEnsemble` and `CRPSGaussian` beside their definitions in float64."""

import jax.numpy as jnp
import numpy as np
import properscoring
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import quad
from scipy.stats import norm

import eqmetrics as eqm

from .oracle import agree, few, fold, many, moved, pairs, real_rows, spread


def ensemble(x, t, fair=False):
    """All pairs of members, as the definition has it."""
    m = x.shape[1]
    pairs = np.abs(x[:, :, None] - x[:, None, :]).sum(axis=(1, 2)) / (m * (m - fair))
    return np.abs(x - t[:, None]).mean(axis=1) - pairs / 2


def gaussian(p, t, s):
    z = (t - p) / s
    return s * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))


@pytest.mark.parametrize("way", [fold, spread])
@few
@given(batch=pairs(columns=(3,)), place=st.sampled_from([(1, 0), (1, 1e6), (1e-12, 0), (1e12, 0)]))
def test_ensemble(way, batch, place):
    batch["samples"] = batch.pop("predictions")
    batch["targets"] = batch["targets"][..., 0]
    batch = moved(batch, *place)
    x, t, w = real_rows(batch, "samples", "targets")
    want = np.average(ensemble(x, t), weights=w) if w.size else np.nan
    got = way(eqm.CRPSEnsemble(), batch).compute()
    agree(got, want, rtol=1e-5, atol=1e-6 * place[0])


@pytest.mark.parametrize("way", [fold, spread])
@many
@given(batch=pairs(), scale=st.sampled_from([1.0, 1e-12, 1e12]))
def test_gaussian(way, batch, scale):
    batch["scales"] = 0.1 + np.abs(batch["targets"])
    batch = moved(batch, scale)
    p, t, s, w = real_rows(batch, "predictions", "targets", "scales")
    want = np.average(gaussian(p, t, s), weights=w) if w.size else np.nan
    agree(way(eqm.CRPSGaussian(), batch).compute(), want)


def test_gaussian_is_the_integral_of_its_definition():
    square = lambda x: (norm.cdf(x, 1, 2) - (x >= 2)) ** 2
    want = quad(square, -30, 2)[0] + quad(square, 2, 30)[0]
    agree(gaussian(1.0, 2.0, 2.0), want, rtol=1e-7)


@pytest.mark.parametrize("way, fair", [(fold, False), (spread, False), (spread, True)])
@few
@given(batch=pairs(columns=(3,)), data=st.data())
def test_members_that_are_not_there(way, fair, batch, data):
    batch["samples"] = batch.pop("predictions").copy()
    batch["targets"] = batch["targets"][..., 0]
    real = data.draw(arrays(np.bool_, batch["samples"].shape))
    real[..., 1] |= fair | ~real.any(-1)
    real[..., 2] |= fair
    batch["samples"][~real] = data.draw(st.sampled_from([np.nan, np.inf, 0.0, -1e30]))
    batch["members"] = real
    rows = [x.reshape(-1, *x.shape[2:]) for x in (real, batch["samples"], batch["targets"])]
    each = [ensemble(x[None, m], t[None], fair)[0] for m, x, t in zip(*rows, strict=True)]
    mask, weights = (np.ravel(batch.get(k, np.ones(len(each)))) for k in ("mask", "weights"))
    kept = (mask != 0) & (weights > 0)
    want = np.average(np.array(each)[kept], weights=weights[kept]) if kept.any() else np.nan
    agree(way(eqm.CRPSEnsemble(fair=fair), batch).compute(), want, rtol=1e-5, atol=1e-6)


def test_fair():
    x, t = jnp.array([[0.0, 2.0], [1.0, 5.0]]), jnp.array([1.0, 9.0])
    fair = eqm.CRPSEnsemble(fair=True)
    assert fair(samples=x[:1], targets=t[:1]) == 0 and fair(samples=x[1:], targets=t[1:]) == 4
    one = jnp.array([[True, True], [True, False]])
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*two members in each row"):
        fair.update(samples=x, targets=t, members=one).check()
    with pytest.raises(TypeError, match=r"with 1 member\(s\), expected at least 2"):
        fair(samples=x[:, :1], targets=t)
    # The expected score of the distribution, from however few draws.
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(20_000, 32)), rng.normal(size=20_000)
    x, t = x.astype(np.float32), t.astype(np.float32)
    two, many = (fair(samples=x[:, :m], targets=t) for m in (2, 32))
    assert abs(two - many) < 0.02 < eqm.CRPSEnsemble()(samples=x[:, :2], targets=t) - many


def test_members_of_all_rows_and_of_none():
    x, t = jnp.array([[0.0, 9.0, 2.0], [1.0, 9.0, 5.0]]), jnp.array([1.0, 3.0])
    every = jnp.array([True, False, True])
    crps = eqm.CRPSEnsemble()
    assert crps(samples=x, targets=t, members=every) == crps(samples=x[:, ::2], targets=t)
    # A NaN of a real member is told, wherever it stands.
    for at in (0, 2):
        assert jnp.isnan(crps(samples=x.at[0, at].set(jnp.nan), targets=t, members=every))
    none = jnp.array([[True] * 3, [False] * 3])
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*a member in each row"):
        crps.update(samples=x, targets=t, members=none).check()
    one = crps.update(samples=x, targets=t, members=none, mask=jnp.array([True, False]))
    assert one.compute() == crps(samples=x[:1], targets=t[:1])
    with pytest.raises(TypeError, match=r"`members` is bool\[2\].*the shape \(2, 3\)"):
        crps.update(samples=x, targets=t, members=jnp.ones(2, bool))


def test_properscoring_agrees():
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(200, 17)).astype(np.float32), rng.normal(size=200).astype(np.float32)
    want = np.mean(np.asarray(properscoring.crps_ensemble(t, x)))
    agree(eqm.CRPSEnsemble()(samples=x, targets=t), want)
    s = np.abs(x[:, 1]) + np.float32(0.1)
    got = eqm.CRPSGaussian()(predictions=x[:, 0], targets=t, scales=s)
    agree(got, np.mean(np.asarray(properscoring.crps_gaussian(t, x[:, 0], s))))


def test_by_hand():
    x, t = jnp.array([[0.0, 4.0], [1.0, 1.0]]), jnp.array([1.0, 3.0])
    assert eqm.CRPSEnsemble()(samples=x, targets=t) == 1.5  # 2 - 1 and 2
    assert eqm.CRPSEnsemble()(samples=x[:, :1], targets=t) == 1.5
    far = eqm.CRPSGaussian()(predictions=t[:1], targets=t[:1] + 100, scales=jnp.ones(1))
    agree(far, 100 - 1 / np.sqrt(np.pi))


def test_undefined_and_invalid():
    one = jnp.ones(2)
    assert jnp.isnan(eqm.CRPSEnsemble().compute()) and jnp.isnan(eqm.CRPSGaussian().compute())
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*scales > 0"):
        scales = jnp.array([0.0, 1.0])
        eqm.CRPSGaussian().update(predictions=one, targets=one, scales=scales).check()
    with pytest.raises(TypeError, match=r"`samples` is float32\[2\] and `targets` is .*\[2\]"):
        eqm.CRPSEnsemble().update(samples=one, targets=one)
