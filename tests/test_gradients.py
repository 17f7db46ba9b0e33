"""The gradient of a metric is that of its value, or 0, and then its docstring says so."""

import functools as ft
import inspect
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import eqmetrics as eqm

from .groups import in_tens, narrow
from .table import ROWS


ZERO = "The gradient is 0"
# Sums in narrow cells: a larger step moves values to others.
STEPS = {"ConfidenceHistogram": 2.0**-13, "CRPSEnsemble": 2.0**-13}
# Distances of members that nearly meet bend within a larger one.
STEPS["fields.EnergyScore"] = 2.0**-11
# Absolute values, and the logarithms of small ones.
STEPS |= {"audio.MultiResolutionSTFT": 2.0**-13, "audio.Improvement": 2.0**-13}
STEPS["image.TotalVariation"] = 2.0**-12


def says_zero(name: str) -> bool:
    return ZERO in inspect.cleandoc(type(ROWS[name][0]).__doc__ or "")


def floats_of(name: str) -> tuple[dict, Callable]:
    """The float arguments of a row, moved off their ties, and the values as one array."""
    metric, (batch, *_) = ROWS[name]
    rng = np.random.default_rng(1)
    floats = {k: np.float32(x) for k, x in batch.items() if np.asarray(x).dtype.kind == "f"}
    rest = {k: x for k, x in batch.items() if k not in floats}
    for k in floats.keys() & {"logits", "predictions"}:
        floats[k] = np.float32(floats[k] + rng.uniform(-0.05, 0.05, floats[k].shape))

    def values(x):
        found = jax.tree.leaves(metric.update(**x, **rest).compute())
        found = [y.ravel() for y in found if jnp.issubdtype(y.dtype, jnp.floating)]
        return jnp.concatenate([*found, jnp.zeros(1)])

    return floats, values


def check_gradients(names):
    given = {name: floats_of(name) for name in names}
    given = {name: (x, values) for name, (x, values) in given.items() if x}
    rng = {name: np.random.default_rng(2) for name in given}
    xs = {name: x for name, (x, _) in given.items()}
    values = jax.jit(lambda xs: {n: given[n][1](x) for n, x in xs.items()})
    at = jax.tree.map(np.float64, values(xs))
    known = {n: np.isfinite(x) for n, x in at.items()}
    weights = {n: np.where(known[n], rng[n].uniform(0.5, 1.5, x.shape), 0) for n, x in at.items()}

    def weighed(name, x):
        # What is undefined stays out, and must not make NaN of the rest.
        w = jnp.asarray(weights[name], jnp.float32)
        return jnp.sum(jnp.where(w > 0, given[name][1](x), 0) * w)

    slopes = jax.jit(lambda xs: {n: jax.grad(ft.partial(weighed, n))(x) for n, x in xs.items()})(xs)
    zero = {name for name in given if says_zero(name)}
    for name, slope in slopes.items():
        for array in jax.tree.leaves(slope):
            assert jnp.isfinite(array).all(), name
            assert name not in zero or not jnp.any(array != 0), name
    directions = {n: direction_of(x, rng[n]) for n, x in xs.items()}
    step = {name: STEPS.get(name, 2.0**-8) for name in given}

    def differences(part: float) -> dict[str, float]:
        low, high = (
            jax.tree.map(np.float64, values({
                n: {k: v + np.float32(s * step[n] * part) * directions[n][k] for k, v in x.items()}
                for n, x in xs.items()
            }))
            for s in (-1, 1)
        )  # fmt: skip
        with np.errstate(invalid="ignore"):  # infinity less itself, which isn't known
            change = {n: np.where(known[n], high[n] - low[n], 0) for n in xs}
        return {n: float(np.sum(change[n] * weights[n])) / (2 * step[n] * part) for n in xs}

    wide, near = differences(1.0), differences(0.5)
    for name in given.keys() - zero:
        # of two central differences, the error of both in step^2 out
        want = (4 * near[name] - wide[name]) / 3
        slope, direction = slopes[name], directions[name]
        got = sum(float(np.sum(np.float64(slope[k]) * direction[k])) for k in direction)
        noise = 2e-6 * np.sum(np.abs(np.where(known[name], at[name], 0))) / step[name]
        np.testing.assert_allclose(got, want, rtol=5e-3, atol=noise + 1e-4, err_msg=name)


