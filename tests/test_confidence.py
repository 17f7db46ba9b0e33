from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from jaxtyping import Array, Int32
from scipy import stats

import eqmetrics as eqm
from eqmetrics._collection.route import arguments_of

from . import table
from .benchmarks import intervals
from .oracle import slowly
from .table import ROWS as TABLE


ROWS, CUT, CLASSES = 500, 125, 3
by_seed = settings(deadline=None, max_examples=5, derandomize=True, suppress_health_check=slowly)


def jackknife(value: Any, rows: int) -> Any:
    """From the values without one row each, in float64."""
    left = np.array([value(np.arange(rows) != i) for i in range(rows)])
    return np.sqrt((rows - 1) / rows * np.sum((left - left.mean(0)) ** 2, axis=0))


def slopes(value: Any, rows: int) -> Any:
    """The infinitesimal jackknife: from what each row does to the value, once more or once less."""
    every = np.arange(rows)
    more = np.array([value(np.append(every, i)) for i in every])
    less = np.array([value(np.delete(every, i)) for i in every])
    return np.sqrt(np.sum(((more - less) / 2) ** 2, axis=0))


def drawn(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, ROWS)
    size = rng.integers(1, 30, ROWS)
    targets = 100 * rng.normal() + rng.normal(size=ROWS)
    return {
        "labels": labels.astype(np.int32),
        "predicted_labels": np.where(rng.random(ROWS) < 0.7, labels, 0).astype(np.int32),
        "loss": rng.gamma(2.0, size=ROWS).astype(np.float32),
        "errors": rng.binomial(size, 0.2).astype(np.float32),
        "size": size.astype(np.float32),
        "targets": targets.astype(np.float32),
        "predictions": (targets + 0.5 * rng.normal(size=ROWS)).astype(np.float32),
    }


def accuracy(b: Any) -> Any:
    return np.mean(b["labels"] == b["predicted_labels"])


def f1(b: Any) -> Any:
    y, p = b["labels"], b["predicted_labels"]
    hits = lambda c: np.sum((y == c) & (p == c))
    return [2 * hits(c) / (np.sum(y == c) + np.sum(p == c)) for c in range(CLASSES)]


def r2(b: Any) -> Any:
    t, p = b["targets"], b["predictions"]
    return 1 - np.sum((t - p) ** 2) / np.sum((t - t.mean()) ** 2)


def rate(errors: Any, size: Any) -> Any:
    return errors / size


TASK = eqm.Multiclass(CLASSES)
LABELS, PAIR = ("labels", "predicted_labels"), ("targets", "predictions")
METRICS: dict[str, tuple[eqm.Metric, tuple[str, ...], Any]] = {
    "accuracy": (eqm.Accuracy(TASK), LABELS, accuracy),
    "F1 of each class": (eqm.F1(TASK, average=None), LABELS, f1),
    "perplexity": (
        eqm.Compose(jnp.exp, eqm.Average().from_output("loss")),
        ("loss",),
        lambda b: np.exp(np.mean(b["loss"])),
    ),
    "a ratio of sums": (
        eqm.Compose(rate, eqm.Sum().from_output("errors"), eqm.Sum().from_output("size")),
        ("errors", "size"),
        lambda b: np.sum(b["errors"]) / np.sum(b["size"]),
    ),
    "R2": (eqm.R2(), PAIR, r2),
    "Pearson": (
        eqm.Pearson(),
        PAIR,
        lambda b: np.corrcoef(b["targets"], b["predictions"])[0, 1],
    ),
    "standard deviation": (
        eqm.Std().from_output("targets"),
        ("targets",),
        lambda b: np.std(b["targets"]),
    ),
    "difference": (
        eqm.Compose(
            jnp.subtract,
            eqm.Average().from_output("predictions"),
            eqm.Average().from_output("targets"),
        ),
        PAIR,
        lambda b: np.mean(b["predictions"]) - np.mean(b["targets"]),
    ),
    "moments and sums": (
        eqm.Compose(
            jnp.divide, eqm.Std().from_output("targets"), eqm.Average().from_output("loss")
        ),
        ("targets", "loss"),
        lambda b: np.std(b["targets"]) / np.mean(b["loss"]),
    ),
}


