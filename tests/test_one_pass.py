"""Sums of a whole collection, of groups and of replicates in one pass over the rows: the same
values as one after the other, whatever an `update` does."""

from typing import Self

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Bool, Float

import eqmetrics as eqm
from eqmetrics._onepass import apart


Values = Float[Array, "rows"]
Mask = Bool[Array, "rows"] | None


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
        said = jnp.array([0.5, 2.0, 4.0])[best] + jnp.take_along_axis(scores, best[:, None], 1)[:, 0]
        return self.replace(mean=self.mean.update(said, mask=mask))


class Searches(AbstractOfValues, init=False):
    """Looks for each row in a loop, and picks some entries of each."""

    def update(self, values: Values, *, mask: Mask = None) -> Self:
        place = jnp.searchsorted(jnp.array([-1.0, 0.0, 1.0]), values)
        both = jnp.stack([values, values**2, place], axis=1)[:, np.array([2, 1])]
        return self.replace(mean=self.mean.update(both[:, 0] * both[:, 1], mask=mask))


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


SUMS = [RMSE, Twice, Table, Searches]
MIXED = [Reads, Centres, Sorts, Jits, Scans, Plain, Swaps, Picks]
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
