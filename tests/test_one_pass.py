"""Sums of a whole collection, of groups and of replicates in one pass over the rows: the same
values as one after the other, whatever an `update` does."""

from typing import Self

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Float

import eqmetrics as eqm
from eqmetrics._onepass import apart
from eqmetrics._wrap.bootstrap import _poisson


Values = Float[Array, "rows"]
Mask = Bool[Array, "rows"] | None
Weights = Float[Array, "rows"] | None


class AbstractOfValues(eqm.Metric):
    mean: eqm.Average

    def __init__(self):
        self.mean = eqm.Average()

    def compute(self) -> Float[Array, "..."]:
        return self.mean.compute()


class RMSE(AbstractOfValues, init=False):
    """Holds an average, and gives it what it makes of each row."""

    def update(self, values: Values, *, mask: Mask = None) -> Self:
        return self.replace(mean=self.mean.update(jnp.sqrt(values**2 + 1), mask=mask))


class Weighs(AbstractOfValues, init=False):
    def update(self, values: Values, *, mask: Mask = None, weights: Weights = None) -> Self:
        mean = self.mean.update(jnp.sqrt(values**2 + 1), mask=mask, weights=weights)
        return self.replace(mean=mean)


class Twice(AbstractOfValues, init=False):
    def update(self, values: Values, *, mask: Mask = None) -> Self:
        mean = self.mean.update(values, mask=mask).update(2 * values, mask=mask)
        return self.replace(mean=mean)


class Reads(AbstractOfValues, init=False):
    """Reads what it has added before it adds more: rows of several groups meet in it."""

    def update(self, values: Values, *, mask: Mask = None) -> Self:
        mean = self.mean.update(values, mask=mask)
        return self.replace(mean=mean.update(values - mean.compute(), mask=mask))


class Centres(AbstractOfValues, init=False):
    """Mixes the rows."""

    def update(self, values: Values, *, mask: Mask = None) -> Self:
        taken = jnp.ones(values.shape, bool) if mask is None else mask
        middle = jnp.sum(jnp.where(taken, values, 0)) / jnp.sum(taken)
        return self.replace(mean=self.mean.update((values - middle) ** 2, mask=mask))


class Sorts(AbstractOfValues, init=False):
    """Mixes the rows, and hides it in a function."""

    def update(self, values: Values, *, mask: Mask = None) -> Self:
        taken = jnp.ones(values.shape, bool) if mask is None else mask
        ordered = jnp.sort(jnp.where(taken, values, jnp.inf))
        rank = jnp.arange(values.shape[0])
        return self.replace(mean=self.mean.update(ordered * rank, mask=rank < taken.sum()))


class Jits(AbstractOfValues, init=False):
    def update(self, values: Values, *, mask: Mask = None) -> Self:
        return self.replace(mean=jax.jit(lambda m, x: m.update(x, mask=mask))(self.mean, values))


class Scans(AbstractOfValues, init=False):
    def update(self, values: Values, *, mask: Mask = None) -> Self:
        taken = jnp.ones(values.shape, bool) if mask is None else mask
        step = lambda m, both: (m.update(both[0], mask=both[1]), None)
        return self.replace(mean=jax.lax.scan(step, self.mean, (values, taken))[0])


class Plain(eqm.Metric):
    """An array of its own beside a sum."""

    mean: eqm.Average
    total: Float[Array, ""] = eqm.state(reduce="sum")

    def __init__(self):
        self.mean, self.total = eqm.Average(), jnp.zeros(())

    def update(self, values: Values, *, mask: Mask = None) -> Self:
        taken = jnp.ones(values.shape, bool) if mask is None else mask
        total = self.total + jnp.sum(jnp.where(taken, values, 0))
        return self.replace(mean=self.mean.update(values, mask=mask), total=total)

    def compute(self) -> Float[Array, ""]:
        return self.total + self.mean.compute()


class Table(AbstractOfValues, init=False):
    """Looks a number up, counts in a softmax, and takes the best of three."""

    def update(self, values: Values, *, mask: Mask = None) -> Self:
        scores = jax.nn.softmax(jnp.stack([values, -values, 0 * values], axis=1), axis=1)
        best = jnp.argmax(scores, axis=1)
        said = jnp.take_along_axis(scores, best[:, None], 1)[:, 0]
        said += jnp.array([0.5, 2.0, 4.0])[best]
        return self.replace(mean=self.mean.update(said, mask=mask))