updated = jax.jit(lambda metric, batch: type(metric).update(metric, **batch))
value_of = jax.jit(lambda metric: metric.compute())


def merged(metric: Any, batch: Any) -> Any:
    """The value of the rows as two streams, of two updates each, that are merged."""
    parts = [{name: x[i : i + CUT] for name, x in batch.items()} for i in range(0, ROWS, CUT)]
    left, right = (updated(updated(metric, x), y) for x, y in (parts[:2], parts[2:]))
    return value_of(left.merge(right))


@pytest.mark.parametrize("name", METRICS)
@by_seed
@given(seed=st.integers(0, 2**32 - 1))
def test_the_error_is_that_of_the_jackknife(name, seed):
    metric, names, value = METRICS[name]
    rows = drawn(seed)
    batch = {n: rows[n] for n in names}
    exact = {n: x.astype(np.float64) for n, x in batch.items()}
    of = lambda keep: value({n: x[keep] for n, x in exact.items()})
    got, want = merged(eqm.Interval(metric), batch), jackknife(of, ROWS)
    np.testing.assert_allclose(got["value"], of(np.ones(ROWS, bool)), rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(got["standard_error"], want, rtol=0.01)
    np.testing.assert_allclose(got["standard_error"], slopes(of, ROWS), rtol=1e-3)
    for end, sign in (("low", -1), ("high", 1)):
        expected = got["value"] + sign * 1.959964 * got["standard_error"]
        np.testing.assert_allclose(got[end], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["F1 of each class", "moments and sums"])
def test_a_cluster_for_each_row_is_none(name):
    metric, names, _ = METRICS[name]
    batch = {n: drawn(0)[n] for n in names}
    alone = eqm.Interval(metric, clusters=ROWS).update(**batch, cluster=np.arange(ROWS)).compute()
    want = merged(eqm.Interval(metric), batch)
    np.testing.assert_allclose(alone["standard_error"], want["standard_error"], rtol=2e-3)


@by_seed
@given(seed=st.integers(0, 2**32 - 1))
def test_clusters(seed):
    # as in Miller, "Adding error bars to evals": the residuals of a cluster are added first
    rng = np.random.default_rng(seed)
    cluster = rng.integers(0, 40, ROWS).astype(np.int32)
    x = (rng.normal(size=40)[cluster] + rng.normal(size=ROWS)).astype(np.float32)
    mask = rng.random(ROWS) < 0.8
    got = clustered(eqm.Interval(eqm.Average(), clusters=50), x, cluster, mask)
    real, where = x[mask].astype(np.float64), cluster[mask]
    sums = np.bincount(where, real - real.mean())
    np.testing.assert_allclose(got["value"], real.mean(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(got["standard_error"], np.sqrt(np.sum(sums**2)) / len(real), 1e-4)


@jax.jit
def clustered(metric: Any, x: Any, cluster: Any, mask: Any) -> Any:
    return metric.update(values=x, cluster=cluster, mask=mask).compute()


HITS = np.array([1.0, 1.0, 0.0, 0.0], np.float32)


def test_by_hand():
    naive = eqm.Interval(eqm.Average())(values=HITS)
    assert naive["value"] == 0.5 and naive["standard_error"] == 0.25
    value = eqm.Interval(eqm.Average(), clusters=2)(values=HITS, cluster=np.array([0, 0, 1, 1]))
    assert value["value"] == 0.5 and np.isclose(value["standard_error"], 0.3536, atol=5e-5)
    assert np.isclose(value["high"], 0.5 + 1.959964 * 0.125**0.5)
    total = eqm.Interval(eqm.Sum())(values=HITS)  # of four rows, however large their mean is
    assert total["value"] == 2 and total["standard_error"] == 1


def test_weights_are_repetition():
    x, weights = np.array([1.0, 2.0, 5.0, np.nan]), np.array([3.0, 1.0, 2.0, 0.0])
    got = eqm.Interval(eqm.Average())(values=x, weights=weights)
    want = eqm.Interval(eqm.Average())(values=np.repeat(x, weights.astype(int)))
    assert all(np.isclose(got[name], want[name], rtol=1e-5) for name in want)
    # of importance: a cluster for each row
    got = eqm.Interval(eqm.Average(), clusters=4)(values=x, weights=weights, cluster=np.arange(4))
    mean = np.average(x[:3], weights=weights[:3])
    want = np.sqrt(np.sum((weights[:3] * (x[:3] - mean)) ** 2)) / 6
    assert np.isclose(got["standard_error"], want)


def test_a_row_is_an_entry_of_the_first_axis():
    rng = np.random.default_rng(0)
    x, mask = rng.normal(size=(60, 7)).astype(np.float32), rng.random((60, 7)) < 0.7
    mask[4] = False
    got = eqm.Interval(eqm.Average())(values=x, mask=mask)
    cluster = np.broadcast_to(np.arange(60)[:, None], (60, 7))
    want = eqm.Interval(eqm.Average(), clusters=60)(values=x, mask=mask, cluster=cluster)
    assert all(np.isclose(got[name], want[name], rtol=1e-4) for name in want)
    # beside weights of each entry, and where the update can't be read row by row
    weights = np.where(mask, rng.random((60, 7)), 0).astype(np.float32)
    got = eqm.Interval(eqm.Average())(values=x, weights=weights)
    want = eqm.Interval(eqm.Average(), clusters=60)(values=x, weights=weights, cluster=cluster)
    assert all(np.isclose(got[name], want[name], rtol=1e-4) for name in want)


class Loop(eqm.Metric):
    """A mean of squares that is found by a loop, and so isn't seen to be one of rows."""

    mean: eqm.Average

    def __init__(self):
        self.mean = eqm.Average()

    def update(self, values: jax.Array, mask: jax.Array | None = None) -> "Loop":
        step = lambda i, x: x.at[i].set(values[i] ** 2)
        squares = jax.lax.fori_loop(0, len(values), step, jnp.zeros_like(values))
        return self.replace(mean=self.mean.update(squares, mask=mask))

    def compute(self) -> jax.Array:
        return self.mean.compute()


class Whole(eqm.Metric):
    """Counts in an integer."""

    count: Int32[Array, ""] = eqm.state(reduce="sum")

    def __init__(self):
        self.count = jnp.zeros((), jnp.int32)

    def update(self, values: jax.Array) -> "Whole":
        return self.replace(count=self.count + values.shape[0])

    def compute(self) -> jax.Array:
        return self.count


def test_an_update_that_cannot_be_read_row_by_row():
    x = np.random.default_rng(0).normal(size=50).astype(np.float32)
    got, want = eqm.Interval(Loop())(values=x), eqm.Interval(eqm.Average())(values=x * x)
    assert all(np.isclose(got[name], want[name], rtol=1e-5) for name in want)
    assert np.isclose(want["standard_error"], np.std(x.astype(float) ** 2) / 50**0.5, rtol=1e-5)


@pytest.mark.parametrize("clusters", [None, 3])
def test_values_of_any_form(clusters):
    metrics = eqm.MetricDict(z=eqm.F1(TASK, average=None), a=eqm.Average().from_output("loss"))
    rows = {n: drawn(0)[n] for n in (*LABELS, "loss")}
    cluster = {} if clusters is None else {"cluster": np.arange(ROWS) % 3}
    value = eqm.Interval(metrics, clusters=clusters)(**rows, **cluster)
    assert list(value) == ["value", "standard_error", "low", "high"]
    for part in value.values():
        assert list(part) == ["z", "a"] and part["z"].shape == (CLASSES,) and part["a"].shape == ()


def test_groups_of_a_metric():
    x, group = np.random.default_rng(0).normal(size=40).astype(np.float32), np.arange(40) % 3
    inside = eqm.Interval(eqm.PerGroup(eqm.Average(), 3))(values=x, group=group)
    outside = eqm.PerGroup(eqm.Interval(eqm.Average()), 3)(values=x, group=group)
    # rows of other groups add nothing: that there were as many is known to neither
    for name in inside:
        np.testing.assert_allclose(inside[name], outside[name], rtol=1e-4)
    moments = eqm.Interval(eqm.PerGroup(eqm.Std(), 3))(values=x, group=group)
    alone = eqm.Interval(eqm.Std())(values=x[group == 1])
    np.testing.assert_allclose(moments["standard_error"][1], alone["standard_error"], rtol=1e-4)


def test_methods():
    x = np.array([1.0] * 7 + [0.0] * 3, np.float32)
    of = lambda method, x=x: eqm.Interval(eqm.Average(), 0.9, method=method)(values=x)
    ends = lambda value: np.array([value["low"], value["high"]])
    wilson = lambda hits: stats.binomtest(hits, 10).proportion_ci(0.9, "wilson")
    np.testing.assert_allclose(ends(of("wilson")), wilson(7), 1e-5)
    none, ones = np.zeros(10, np.float32), np.ones(10, np.float32)
    for rows, hits in ((none, 0), (ones, 10)):
        np.testing.assert_allclose(ends(of("wilson", rows)), wilson(hits), 1e-5, 1e-6)
    want = stats.t.interval(0.9, 9, 0.7, np.std(x) / 10**0.5)
    np.testing.assert_allclose(ends(of("t")), want, 1e-4)
    loss = of("wilson", np.array([3.0, 4.0], np.float32))
    assert np.isnan(loss["low"]) and loss["value"] == 3.5


def test_undefined():
    empty = eqm.Interval(eqm.Average()).compute()
    assert all(map(np.isnan, empty.values()))
    one = eqm.Interval(eqm.Average())(values=np.array([2.0]))
    assert one["value"] == 2 and np.isnan(one["standard_error"]) and np.isnan(one["low"])
    certain = eqm.Interval(eqm.Accuracy(TASK))(predicted_labels=np.arange(3), labels=np.arange(3))
    assert certain["low"] == certain["high"] == 1


def test_invalid_rows_are_counted():
    metric = eqm.Interval(eqm.Accuracy(TASK))
    seen = metric.update(predicted_labels=np.array([0, 1]), labels=np.array([0, 9]))
    assert all(np.isnan(x) for x in seen.compute().values())
    with pytest.raises(eqm.InvalidDataError, match="Accuracy: 1 invalid row"):
        seen.check()
    metric = eqm.Interval(eqm.Average(), clusters=2)
    seen = metric.update(values=HITS, cluster=np.array([0, 1, 2, -1]))
    assert all(np.isnan(x) for x in seen.compute().values())
    with pytest.raises(eqm.InvalidDataError, match=r"2 invalid row\(s\); valid are .*in \[0, 2\)"):
        seen.check()


def test_values_far_from_0():
    x = (1e6 + np.random.default_rng(0).normal(size=ROWS)).astype(np.float32)
    want = np.std(x.astype(float)) / ROWS**0.5
    assert np.isclose(eqm.Interval(eqm.Average())(values=x)["standard_error"], want, rtol=1e-4)
    spread = merged(eqm.Interval(eqm.Std()), {"values": x})
    keep = lambda keep: np.std(x[keep].astype(float))
    assert np.isclose(spread["standard_error"], jackknife(keep, ROWS), rtol=0.01)


def test_parts_with_far_means():
    # of which merging moves the centre far
    x = np.random.default_rng(0).normal(size=ROWS).astype(np.float32)
    x[:CUT] += 1000
    got = merged(eqm.Interval(eqm.Std()), {"values": x})
    want = jackknife(lambda keep: np.std(x[keep].astype(float)), ROWS)
    assert np.isclose(got["standard_error"], want, rtol=0.01)


@pytest.mark.parametrize(
    ("metric", "why"),
    [
        (eqm.Max(), "`Max.largest` isn't: it merges by max"),
        (eqm.Median(), r"`Median.statistic\S* isn't"),
        (eqm.PairBuffer(4), "`PairBuffer"),
        (Whole(), "`Whole.count` is int32, which has no gradient"),
        (eqm.LastValue(), "of moments in time"),
        (eqm.ConfusionMatrix(eqm.Multiclass(20)), "has 400 numbers: 161200 floats"),
        (eqm.Average, r"Build it: `Average\(\)`"),
    ],
)
def test_what_is_refused(metric, why):
    with pytest.raises(TypeError, match=why):
        eqm.Interval(metric)


def test_bad_arguments():
    cases: list[dict[str, Any]] = [{"level": 95}, {"method": "exact"}, {"clusters": 1}]
    for bad in cases:
        with pytest.raises(ValueError, match=next(iter(bad))):
            eqm.Interval(eqm.Average(), **bad)
    with pytest.raises(TypeError, match="Bootstrap"):
        eqm.Interval(eqm.Max())
    with pytest.raises(TypeError, match="needs `cluster`"):
        eqm.Interval(eqm.Average(), clusters=2)(values=HITS)
    two = eqm.MetricDict(
        a=eqm.Average().from_output("values"), b=eqm.Average().from_output("values", weights=None)
    )
    with pytest.raises(TypeError, match="read different weights"):
        eqm.Interval(two)(values=HITS, weights=HITS)


def is_of_sums(metric: eqm.Metric) -> bool:
    try:
        eqm.Interval(metric)
    except TypeError:
        return False
    return "weights" in arguments_of(metric)


OF_SUMS = [n for n, (metric, _) in TABLE.items() if n not in table.MORE and is_of_sums(metric)]


def test_most_metrics_are_of_sums():
    assert len(OF_SUMS) > 70 and {"F1", "R2", "Covariance", "CalibrationError"} <= {*OF_SUMS}


@jax.jit
def under(metric: Any, batch: Any, weights: Any) -> Any:
    """The value under each of several weights of the rows."""
    of = lambda w: type(metric).update(metric, **batch | {"weights": w}).compute()
    return jax.vmap(of)(weights)


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_SUMS)
def test_the_error_is_what_weights_say(name):
    # Whatever a metric is, its value moves with the weight of a row.
    metric, batches = TABLE[name]
    batch = {n: np.concatenate([b[n] for b in batches]) for n in batches[0]}
    rows, step = len(next(iter(batch.values()))), np.float32(1 / 16)
    one, moved = np.ones(rows, np.float32), step * np.eye(rows, dtype=np.float32)
    values = under(metric, batch, np.concatenate([one[None] + moved, one[None] - moved]))
    got = eqm.Interval(metric)(**batch)
    for x, error in zip(*map(jax.tree.leaves, (values, got["standard_error"])), strict=True):
        x = np.asarray(x, np.float64)
        slope = (x[:rows] - x[rows:]) / (2 * step)
        want = np.sqrt(np.sum((slope - slope.mean(0)) ** 2, axis=0))
        noise = 1e-6 * rows**0.5 / step * np.max(np.abs(x), initial=0, where=np.isfinite(x))
        np.testing.assert_allclose(error, want, rtol=0.01, atol=max(1e-6, noise))


@pytest.mark.slow
@pytest.mark.parametrize("name", intervals.CASES)
def test_coverage(name):
    metric, draw, truth = intervals.CASES[name]
    rows = draw(np.random.default_rng(0), intervals.SETS)
    assert 0.93 <= intervals.coverage(eqm.Interval(metric), rows, truth) <= 0.97


@pytest.mark.slow
def test_coverage_of_clusters():
    known, naive = intervals.of_clusters(intervals.SETS)
    assert known >= 0.93 and naive < 0.8
