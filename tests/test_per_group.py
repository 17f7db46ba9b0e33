"""`PerGroup`: the metric on the rows of each group alone."""

import math
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

import eqmetrics as eqm
from eqmetrics._collection.route import arguments_of

from .oracle import agree, batches, few, floats, fold, ROWS, spread, STEPS, taken
from .test_devices import collectives, mesh_of, over
from .users_metric import ColumnMean
from .users_sums import MeanSquare


# ---- against the definition


@st.composite
def grouped(draw: st.DrawFn) -> dict[str, np.ndarray]:
    batch = draw(batches(floats(1e6)))
    group = draw(arrays(np.int32, (STEPS, ROWS), elements=st.integers(0, 2)))
    # a row that doesn't take part may be of any group
    return batch | {"group": np.where(taken(batch), group, 7)}


BOTH = eqm.PerGroup(eqm.MetricDict(mean=eqm.Average(), last=eqm.Max().from_output(weights=None)), 3)


@pytest.mark.parametrize("way", [fold, spread])
@few
@given(batch=grouped())
def test_each_group_is_the_definition(way, batch):
    batch["group"] = np.where(batch["mask"], batch["group"] % 7, 7)
    got = way(BOTH, batch).compute()
    for g in range(3):
        own = (batch["group"] == g) & batch["mask"]
        x, w = (batch[k][own].astype(np.float64) for k in ("values", "weights"))
        x, w = x[w > 0], w[w > 0]
        mean = math.fsum(x * w) / math.fsum(w) if w.size else np.nan
        atol = 1e-6 * np.sum(abs(x * w)) / np.sum(w) if w.size else 0
        np.testing.assert_allclose(got["mean"][g], mean, 0, atol + 1e-37)


# ---- against the metric itself, on the rows of each group


def everything() -> eqm.MetricDict:
    return eqm.MetricDict(
        accuracy=eqm.Accuracy(),
        f1=eqm.F1(eqm.Multiclass(5)),
        auroc=eqm.AUROC(eqm.Binary(), resolution=9).from_output(logits="score", labels="yes"),
        users=MeanSquare(2).from_output("whole"),
        average=eqm.Average().from_output("predictions"),
        r2=eqm.R2(),
    )


OF_COUNTS = "accuracy", "f1", "auroc", "users"