class Searches(AbstractOfValues, init=False):
    """Looks for each row in a loop, and picks some entries of each."""

    def update(self, values: Values, *, mask: Mask = None) -> Self:
        place = jnp.searchsorted(jnp.array([-1.0, 0.0, 1.0]), values)
        both = jnp.stack([values, values**2, place], axis=1)[:, np.array([2, 1])]
        return self.replace(mean=self.mean.update(both[:, 0] * both[:, 1], mask=mask))


class Chooses(AbstractOfValues, init=False):
    """Computes a number on each platform in its own way."""

    def update(self, values: Values, *, mask: Mask = None) -> Self:
        thrice = lambda x: x + x + x
        found = jax.lax.platform_dependent(values, cpu=lambda x: 3 * x, default=thrice)
        return self.replace(mean=self.mean.update(found, mask=mask))


class Hides(AbstractOfValues, init=False):
    """Mixes the rows in one of two branches."""

    def update(self, values: Values, *, mask: Mask = None) -> Self:
        taken = jnp.ones(values.shape, bool) if mask is None else mask
        mixed = lambda x: x - jnp.max(x)
        x = jnp.where(taken, values, -9)
        found = jax.lax.platform_dependent(x, cpu=mixed, default=lambda x: 2 * x)
        return self.replace(mean=self.mean.update(found, mask=mask))


class Swaps(AbstractOfValues, init=False):
    """Mixes the rows in a loop."""

    def update(self, values: Values, *, mask: Mask = None) -> Self:
        taken = jnp.ones(values.shape, bool) if mask is None else mask
        step = lambda x, _: (x - jnp.max(x), None)
        apart = jax.lax.scan(step, jnp.where(taken, values, -9), None, length=2)[0]
        return self.replace(mean=self.mean.update(apart, mask=mask))


class Picks(AbstractOfValues, init=False):
    """Takes the same rows for all."""

    def update(self, values: Values, *, mask: Mask = None) -> Self:
        taken = jnp.ones(values.shape, bool) if mask is None else mask
        first = values[jnp.where(taken.any(), jnp.argmax(taken), 0)]
        return self.replace(mean=self.mean.update(values * first, mask=mask))


SUMS = [RMSE, Twice, Table, Searches, Chooses]
MIXED = [Reads, Centres, Sorts, Jits, Scans, Plain, Swaps, Picks, Hides]
X = np.random.default_rng(0).normal(size=20).astype(np.float32)
GROUP = np.random.default_rng(1).integers(0, 11, 20).astype(np.int32)


@pytest.fixture
def refused(monkeypatch):
    """The reasons why something wasn't done in one pass."""
    found: list[str] = []

    class Counted(apart.NotASum):
        def __init__(self, why: str):
            found.append(why)

    monkeypatch.setattr(apart, "NotASum", Counted)
    return found


@pytest.mark.parametrize("cls", SUMS + MIXED)
@pytest.mark.parametrize("groups", [3, 11])
def test_by_group_is_each_group_alone(cls, groups, refused):
    rows = GROUP < groups
    metric = eqm.PerGroup(cls(), groups).update(values=X, group=np.where(rows, GROUP, 0), mask=rows)
    alone = [cls()(jnp.asarray(X[rows & (GROUP == g)])) for g in range(groups)]
    np.testing.assert_allclose(metric.compute(), alone, rtol=1e-6)
    assert bool(refused) == (cls in MIXED)


@pytest.mark.parametrize("cls", SUMS + MIXED)
def test_together_is_one_after_the_other(cls):
    metrics = eqm.MetricDict(one=cls(), two=eqm.Std(), three=eqm.Average())
    both = jax.jit(lambda m, x: m.update(values=x).update(values=x[:5]))(metrics, X)
    for name, metric in metrics.items():
        alone = metric.update(values=X).update(values=X[:5]).compute()
        np.testing.assert_allclose(both[name].compute(), alone, rtol=1e-6)


