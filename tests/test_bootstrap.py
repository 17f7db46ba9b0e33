"""`Bootstrap`: intervals that hold the truth as often as they say, and weights that are a function
of key, id and replicate."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from scipy import stats

import eqmetrics as eqm
from eqmetrics._wrap.bootstrap import _poisson

from .oracle import batches, few, floats, fold, ROWS, STEPS, taken


KEY = jax.random.key(0)


SMALL = eqm.Bootstrap(eqm.Average(), 16, key=KEY, ids=True, quantiles=(0.1, 0.5))


def bits(tree):
    return [np.asarray(x).tobytes() for x in jax.tree.leaves(tree)]


def mean(**kwargs):
    return eqm.Bootstrap(eqm.Average(), 50, **{"key": KEY, "ids": True} | kwargs)


def test_weights_are_poisson():
    weights = np.asarray(_poisson(KEY, jnp.arange(2000), 200))
    counts = np.bincount(weights.astype(int).ravel(), minlength=9)
    assert counts.size == 9  # none is above 8
    want = stats.poisson.pmf(np.arange(9), 1) * weights.size
    seen, want = np.append(counts[:7], counts[7:].sum()), np.append(want[:7], want[7:].sum())
    assert stats.chisquare(seen, want * seen.sum() / want.sum()).pvalue > 1e-3
    assert abs(weights.mean() - 1) < 5 / np.sqrt(weights.size) and abs(weights.var() - 1) < 0.01
    # of different rows, and of different replicates, they have nothing to do with each other
    for table in (weights, weights.T):
        apart = np.corrcoef(table[:100])[np.triu_indices(100, 1)]
        assert abs(apart).max() < 5 / np.sqrt(table.shape[1])


@few
@given(batch=batches(floats(1e3)))
def test_the_spread_of_weighted_means(batch):
    """Beside the definition in float64, with the same weights."""
    ids = np.arange(STEPS * ROWS).reshape(STEPS, ROWS)
    metric = fold(SMALL, batch | {"ids": ids})
    value, each = metric.compute(), np.asarray(metric.replicate_values())
    keep = taken(batch).ravel()
    x = batch["values"].ravel()[keep].astype(np.float64)
    w = np.asarray(_poisson(KEY, jnp.arange(STEPS * ROWS), SMALL.samples), np.float64)[:, keep]
    w = w * batch["weights"].ravel()[keep]
    total = w.sum(1)
    means = (w @ x)[total > 0] / total[total > 0]
    assert value["undefined"] == SMALL.samples - means.size
    near = {"rtol": 1e-5, "atol": 1e-5 * np.abs(x).max(initial=0)}
    if means.size:
        assert np.allclose(value["low"], np.quantile(means, 0.025), **near)
        assert np.allclose(value["high"], np.quantile(means, 0.975), **near)
        assert np.allclose(value["quantiles"], np.quantile(means, (0.1, 0.5)), **near)
        assert np.allclose(each[total > 0], means, **near)
    assert np.isnan(each[total == 0]).all() and each.shape == (SMALL.samples,)
    if means.size > 1:
        assert np.allclose(value["standard_error"], means.std(ddof=1), **near)


def covered(metric, truth, sets):
    """The share of data sets of which the interval holds the truth."""

    def interval(batch):
        value = metric.reset().update(**batch).compute()
        return value["low"] <= truth, truth <= value["high"]

    low, high = jax.jit(lambda sets: jax.lax.map(interval, sets))(sets)
    return float(jnp.mean(low & high))


def ids_of(sets, rows):
    return np.arange(sets * rows, dtype=np.int32).reshape(sets, rows)


def test_the_interval_of_a_mean_covers_it():
    values = np.random.default_rng(0).gamma(2.0, size=(1000, 500)).astype(np.float32)
    metric = eqm.Bootstrap(eqm.Average(), 200, key=KEY, ids=True)
    assert 0.9 <= covered(metric, 2.0, {"values": values, "ids": ids_of(1000, 500)}) <= 0.98


def test_the_interval_of_an_accuracy_covers_it():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, (1000, 500)).astype(np.int32)
    predicted = np.where(rng.random(labels.shape) < 0.8, labels, 1 - labels)
    metric = eqm.Bootstrap(eqm.Accuracy(eqm.Binary()), 200, key=KEY, ids=True)
    sets = {"predicted_labels": predicted, "labels": labels, "ids": ids_of(1000, 500)}
    assert 0.9 <= covered(metric, 0.8, sets) <= 0.98


@pytest.mark.slow
def test_the_interval_of_an_auroc_covers_it():
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, (300, 500)).astype(np.int32)
    logits = (rng.normal(size=labels.shape) + labels).astype(np.float32)
    metric = eqm.AUROC(eqm.Binary(), resolution=9)
    metric = eqm.Bootstrap(metric, 200, key=KEY, ids=True)
    sets = {"logits": logits, "labels": labels, "ids": ids_of(300, 500)}
    assert 0.9 <= covered(metric, stats.norm.cdf(2**-0.5), sets) <= 0.98


def test_the_standard_error_is_that_of_the_mean():
    x = np.random.default_rng(0).normal(size=2000).astype(np.float32)
    value = eqm.Bootstrap(eqm.Average(), 1000, key=KEY)(values=x)
    assert abs(value["standard_error"] / (x.std() / np.sqrt(2000)) - 1) < 0.1
    assert value["value"] == eqm.Average()(x) and value["undefined"] == 0


def test_any_parts_on_any_devices_are_one_pass():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 64).astype(np.int32)
    batch = {"predicted_labels": rng.permutation(labels), "labels": labels}
    batch["ids"] = rng.permutation(64).astype(np.int32)
    empty = eqm.Bootstrap(eqm.F1(eqm.Multiclass(5)), 20, key=KEY, ids=True)
    whole = empty.update(**batch)
    order = rng.permutation(64)
    parts = [{n: x[p] for n, x in batch.items()} for p in np.split(order, [3, 20, 20, 41])]
    merged = empty
    for part in reversed(parts):
        merged = empty.update(**part).merge(merged)
    assert bits(merged) == bits(whole)
    stacked = {n: x.reshape(8, 8) for n, x in batch.items()}
    states = jax.vmap(lambda b: empty.update(**b))(stacked)
    assert bits(states.reduce()) == bits(whole)
    mesh = jax.make_mesh((8,), ("devices",), axis_types=(jax.sharding.AxisType.Auto,))
    rows = jax.sharding.PartitionSpec("devices")
    across = jax.shard_map(
        lambda b: empty.update_across("devices", **b),
        mesh=mesh,
        in_specs=rows,
        out_specs=jax.sharding.PartitionSpec(),
    )
    assert bits(jax.jit(across)(batch)) == bits(whole)
    placed = jax.device_put(batch, jax.NamedSharding(mesh, rows))
    assert bits(jax.jit(lambda b: empty.update(**b))(placed)) == bits(whole)


def test_keys():
    x, ids = np.arange(20, dtype=np.float32), np.arange(20)
    value = mean()(values=x, ids=ids)
    assert bits(value) == bits(mean()(values=x, ids=ids))
    assert bits(value) == bits(mean(key=jax.random.PRNGKey(0))(values=x, ids=ids))  # a raw one
    other = mean(key=jax.random.key(1))
    assert bits(value) != bits(other(values=x, ids=ids))
    with pytest.raises(ValueError, match="different configuration: `seed`"):
        mean().merge(other)
    with pytest.raises(TypeError, match=r"expected a `jax.random.key\(0\)`"):
        mean(key=0)
    with pytest.raises(TypeError, match="outside of `jit`"):
        jax.jit(lambda key: mean(key=key).compute())(KEY)


def test_without_ids_rows_are_numbered():
    x = np.random.default_rng(0).normal(size=30).astype(np.float32)
    mask = np.arange(30) % 3 != 1
    with_ids = mean().update(values=x[mask], ids=np.arange(20)).compute()
    metric = mean(ids=False)
    for part in np.split(np.arange(30), [7, 8]):
        metric = metric.update(values=x[part], mask=mask[part])
    assert np.allclose([*with_ids.values()], [*metric.compute().values()], rtol=1e-6)


def test_without_ids_nothing_is_merged():
    one = mean(ids=False).update(values=jnp.arange(4.0))
    stacked = jax.vmap(lambda x: mean(ids=False).update(values=x))(jnp.arange(8.0).reshape(2, 4))
    two = eqm.MetricDict(mean=mean(ids=False))
    for call in (
        lambda: one.merge(one),
        lambda: one.step(values=jnp.arange(4.0)),
        stacked.reduce,
        lambda: two.merge(two),
    ):
        with pytest.raises(TypeError, match="Build it with `ids=True`"):
            call()


def test_undefined_replicates_are_counted():
    labels, predicted = np.array([1, 0, 0], np.int32), np.array([1, 0, 1], np.int32)
    recall = eqm.Bootstrap(eqm.Recall(eqm.Binary()), 200, key=KEY)
    value = recall(predicted_labels=predicted, labels=labels)
    # without the one positive row recall is undefined: with probability 1/e
    assert abs(value["undefined"] / 200 - np.exp(-1)) < 0.1
    assert value["standard_error"] == 0 and value["low"] == value["high"] == 1
    empty = mean().compute()
    assert empty.pop("undefined") == 50 and all(map(np.isnan, empty.values()))


def test_invalid_rows_are_counted_once():
    metric = eqm.Bootstrap(eqm.Accuracy(eqm.Multiclass(3)), 20, key=KEY)
    metric = metric.update(predicted_labels=np.array([0, 1, 2]), labels=np.array([0, 1, 7]))
    assert all(np.isnan(x) for x in metric.compute().values())
    with pytest.raises(eqm.InvalidDataError, match="Accuracy: 1 invalid row"):
        metric.check()


@pytest.mark.parametrize("shape", [(24,), (4, 6)])
def test_sums_of_all_replicates_at_once_are_those_one_by_one(shape):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, shape).astype(np.int32)
    logits = rng.normal(size=(*shape, 5)).astype(np.float32)
    mask, ids = rng.random(shape) < 0.8, np.arange(24).reshape(shape)
    loss = np.where(mask, rng.normal(size=shape), np.nan).astype(np.float32)
    members = {
        "f1": eqm.F1(eqm.Multiclass(5)),
        "accuracy": eqm.Accuracy(),
        "loss": eqm.Average().from_output("loss"),
    }
    metric = eqm.Bootstrap(eqm.MetricDict(members), 20, key=KEY, ids=True)
    outputs = {"logits": logits, "labels": labels, "loss": loss, "mask": mask, "ids": ids}
    fast = metric(**outputs)
    slow = metric(**outputs, weights=np.ones(shape, np.float32))  # weights take the other way
    leaves = zip(jax.tree.leaves(fast), jax.tree.leaves(slow), strict=True)
    assert all(np.allclose(x, y, rtol=1e-5, atol=1e-6) for x, y in leaves)
    assert list(fast["value"]) == list(fast["low"]) == list(members)


def test_weights_reach_what_hides_them():
    x, ids = np.random.default_rng(0).normal(size=40), np.arange(40)
    hidden = mean().update(values=x, ids=ids).compute()
    unweighted = eqm.Bootstrap(eqm.Average().from_output(weights=None), 50, key=KEY, ids=True)
    assert bits(unweighted(values=x, ids=ids)) == bits(hidden)


def test_an_infinite_row_is_in_some_replicates():
    value = mean()(values=np.array([1.0, np.inf]), ids=np.arange(2))
    assert np.isposinf(value["value"]) and value["low"] == 1


def test_bad_arguments():
    with pytest.raises(TypeError, match=r"Build it: `Average\(\)`"):
        eqm.Bootstrap(eqm.Average, key=KEY)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="replicate its rows by weights, and `Max` takes values"):
        eqm.Bootstrap(eqm.Max(), key=KEY)
    with pytest.raises(TypeError, match="of moments in time"):
        eqm.Bootstrap(eqm.LastValue(), key=KEY)
    with pytest.raises(ValueError, match="samples=1: expected a whole number from 2"):
        eqm.Bootstrap(eqm.Average(), 1, key=KEY)
    with pytest.raises(ValueError, match="quantiles=.*: expected shares from 0 to 1"):
        mean(quantiles=(0.5, 50.0))
    with pytest.raises(ValueError, match="confidence=95.0: expected a share"):
        eqm.Bootstrap(eqm.Average(), key=KEY, confidence=95)
    with pytest.raises(TypeError, match=r"`mask` is bool\[3\] and `ids` is int32\[2\]"):
        mean()(values=np.zeros(3), mask=np.ones(3, bool), ids=np.arange(2))
    with pytest.raises(TypeError, match="needs `ids`"):
        mean()(values=np.zeros(3))
