"""`NormalizedGini` beside areas under Lorenz curves, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from .oracle import agree, at_once, cases, fold, real_rows, seeds, separate, values_of


METRIC = eqm.NormalizedGini(24)


def gini(by, t, w):
    """Twice the area between the diagonal and the Lorenz curve, times the mean of t: equal values
    of `by` are one step of it."""
    values = np.unique(by)
    people = np.array([0, *np.cumsum([w[by == x].sum() for x in values])]) / w.sum()
    amounts = np.array([0, *np.cumsum([(w * t)[by == x].sum() for x in values])]) / w.sum()
    return amounts[-1] - 2 * np.trapezoid(amounts, people)


def wanted(p, t, w):
    return gini(p, t, w) / gini(t, t, w) if len(set(t)) > 1 else np.nan


# How the buffer merges is tested where it is.
@at_once
@given(seed=seeds)
def test_areas_under_lorenz_curves(seed):
    batches = cases(seed)
    rng = np.random.default_rng(seed)
    kinds = rng.integers(1, 9, 50)[:, None, None]  # many ties, and few
    for name in ("predictions", "targets"):
        batches[name] = np.where(kinds < 8, np.round(batches[name] * kinds / 4), batches[name])
    # losses at any place
    place = rng.choice(np.array([[1, 0], [1, 1e6], [1e-30, 0], [1e30, 0]]), 50)[:, :, None, None]
    batches["targets"] = (batches["targets"] * place[:, 0] + place[:, 1]).astype(np.float32)
    got = separate(jax.device_get(values_of(fold, METRIC, batches)))
    for value, batch in zip(got, separate(batches), strict=True):
        agree(value, wanted(*real_rows(batch, "predictions", "targets")), atol=2e-6)


def test_by_hand():
    p, t = jnp.array([1.0, 2.0, 4.0, 3.0]), jnp.array([0.0, 0.0, 1.0, 3.0])
    # Ranks less their mean -3, -1, 3, 1 and -2, -2, 1, 3: 6 over 10.
    agree(METRIC(predictions=p, targets=t), 0.6)
    agree(METRIC(predictions=-t, targets=t), -1.0)
    assert METRIC(predictions=jnp.ones(4), targets=t) == 0.0
    # of binary targets it is Gini, 2 AUROC - 1
    agree(METRIC(predictions=p, targets=(t > 0) * 1.0), 1.0)
    agree(METRIC(predictions=p, targets=jnp.array([0.0, 1.0, 1.0, 0.0])), 2 * 3 / 4 - 1)
    large = jnp.array([16_777_217, 16_777_218, 16_777_219, 16_777_220])
    agree(METRIC(predictions=p, targets=large), 0.8)


def test_undefined_and_invalid():
    assert jnp.isnan(METRIC.compute())
    constant = {"predictions": jnp.arange(3.0), "targets": jnp.full(3, 0.1)}
    assert jnp.isnan(METRIC(**constant))
    assert eqm.NormalizedGini(24, undefined=0.0)(**constant) == 0.0
    full = METRIC.update(predictions=jnp.arange(30.0), targets=jnp.arange(30.0))
    assert jnp.isnan(full.compute())
    infinite = jnp.array([jnp.inf, 1.0, 0.0])
    assert jnp.isnan(METRIC(predictions=jnp.arange(3.0), targets=infinite))
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row"):
        METRIC.update(predictions=jnp.array([jnp.nan]), targets=jnp.ones(1)).check()