def test_a_user_may_look_at_values_in_eager_code():
    class Looks(AbstractOfValues, init=False):
        def update(self, values: Values) -> Self:
            return self.replace(mean=self.mean.update(values)) if float(values[0]) > 0 else self

    assert Looks()(jnp.ones(3)) == 1 and np.isnan(Looks()(-jnp.ones(3)))


def test_a_collection_sums_once():
    def reductions(metrics):
        text = jax.jit(lambda m, x: m.update(loss=x, predictions=x, targets=2 * x)).lower(
            metrics, jnp.ones(16)
        ).as_text()
        return text.count("stablehlo.reduce")

    loss = eqm.Average().from_output("loss")
    one = reductions(eqm.MetricDict(a=loss, b=eqm.MeanAbsoluteError()))
    more = eqm.MetricDict(
        a=loss, b=eqm.MeanAbsoluteError(), c=eqm.MeanSquaredError(), d=eqm.LogCosh()
    )
    assert reductions(more) == one


def test_the_reads_of_a_jaxpr_are_kept_alive():
    # Equal equations are told by the identity of their operands.
    metrics = eqm.MetricDict({str(i): eqm.Average().from_fun(_times(i)) for i in range(30)})
    values = metrics(values=jnp.array([1.0, 3.0]))
    assert [float(v) for v in values.values()] == [2.0 * i for i in range(30)]


def _times(i: int):
    return lambda values: values * i


def close(left, right):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-12), left, right)


def test_an_update_with_no_rows(refused):
    none, no_group = jnp.zeros(0), jnp.zeros(0, jnp.int32)
    for metric in (RMSE(), Table(), eqm.Std(), eqm.Max()):
        for groups in (3, 11):
            seen = eqm.PerGroup(metric, groups).update(values=X, group=GROUP % groups)
            close(seen.update(values=none, group=no_group), seen)
    seen = eqm.Bootstrap(eqm.Std(), 5, key=jax.random.key(0)).update(values=X)
    close(seen.update(values=none), seen)
    both = eqm.MetricDict(std=eqm.Std(), most=eqm.Max(), mean=RMSE()).update(values=X)
    close(both.update(values=none), both)
    assert refused == []


def test_rows_of_several_axes(refused):
    # A group for each text, values and a mask for each of its tokens.
    x, group = jnp.asarray(X.reshape(4, 5)), jnp.array([2, 0, 2, 10])
    mask = jnp.asarray(np.arange(20).reshape(4, 5) % 3 > 0)
    for metric in (eqm.Average(), eqm.Std(), eqm.Max()):
        each = eqm.PerGroup(metric, 11)
        flat = {"values": x.ravel(), "group": jnp.repeat(group, 5)}
        close(each.update(values=x, group=group).compute(), each.update(**flat).compute())
        masked = each.update(values=x, group=group, mask=mask).compute()
        close(masked, each.update(**flat, mask=mask.ravel()).compute())
    assert refused == []


@pytest.mark.parametrize("weighted", [False, True])
def test_few_groups_and_many_agree(weighted, refused):
    # Up to eight are summed under a mask each, more by a scatter.
    group = GROUP % 8
    extra = {"weights": jnp.arange(20) % 4} if weighted else {}
    for metric in (eqm.Average(), eqm.Std(), Weighs()):
        if isinstance(metric, Weighs):
            extra = {name: w.astype(jnp.float32) for name, w in extra.items()}
        few, many = (eqm.PerGroup(metric, n).update(values=X, group=group, **extra) for n in (8, 9))
        close(few.compute(), jax.tree.map(lambda x: x[:8], many.compute()))
    assert refused == []


