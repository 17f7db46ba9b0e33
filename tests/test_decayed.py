"""`Decayed` against the weights of its definition, in float64."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from .oracle import agree, batches, few, floats, fold, spread, STEPS


def mean_and_std(x: np.ndarray, w: np.ndarray) -> tuple[float, float]:
    if not w.sum():
        return np.nan, np.nan
    mean = np.average(x, weights=w)
    return mean, np.sqrt(np.average((x - mean) ** 2, weights=w))


def both(half_life: float) -> eqm.Decayed:
    return eqm.Decayed(eqm.MetricDict(mean=eqm.Average(), std=eqm.Std()), half_life)


def weights_of(batch: dict[str, np.ndarray], half_life: float) -> tuple[np.ndarray, np.ndarray]:
    """The values and the weights of all rows; the first axis is of updates."""
    ages = np.arange(len(batch["mask"]))[::-1]
    w = batch["mask"] * np.asarray(batch.get("weights", 1), np.float64)
    w = w * (0.5 ** (ages / half_life))[:, None]
    return np.where(w > 0, batch["values"], 0).astype(np.float64).ravel(), w.ravel()


@few
@given(batch=batches(floats(1e3)))
def test_over_time_the_weights_halve(batch):
    got = fold(both(1.5), batch).compute()
    x, w = weights_of(batch, 1.5)
    mean, std = mean_and_std(x, w)
    scale = abs(x[w > 0]).max(initial=0)
    agree(got["mean"], mean, atol=1e-6 * scale)
    agree(got["std"], std, atol=1e-6 * scale)


@few
@given(batch=batches(floats(1e3)))
def test_over_devices_all_count_alike(batch):
    got = spread(both(1.5), batch).compute()
    x, w = weights_of(batch, np.inf)
    scale = abs(x[w > 0]).max(initial=0)
    agree(got["mean"], mean_and_std(x, w)[0], atol=1e-6 * scale)


@jax.jit
def run(metric, values):
    return jax.lax.scan(lambda m, v: (type(m).update(m, values=v), None), metric, values)[0]


@pytest.mark.parametrize("half_life", [0.5, 1, 10, 1e3, 1e6])
def test_it_keeps_its_digits_over_thousands_of_updates(half_life):
    values = np.random.default_rng(0).normal(1000, 1, (5000, 2)).astype(np.float32)
    got = run(both(half_life), values).compute()
    ages = np.arange(5000)[::-1]
    w = np.repeat(0.5 ** (ages / half_life), 2)
    mean, std = mean_and_std(values.astype(np.float64).ravel(), w)
    agree(got["mean"], mean, 1e-7)
    agree(got["std"], std, 1e-5)


def test_by_hand():
    hits = eqm.Decayed(eqm.Accuracy(), half_life=1)
    right, wrong = ({"logits": jnp.eye(3), "labels": jnp.arange(3) + k} for k in (0, 1))
    wrong["labels"] %= 3
    assert hits.update(**right).update(**wrong).compute() == 1 / 3
    total = eqm.Decayed(eqm.Sum(), half_life=2)
    total = total.update(values=8.0).update(values=jnp.zeros(0)).update(values=1.0)
    assert total.compute() == 5  # the empty update counts
    r2 = eqm.Decayed(eqm.R2(), half_life=1)
    x = np.array([0.0, 1.0, 2.0], np.float32)
    got = r2.update(predictions=x, targets=x).update(predictions=x * 0, targets=x).compute()
    # errors 5 with weight 1; the spread of the targets is 2, with weights 1/2 and 1
    assert np.isclose(got, 1 - 5 / 3)
    groups = eqm.Decayed(eqm.PerGroup(eqm.Average(), 2), half_life=1)
    for value in (0.0, 3.0):
        groups = groups.update(values=jnp.array([value, 1.0]), group=jnp.array([1, 0]))
    assert groups.compute().tolist() == [1, 2]
    # what decays below the range of float32 is gone
    old = run(eqm.Decayed(eqm.Average(), 0.01), jnp.array([[1.0], [2.0]]))
    assert old.compute() == 2


def test_merge_joins_consecutive_parts():
    values = np.random.default_rng(1).normal(size=(6, 2)).astype(np.float32)
    states = {
        (i, k): run(both(2.0), values[i:k])
        for i, k in itertools.combinations(range(7), 2)
        if i == 0 or k == 6
    }
    whole = states[0, 6].compute()
    for i in range(1, 6):
        merged = states[0, i].merge(states[i, 6])
        agree(merged.compute()["std"], whole["std"], 1e-6)
        agree(merged.compute()["mean"], whole["mean"], 1e-6)
        assert merged.updates == 6
    other = states[3, 6].merge(states[0, 3]).compute()
    assert abs(other["mean"] - whole["mean"]) > 1e-3
    assert eqm.Decayed.ordered


def test_devices_tick_together():
    values = np.random.default_rng(2).normal(size=(4, STEPS, 2)).astype(np.float32)
    got = jax.vmap(lambda v: run(both(1.0), v))(values).reduce()
    want = run(both(1.0), np.moveaxis(values, 0, 1).reshape(STEPS, 8))
    agree(got.compute()["mean"], want.compute()["mean"], 1e-6)
    agree(got.compute()["std"], want.compute()["std"], 1e-6)
    assert got.updates == STEPS


def test_invalid_rows_dont_decay():
    bad = eqm.Decayed(eqm.Average(), 0.1).update(values=jnp.ones(1), weights=-jnp.ones(1))
    for _ in range(3):
        bad = bad.update(values=jnp.ones(1))
    with pytest.raises(eqm.InvalidDataError, match="Average: 1 invalid row"):
        bad.check()
    assert jnp.isnan(bad.compute())


@pytest.mark.parametrize(
    "metric, half_life, error, message",
    [
        (eqm.Average(), 0, ValueError, "half_life=0.0: expected a number of updates above 0"),
        (eqm.Average(), float("nan"), ValueError, "half_life=nan"),
        (eqm.Max(), 1, TypeError, "`Max.largest` can't be scaled. `eqm.Windowed"),
        (
            eqm.MetricDict(a=eqm.Average(), b=eqm.Min()), 1, TypeError,
            r"`MetricDict.states\['b'\].largest_opposite` can't be scaled",
        ),
        (eqm.LastValue(), 1, TypeError, "`LastValue` is of moments in time. `eqm.Windowed"),
        (eqm.Windowed(eqm.Sum(), 2), 1, TypeError, "`Windowed` is of moments in time"),
        (eqm.MaxError(), 1, TypeError, "`MaxError.largest.largest` can't be scaled"),
        (eqm.Distinct(bits=5), 1, TypeError, "`Distinct.* can't be scaled"),
        (eqm.Collect("x"), 1, TypeError, "`Decayed` wraps.*`Collect.chunks` grows"),
        (eqm.Average, 1, TypeError, r"Build it: `Average\(\)`"),
    ],
)
def test_what_it_refuses(metric, half_life, error, message):
    with pytest.raises(error, match=message):
        eqm.Decayed(metric, half_life)