def rows(n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    predictions = rng.normal(3, 1, n).astype(np.float32)
    return {
        "logits": rng.integers(-3, 3, (n, 5)).astype(np.float32),
        "labels": rng.integers(0, 5, n).astype(np.int32),
        "score": rng.integers(-3, 3, n).astype(np.float32),
        "yes": rng.random(n) < 0.5,
        "whole": rng.integers(-9, 9, (n, 2)).astype(np.float32),
        "predictions": predictions,
        "targets": predictions + rng.normal(0, 1, n).astype(np.float32),
    }


@jax.jit
def updated(metric: Any, batch: dict[str, Any]) -> Any:
    return type(metric).update(metric, **batch)


@jax.jit
def alone(metric: Any, batch: dict[str, Any]) -> Any:
    """The values of many batches, each seen by a metric of its own."""
    return jax.vmap(lambda b: type(metric).update(metric, **b).compute())(batch)


def apart(batch: dict[str, np.ndarray], group: np.ndarray, groups: int) -> dict[str, np.ndarray]:
    """The rows of each group, with a mask since some have more of them."""
    places = [np.nonzero(group == g)[0] for g in range(groups)]
    width = max(map(len, places))
    index = np.stack([np.pad(p, (0, width - len(p))) for p in places])
    mask = np.stack([np.arange(width) < len(p) for p in places])
    return {k: x[index] for k, x in batch.items()} | {"mask": mask}


def same(got: Any, want: Any) -> None:
    for name in want:
        rtol = 0 if name in OF_COUNTS else 1e-5
        np.testing.assert_allclose(got[name], want[name], rtol, 1e-6 * bool(rtol), err_msg=name)


def sums() -> eqm.MetricDict:
    return eqm.MetricDict(
        accuracy=eqm.Accuracy(),
        users=MeanSquare(2).from_output("whole"),
        average=eqm.Average().from_output("predictions"),
    )


slow = pytest.mark.slow


@pytest.mark.parametrize(
    "make, groups, n",
    [
        (everything, 7, 200),
        (sums, 1, 60),
        (sums, 1000, 2500),
        pytest.param(everything, 1, 60, marks=slow),
        pytest.param(everything, 1000, 2500, marks=slow),
    ],
)
def test_each_group_is_the_metric_on_its_rows_alone(make, groups, n):
    rng = np.random.default_rng(groups)
    batch, group = rows(n, rng), rng.integers(0, groups, n).astype(np.int32)
    if groups > 1:
        group[group == 3] = 4
    metric = make()
    batch = {name: x for name, x in batch.items() if name in arguments_of(metric)}
    got = updated(eqm.PerGroup(metric, groups), batch | {"group": group}).compute()
    same(got, alone(metric, apart(batch, group, groups)))
    empty = np.bincount(group, minlength=groups) == 0
    assert empty.any() == (groups > 1)
    assert all(np.isnan(np.asarray(x)[empty]).all() for x in got.values())
    assert not np.isnan(np.asarray(got["accuracy"])[~empty]).any()


def test_each_group_is_the_metric_on_its_rows_alone_without_a_mask():
    x = np.random.default_rng(1).normal(5, 1, 40).astype(np.float32)
    group = np.arange(40) % 3 % 2
    got = eqm.PerGroup(eqm.MetricDict(mean=eqm.Average(), std=eqm.Std()), 2)(values=x, group=group)
    for g in range(2):
        agree(got["mean"][g], eqm.Average()(x[group == g]), 1e-6)
        agree(got["std"][g], eqm.Std()(x[group == g]), 1e-6)


# ---- what one group holds leaves the others alone


@pytest.mark.parametrize("groups", [4, 3000])  # cells fewer, and far more, than rows
@pytest.mark.parametrize("bad", [np.nan, -np.inf, 1e18])
def test_a_group_leaves_the_bits_of_the_others_alone(groups, bad):
    group = np.arange(24, dtype=np.int32) % 4
    x = np.random.default_rng(0).normal(size=24).astype(np.float32)
    spoilt = np.where(group == 2, abs(x) * bad, x).astype(np.float32)
    metric = eqm.PerGroup(eqm.MetricDict(sum=eqm.Sum(), std=eqm.Std()), groups)
    good, other = (updated(metric, {"values": v, "group": group}) for v in (x, spoilt))
    other = updated(other, {"values": x, "group": group})
    good = updated(good, {"values": x, "group": group})
    for one, two in zip(good.compute().values(), other.compute().values(), strict=True):
        one, two = np.asarray(one), np.asarray(two)
        assert one[[0, 1, 3]].tobytes() == two[[0, 1, 3]].tobytes() and one[2] != two[2]
    total = np.asarray(other.compute()["sum"])[2]
    assert np.isnan(total) if np.isnan(bad) else np.isclose(total, np.sum(spoilt[group == 2]))


# ---- rows that don't take part, and invalid ones


X, GROUP = jnp.array([1.0, 2.0, 4.0, 8.0]), jnp.array([0, 0, 2, 2])
MEANS = eqm.PerGroup(eqm.Average(), 3)


def test_by_hand():
    value = MEANS(values=X, group=GROUP)
    np.testing.assert_array_equal(value, [1.5, np.nan, 6.0])
    weighted = MEANS(values=X, group=GROUP, weights=jnp.array([1, 0, 1, 3]))
    np.testing.assert_array_equal(weighted, [1, np.nan, 7])
    masked = MEANS(values=X, group=GROUP, mask=jnp.array([False, False, True, False]))
    np.testing.assert_array_equal(masked, [np.nan, np.nan, 4])
    assert MEANS.update(values=np.ones(2), group=np.array([1, 1], np.uint8)).compute()[1] == 1


def test_bad_groups_are_counted_and_named():
    bad = MEANS.update(values=X, group=jnp.array([0, -1, 3, 2]))
    assert jnp.isnan(bad.compute()).all()
    message = r"PerGroup: 2 invalid row\(s\); valid are groups in \[0, 3\)"
    with pytest.raises(eqm.InvalidDataError, match=message):
        bad.check()
    # of rows that don't take part nothing is asked
    for apart_ in ({"mask": jnp.array([True, False, False, True])}, {"weights": X * (X % 7 == 1)}):
        MEANS.update(values=X, group=jnp.array([0, -1, 3, 2]), **apart_).check()
    inside = eqm.MetricDict(loss=MEANS).update(values=X, group=jnp.full(4, 9))
    with pytest.raises(eqm.InvalidDataError, match=r"\['loss'\] \(PerGroup\): 4 invalid"):
        inside.check()


def test_invalid_rows_are_named_with_their_group():
    groups = eqm.PerGroup(eqm.MetricDict(hit=eqm.Accuracy(), f1=eqm.F1(eqm.Multiclass(3))), 3)
    seen = groups.update(
        logits=jnp.eye(3)[jnp.array([0, 1, 2, 0])], labels=jnp.array([0, 5, 2, 1]), group=GROUP
    )
    np.testing.assert_array_equal(seen.compute()["hit"], [np.nan, np.nan, 0.5])
    with pytest.raises(eqm.InvalidDataError, match=r"PerGroup \['hit'\] \(Accuracy\).*\[0\]: 1 in"):
        seen.check()
    with pytest.raises(eqm.InvalidDataError, match=r"PerGroup Average\[0, 2\]: 2 invalid row"):
        MEANS.update(values=X, group=GROUP, weights=jnp.array([-1, 1, -1, 1])).check()


def test_groups_of_a_buffer_with_too_many_rows_are_told():
    buffer = eqm.Buffer(2, values=jnp.float32, fn=lambda x, mask: jnp.sum(mask * x))
    full = eqm.PerGroup(buffer, 3).update(values=X, group=jnp.array([0, 2, 2, 2]))
    np.testing.assert_array_equal(full.compute(), [1, 0, np.nan])
    with pytest.raises(eqm.InvalidDataError, match=r"Buffer\[2\]: 1 row.*would fit in capacity=3"):
        full.check()


def test_each_metric_has_the_mask_that_it_reads():
    mask = jnp.array([True, False, True, True])
    groups = eqm.PerGroup(
        eqm.MetricDict(
            plain=eqm.Average().from_output(mask="good"),
            other=eqm.Average().from_output(mask="real"),
            whole=eqm.Average().from_output(mask=None),
            largest=eqm.Max().from_output(mask="real"),
            made=eqm.Average().from_fun(lambda values: {"values": values, "mask": values < 8}),
        ),
        3,
    )
    got = groups(values=X, group=GROUP, good=mask, real=~mask)
    np.testing.assert_array_equal(got["plain"], [1, np.nan, 6])
    np.testing.assert_array_equal(got["other"], [2, np.nan, np.nan])
    np.testing.assert_array_equal(got["whole"], [1.5, np.nan, 6])
    np.testing.assert_array_equal(got["largest"], [2, np.nan, np.nan])
    np.testing.assert_array_equal(got["made"], [1.5, np.nan, 4])
    # `whole` counts every row, and so the last one's group
    bad = groups.update(values=X, group=jnp.array([0, 0, 2, 5]), good=X < 8, real=~mask)
    with pytest.raises(eqm.InvalidDataError, match="PerGroup: 1 invalid"):
        bad.check()


# ---- shapes of rows


def test_groups_of_sequences():
    values = jnp.arange(12.0).reshape(3, 4)
    mask = np.arange(4)[None] < np.array([[4], [2], [3]])
    by_row = MEANS(values=values, group=jnp.array([0, 2, 0]), mask=mask)
    agree(by_row, [(0 + 1 + 2 + 3 + 8 + 9 + 10) / 7, np.nan, 4.5], 1e-6)
    whole = MEANS(values=values, group=jnp.array([0, 2, 0]))
    np.testing.assert_array_equal(whole, [5.5, np.nan, 5.5])
    by_entry = MEANS(values=values, group=jnp.arange(12).reshape(3, 4) % 3, mask=mask[:, 0])
    np.testing.assert_array_equal(by_entry, [4.5, 5.5, 6.5])
    logits = jnp.eye(5)[jnp.array([[0, 1], [2, 3]])]
    hits = eqm.PerGroup(eqm.Accuracy(), 2)(
        logits=logits, labels=jnp.array([[0, 1], [4, 3]]), group=jnp.array([1, 0])
    )
    assert hits.tolist() == [0.5, 1.0]
    largest = eqm.PerGroup(eqm.Max(), 2)(values=values, group=jnp.array([0, 1, 0]))
    assert largest.tolist() == [11, 7]
    assert MEANS(values=jnp.zeros(0), group=jnp.zeros(0, int)).shape == (3,)
    assert MEANS(values=2.0, group=1)[1] == 2


@pytest.mark.parametrize("metric", [eqm.Average(), eqm.Std(), MeanSquare(2).from_output("values")])
def test_groups_of_another_shape_are_told(metric):
    with pytest.raises(TypeError, match=r"`group` is int32\[2\], and.*`values`: float32\[4, 2\]"):
        eqm.PerGroup(metric, 3).update(values=jnp.ones((4, 2)), group=jnp.zeros(2, int))
    with pytest.raises(TypeError, match=r"`mask` is bool\[3\] beside others of shape \(4,\)"):
        eqm.PerGroup(metric, 3).update(
            values=jnp.ones((4, 2)), group=jnp.zeros(4, int), mask=jnp.ones(3, bool)
        )


# ---- worst, exact values, nesting


def test_the_worst_group():
    metric = eqm.MetricDict(mean=eqm.Average(), count=eqm.Count())
    low, high = (eqm.PerGroup(metric, 4, worst=w) for w in ("min", "max"))
    batch = {"values": X, "group": jnp.array([0, 0, 2, 3])}
    assert np.isnan(low.compute()["worst"]["mean"])
    got, other = eqm.to_host(low.update(**batch)), high.update(**batch).compute()
    np.testing.assert_array_equal(got["groups"]["mean"], [1.5, np.nan, 4, 8])
    assert got["overall"] == {"mean": 3.75, "count": 4}
    assert got["worst"] == {"mean": 1.5, "count": 0} and list(got["worst"]) == ["mean", "count"]
    assert (other["worst"]["mean"], other["gap"]["mean"]) == (8, 6.5) == (8, got["gap"]["mean"])
    # what is invalid is no group to leave out
    bad = eqm.PerGroup(eqm.Average(), 3, worst="min").update(
        values=X, group=GROUP, weights=jnp.array([1, -1, 1, 1])
    )
    assert bad.compute()["groups"][2] == 6
    assert all(np.isnan(bad.compute()[k]) for k in ("overall", "worst", "gap"))


def test_to_host_reads_exact_sums():
    big = jnp.array([2.0**40, 3.0, 5.0])
    for metric, name in ((eqm.Sum(), "values"), (eqm.Sum().from_output("loss"), "loss")):
        groups = eqm.PerGroup(metric, 2).update(**{name: big}, group=jnp.array([1, 1, 0]))
        assert eqm.to_host(groups).tolist() == [5, 2**40 + 3]
    bins = eqm.PerGroup(eqm.Histogram([0, 2**41]), 2).update(values=big, group=jnp.array([1, 1, 0]))
    np.testing.assert_array_equal(eqm.to_host(bins)["counts"], [[1], [2]])
    shaped = eqm.PerGroup(eqm.Sum((2,)), 3).update(values=jnp.ones((4, 2)), group=GROUP)
    assert eqm.to_host(shaped).tolist() == [[2, 2], [0, 0], [2, 2]]


def test_the_group_under_another_name():
    inner = eqm.PerGroup(eqm.Average(), 2)
    metric = eqm.PerGroup(inner.from_output(group="site"), 3)
    value = metric(values=X, group=GROUP, site=jnp.array([0, 1, 1, 1]))
    np.testing.assert_array_equal(value, [[1, 2], [np.nan, np.nan], [np.nan, 6]])
    slices = eqm.MetricDict(
        loss=eqm.Average(),
        by_site=eqm.PerGroup(eqm.Average(), 2).from_output(group="site"),
        by_age=eqm.PerGroup(eqm.Average(), 3).from_output(group="age"),
    )
    got = eqm.to_host(slices.update(values=X, site=jnp.array([0, 1, 1, 1]), age=GROUP))
    np.testing.assert_array_equal(got["by_age"], [1.5, np.nan, 6])
    assert got["loss"] == 3.75 and list(got) == ["loss", "by_site", "by_age"]


def test_ordered_metrics_tick_together():
    last = eqm.PerGroup(eqm.LastValue(), 2)
    for x, g in ((1.0, 0), (2.0, 0), (5.0, 1)):
        last = last.update(values=jnp.array([x]), group=jnp.array([g]))
    assert last.compute().tolist() == [2, 5]


# ---- construction, and devices


@pytest.mark.parametrize(
    "args, error, message",
    [
        ((eqm.Average(), 0), ValueError, "num_groups=0: expected a whole"),
        ((eqm.Average(), 2, "least"), ValueError, "worst='least'"),
        ((eqm.Average, 2), TypeError, r"Build it: `Average\(\)`"),
        ((eqm.Collect("x"), 2), TypeError, "`Collect.chunks` grows"),
        ((eqm.MetricDict(), 2), TypeError, "`MetricDict` without any metric"),
        ((MEANS, 2), TypeError, r"`group`, and so.*from_output\(group="),
        ((ColumnMean(1), 2), TypeError, "`ColumnMean` takes val.*take `mask`"),
    ],
)
def test_what_it_refuses(args, error, message):
    with pytest.raises(error, match=message):
        metric, num_groups, *worst = args
        eqm.PerGroup(metric, num_groups, worst=worst[0] if worst else None)


def test_it_takes_the_configuration_alone():
    used = eqm.Average().update(values=X)
    assert np.isnan(eqm.PerGroup(used, 2).compute()).all()


def test_beside_plain_metrics_it_sends_no_more():
    plain = {"loss": eqm.Average(), "std": eqm.Std()}
    batch = {"values": np.ones(16, np.float32), "group": np.zeros(16, np.int32)}

    def sent(members, names):
        f = over(
            lambda m, b: m.update(**{k: b[k] for k in names}).all_reduce("devices"),
            mesh_of(),
            (P(), P("devices")),
        )
        return collectives(f.lower(eqm.MetricDict(members), batch).compile())

    groups = {"groups": eqm.PerGroup(eqm.Average(), 3), "by masks": eqm.PerGroup(eqm.Max(), 3)}
    alone_, both = sent(plain, ["values"]), sent(plain | groups, ["values", "group"])
    assert [kind for kind, _ in both] == [kind for kind, _ in alone_] == ["all-reduce"] * 2


# ---- a row in several groups


@pytest.mark.parametrize("form", ["plain", "masked", "weighted"])
def test_rows_in_several_groups(form):
    rng = np.random.default_rng(0)
    tags = rng.random((20, 4)) < 0.4
    tags[:, 3] = False
    metric = eqm.MetricDict(
        mean=eqm.Average(),
        most=eqm.Max().from_output(weights=None),
        f1=eqm.F1(eqm.Multiclass(3)).from_output(predicted_labels="p", labels="y"),
    )
    rows = {
        "values": rng.normal(size=20).astype(np.float32),
        "p": rng.integers(0, 3, 20).astype(np.int32),
        "y": rng.integers(0, 3, 20).astype(np.int32),
    }
    mask, weights = np.arange(20) % 5 > 0, rng.integers(0, 3, 20).astype(np.float32)
    extra = {"plain": {}, "masked": {"mask": mask}, "weighted": {"weights": weights}}[form]
    step = jax.jit(lambda m, **batch: m.update(**batch))
    groups = step(eqm.PerGroup(metric, 4), **rows, **extra, group=tags)
    got, alone = eqm.to_host(groups), jax.jit(lambda **batch: metric.update(**batch).compute())
    for g in range(4):
        kept = tags[:, g] & (mask if form == "masked" else True)
        want = alone(**rows, mask=kept, **({} if form == "masked" else extra))
        for name, x in want.items():
            np.testing.assert_allclose(got[name][g], x, rtol=1e-6)
    one = rng.integers(0, 4, 20).astype(np.int32)
    same = step(groups.reset(), **rows, **extra, group=np.eye(4, dtype=bool)[one])
    want = step(groups.reset(), **rows, **extra, group=one)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6), same.compute(), want.compute()
    )