def test_replicates_are_updates_with_their_weights(refused):
    key = jax.random.key(3)
    new = eqm.Bootstrap(Weighs(), 7, key=key, ids=True).update(values=X, ids=jnp.arange(20))
    weights = _poisson(key, jnp.arange(20), 7)
    alone = [Weighs().update(jnp.asarray(X), weights=w).compute() for w in weights]
    close(jax.vmap(lambda m: m.compute())(new.replicates), jnp.stack(alone))
    assert refused == []


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("shape", [(20,), (4, 5)])
def test_each_row_alone(shape, masked):
    # The first axis is that of the rows, of which each may have become several.
    metrics = {
        "mean": eqm.Average(),
        "std": eqm.Std(),
        "scores": eqm.StatScores(eqm.Multiclass(3)),
        "most": eqm.Max(),
    }
    x = jnp.asarray(X.reshape(shape))
    labels = jnp.asarray(np.arange(20).reshape(shape) % 3)
    mask = {"mask": jnp.asarray(np.arange(20).reshape(shape) % 4 > 0)} if masked else {}
    for metric in metrics.values():
        takes = {"labels": labels, "predicted_labels": labels[::-1]}
        outputs = (takes if isinstance(metric, eqm.StatScores) else {"values": x}) | mask
        update = lambda m, b: type(m).update(m, **b)
        got = apart.update_rows(update, eqm.stack(metric, shape[0]), outputs)
        want = jax.vmap(lambda b, m=metric: m.update(**b))(outputs)
        value = jax.vmap(lambda m: m.compute())
        close(value(got), value(want))


def test_each_of_large_integers_alone():
    x = jnp.array([2**24 + 1, 2**30 + 1, 7])
    update = lambda m, b: type(m).update(m, **b)
    for metric in (eqm.Average(), eqm.CentredMoments()):
        got = apart.update_rows(update, eqm.stack(metric, 3), {"values": x})
        pairs = got.sums.pairs[..., 0] if isinstance(got, eqm.Average) else got.mean[..., 0]
        high, low = np.asarray(pairs, np.float64).T
        assert (high + low == np.asarray(x)).all()


def collection():
    return eqm.MetricDict(
        mean=RMSE(),
        std=eqm.Std(),
        most=eqm.Max(),
        groups=eqm.PerGroup(eqm.Average(), 11).from_output("values", group="tag"),
    )


def test_an_explicit_mesh():
    mesh = jax.make_mesh((4,), ("rows",), axis_types=(AxisType.Explicit,))
    rows = {"values": jnp.asarray(X), "tag": jnp.asarray(GROUP)}
    put = lambda x: jax.device_put(x, NamedSharding(mesh, PartitionSpec("rows")))
    new = jax.jit(lambda m, rows: m.update(**rows))(collection(), jax.tree.map(put, rows))
    close(new.compute(), collection().update(**rows).compute())


def test_a_collection_under_shard_map():
    mesh = jax.make_mesh((4,), ("rows",), axis_types=(AxisType.Auto,))
    rows = {"values": jnp.asarray(X), "tag": jnp.asarray(GROUP)}
    across = jax.shard_map(
        lambda m, rows: m.update_across("rows", **rows),
        mesh=mesh,
        in_specs=(PartitionSpec(), PartitionSpec("rows")),
        out_specs=PartitionSpec(),
    )
    close(jax.jit(across)(collection(), rows).compute(), collection().update(**rows).compute())


def test_models_side_by_side():
    x = jnp.stack([jnp.asarray(X), 2 * X, X + 1])
    new = jax.vmap(lambda m, x: m.update(values=x, tag=GROUP))(eqm.stack(collection(), 3), x)
    each = [collection().update(values=one, tag=GROUP).compute() for one in x]
    close(jax.vmap(lambda m: m.compute())(new), jax.tree.map(lambda *y: jnp.stack(y), *each))


def test_a_gradient_through_a_collection():
    def loss(scale, update):
        values = update(collection(), scale * X).compute()
        return values["mean"] + values["std"] + values["most"] + values["groups"][GROUP[0]]

    def by_hand(scale):
        x = scale * X
        mine = GROUP == GROUP[0]
        root = jnp.mean(jnp.sqrt(x**2 + 1))
        return root + jnp.std(x) + jnp.max(x) + jnp.sum(x * mine) / mine.sum()

    update = lambda m, x: m.update(values=x, tag=GROUP)
    for way in (update, jax.jit(update)):
        got = jax.grad(lambda s: loss(s, way))(jnp.float32(1.5))
        np.testing.assert_allclose(got, jax.grad(by_hand)(jnp.float32(1.5)), rtol=1e-5)