def direction_of(x: dict, rng: np.random.Generator) -> dict:
    direction = {k: np.float32(rng.choice([-1.0, -0.5, 0.5, 1.0], v.shape)) for k, v in x.items()}
    for k in direction.keys() & {"probabilities"}:  # which stay inside of [0, 1]
        direction[k] = np.float32(direction[k] * np.minimum(x[k], 1 - x[k]))
    return direction


@pytest.mark.parametrize("names", in_tens(ROWS))
def test_gradients(names):
    narrow(check_gradients, names)


def test_every_metric_of_the_table_with_a_gradient_has_one():
    # One direction is enough for the law above; here, that what it compares isn't 0.
    flat = {"Std", "R2", "Min", "Max", "MaxError", "CentredMoments", "MeanSquaredError"}
    assert not any(says_zero(name) for name in flat)
    for name in flat:
        x, values = floats_of(name)
        slope = jax.grad(lambda x, values=values: jnp.sum(values(x)))(x)
        assert any(jnp.any(array != 0) for array in jax.tree.leaves(slope)), name


# ---- beside closed forms, differentiated in float64


def numeric(f: Callable[..., float], *x: np.ndarray) -> list[np.ndarray]:
    """Central differences in float64."""
    out = []
    for i, array in enumerate(x):
        slope = np.zeros(array.shape)
        for place in np.ndindex(array.shape):
            moved = [[np.array(a, np.float64) for a in x] for _ in range(2)]
            for sign, arrays in zip((1, -1), moved, strict=True):
                arrays[i][place] += sign * 1e-5
            slope[place] = (f(*moved[0]) - f(*moved[1])) / 2e-5
        out.append(slope)
    return out


def r2(p, t):
    return 1 - np.sum((t - p) ** 2) / np.sum((t - np.mean(t)) ** 2)


def concordance(p, t):
    both = np.mean((p - np.mean(p)) * (t - np.mean(t)))
    return 2 * both / (np.var(p) + np.var(t) + (np.mean(p) - np.mean(t)) ** 2)