def test_a_row_of_several_entries_in_several_groups():
    tags = np.array([[True, True], [False, True]])
    x = np.array([[1.0, 3.0], [5.0, 7.0]], np.float32)
    mask = np.array([[True, True], [True, False]])
    got = eqm.PerGroup(eqm.Average(), 2)(values=x, mask=mask, group=tags)
    assert got.tolist() == [2.0, 3.0]


class WholeSum(eqm.Metric):
    """Takes no mask: what it says of its rows is enough for one group a row."""

    sums: eqm.Sums

    def __init__(self):
        self.sums = eqm.Sums(total=())

    def update(self, values: Float[Array, "rows"]) -> Self:
        return self.replace(sums=self.sums.add(eqm.rows(values), total=values))

    def compute(self) -> Float[Array, ""]:
        return self.sums.read("total")


def test_what_several_groups_need():
    x, tags = jnp.ones(2), jnp.ones((2, 3), bool)
    with pytest.raises(TypeError, match=r"bool\[2, 3\].*in the shape \(\*rows, 4\)"):
        eqm.PerGroup(eqm.Average(), 4).update(values=x, group=tags)
    with pytest.raises(TypeError, match=r"bool\[2\].*give its number"):
        eqm.PerGroup(eqm.Average(), 2).update(values=x, group=tags[:, 0])
    with pytest.raises(TypeError, match="would count several times"):
        eqm.PerGroup(eqm.Average(), 3, worst="min").update(values=x, group=tags)
    with pytest.raises(TypeError, match="`WholeSum` takes values.*Let its `update` take `mask`"):
        eqm.PerGroup(WholeSum(), 3).update(values=x, group=tags)