CLOSED: dict[str, tuple[eqm.Metric, Callable]] = {
    "R2": (eqm.R2(), r2),
    "Concordance": (eqm.Concordance(), concordance),
    "RelativeSquaredError": (eqm.RelativeSquaredError(), lambda p, t: 1 - r2(p, t)),
    "ExplainedVariance": (eqm.ExplainedVariance(), lambda p, t: 1 - np.var(t - p) / np.var(t)),
    "Pearson": (eqm.Pearson(), lambda p, t: np.corrcoef(p, t)[0, 1]),
    "NormalizedRMSE": (
        eqm.NormalizedRMSE(),
        lambda p, t: np.sqrt(np.mean((p - t) ** 2)) / (t.max() - t.min()),
    ),
    "NormalizedRMSE by the mean": (
        eqm.NormalizedRMSE("mean"),
        lambda p, t: np.sqrt(np.mean((p - t) ** 2)) / np.abs(np.mean(t)),
    ),
    "MaxError": (eqm.MaxError(), lambda p, t: np.max(np.abs(p - t))),
    "WeightedMAPE": (eqm.WeightedMAPE(), lambda p, t: np.sum(np.abs(p - t)) / np.sum(np.abs(t))),
    "CRPSEnsemble": (
        eqm.CRPSEnsemble().from_fun(lambda predictions, targets: {
            "samples": predictions[None], "targets": targets[:1]
        }),
        lambda p, t: np.mean(np.abs(p - t[0])) - np.mean(np.abs(p[:, None] - p[None])) / 2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CLOSED)
def test_closed_forms(name):
    metric, f = CLOSED[name]
    p, t = np.array([1, 2, 6, 2.5, 4], np.float32), np.array([0.5, 3, 4, 7, 1], np.float32)
    want = numeric(f, p, t)
    got = jax.grad(lambda p, t: metric(predictions=p, targets=t), (0, 1))(p, t)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


def test_r2_of_the_report():
    p, t = jnp.array([1.0, 2.0, 6.0]), jnp.array([0.5, 3.0, 4.0])
    slope = jax.grad(lambda p: eqm.R2()(predictions=p, targets=t))(p)
    np.testing.assert_allclose(slope, [-2 / 13, 4 / 13, -8 / 13], rtol=1e-6)


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_moments(offset):
    x = np.array([1, 2, 6, 2.5], np.float32) + np.float32(offset)

    def moments(x):
        return eqm.CentredMoments()(x)

    count, mean, squares = jax.jacobian(moments)(x)
    assert not count.any()
    np.testing.assert_allclose(mean, np.full(4, 0.25))
    np.testing.assert_allclose(squares, 2 * (np.float64(x) - np.mean(np.float64(x))), rtol=1e-5)


def test_extremes():
    x = jnp.array([1.0, 3.0, -2.0, 3.0])
    assert jax.grad(eqm.Max())(x).tolist() == [0, 0.5, 0, 0.5]
    assert jax.grad(eqm.Min())(x).tolist() == [0, 0, 1, 0]
    late = jax.grad(lambda x: eqm.Max().update(x[:2]).merge(eqm.Max().update(x[2:])).compute())(x)
    assert late.tolist() == [0, 0.5, 0, 0.5]
    mask = jnp.array([True, False, True, False])
    assert jax.grad(lambda x: eqm.Max()(x, mask=mask))(x).tolist() == [1, 0, 0, 0]
    assert jax.grad(lambda x: eqm.Max()(x))(jnp.zeros(0)).shape == (0,)


def test_a_spread_of_0_has_a_slope_of_0():
    assert jax.grad(eqm.Std())(jnp.ones(3)).tolist() == [0, 0, 0]
    rmse, ones = eqm.RootMeanSquaredError(), jnp.ones(3)
    assert not jax.grad(lambda p: rmse(predictions=p, targets=ones))(ones).any()


@pytest.mark.parametrize("size", [2, 5])
def test_through_reduce(size):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(size, 4)), jnp.float32)
    for metric in (eqm.Average(), eqm.Std(), eqm.Max()):
        whole = jax.grad(metric)(x.ravel()).reshape(x.shape)
        parts = jax.grad(lambda x, m=metric: jax.vmap(m.update)(x).reduce().compute())(x)
        np.testing.assert_allclose(parts, whole, rtol=1e-5, atol=1e-6)


def test_groups():
    group = jnp.array([0, 1, 0, 1])
    for metric in (eqm.Average(), eqm.Std()):
        groups = eqm.PerGroup(metric, 3)
        x = jnp.array([1.0, 3.0, 2.0, 7.0])
        slope = jax.grad(lambda x, g=groups: g(values=x, group=group)[1])(x)
        want = jax.grad(metric)(x[1::2])
        np.testing.assert_allclose(slope, [0, want[0], 0, want[1]], rtol=1e-6)


def test_the_gradient_of_a_maximum_of_each_group():
    x, group = jnp.array([1.0, 3.0, 3.0, -2.0, jnp.nan]), jnp.array([0, 1, 1, 2, 3])
    for groups in (5, 11):
        for metric in (eqm.Max(), eqm.Min()):
            each = eqm.PerGroup(metric, groups)
            got = jax.grad(lambda x, e=each: jnp.nansum(e(values=x, group=group)[:3]))(x)
            assert got.tolist() == [1, 0.5, 0.5, 1, 0]
            value = each(values=x, group=group)
            np.testing.assert_array_equal(value[:5], [1, 3, -2, np.nan, np.nan])
