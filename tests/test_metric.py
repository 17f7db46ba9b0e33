"""What `Metric` derives from `update`, `merge` and `compute`."""

from typing import Any, Generic, Self, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

import eqmetrics as eqm

from .users_metric import ColumnMean


X = jnp.array([[1.0, 2.0], [3.0, 6.0]])


def test_derived_operations():
    m = ColumnMean(2)
    assert m(X).tolist() == [2.0, 4.0]
    seen = m.update(X)
    new, value = seen.step(X[:1])
    assert value.tolist() == [1.0, 2.0]
    assert new.count == 3 and new.total.tolist() == [5.0, 10.0]
    assert seen(X[1:]).tolist() == [3.0, 6.0]  # of this batch alone
    assert seen.count == 2
    assert seen.reset().count == 0 and seen.reset().columns == 2
    assert eqm.Average.empty().merge(eqm.Average.from_model_output(3.0)).compute() == 3.0
    assert eqm.Average.from_model_output(values=jnp.ones(2)).compute() == 1.0


def test_a_metric_is_immutable_and_a_pytree():
    m = ColumnMean(2)
    with pytest.raises(AttributeError):
        m.total = jnp.ones(2)  # pyright: ignore[reportAttributeAccessIssue]
    leaves, treedef = jax.tree.flatten(m.update(X))
    assert len(leaves) == 2
    assert jax.tree.unflatten(treedef, leaves).compute().tolist() == [2.0, 4.0]
    assert treedef == jax.tree.structure(m)


def test_replace_converts_floats_and_nothing_else():
    m = eqm.Sums(total=2)
    half = m.replace(pairs=jnp.ones((2, 2), jnp.bfloat16))
    assert half.pairs.dtype == jnp.float32
    assert m.replace(invalid=np.ones(2)).invalid.dtype == jnp.float32
    with pytest.raises(TypeError, match="`invalid` is int32.2., expected float32"):
        m.replace(invalid=jnp.ones(2, jnp.int32))
    weak = ColumnMean(2).replace(total=jnp.full(2, 0.5) * 1.0)
    assert not jax.typeof(weak.total).weak_type


def test_update_must_return_its_own_class():
    class Forgets(eqm.Metric):
        def update(self) -> Any:
            return None

        def compute(self) -> Any:
            return None

    with pytest.raises(TypeError, match="Forgets.update` returned NoneType None: .*self.replace"):
        Forgets().update()


class Weighted(eqm.Metric):
    """Metrics are built from metrics; a constant is kept and never merged."""

    parts: dict[str, eqm.Metric]
    scale: Float[Array, "2"] = eqm.constant()

    def __init__(self, scale: Any):
        self.scale = scale
        self.parts = {"mean": eqm.Average((2,)), "rows": eqm.Count()}

    def update(self, values: Float[Array, "rows 2"]) -> Self:
        mean, rows = self.parts["mean"], self.parts["rows"]
        return self.replace(parts={"mean": mean.update(values), "rows": rows.update(values[:, 0])})

    def compute(self) -> Any:
        return self.scale * self.parts["mean"].compute(), self.parts["rows"].compute()


def test_nested_metrics_and_constants():
    m = Weighted(np.array([1.0, 10.0]))
    joined = m.update(X[:1]).merge(m.update(X[1:]))
    value, rows = joined.compute()
    assert value.tolist() == [2.0, 40.0] and rows == 2
    assert joined.reset().scale.tolist() == [1.0, 10.0]
    assert joined.reset().compute()[1] == 0
    stacked = jax.vmap(m.update)(X[:, None])
    assert stacked.reduce().compute()[0].tolist() == [2.0, 40.0]
    assert stacked.reduce().scale.shape == (2,)


@pytest.mark.parametrize("ways", [jax.jit, eqx.filter_jit], ids=["jit", "filter_jit"])
def test_a_thousand_updates_compile_once(ways):
    traces = []

    @ways
    def step(m, x):
        traces.append(None)
        return m.update(x)

    m = ColumnMean(2)
    for _ in range(1000):
        m = step(m, X)
    assert len(traces) == 1 and m.count == 2000


def test_shared_buffers_and_weak_types_are_mended_at_construction():
    class Twins(eqm.Metric):
        a: Float[Array, ""] = eqm.state(reduce="sum")
        b: Float[Array, ""] = eqm.state(reduce="sum")

        def __init__(self):
            self.a = self.b = jnp.asarray(1.0) * 2

        def update(self, values: Any) -> Self:
            return self.replace(a=self.a + values, b=self.b + values)

        def compute(self) -> Any:
            return self.a + self.b

    m = Twins()
    assert m.a.unsafe_buffer_pointer() != m.b.unsafe_buffer_pointer()
    assert not any(jax.typeof(x).weak_type for x in jax.tree.leaves(m))
    donated = jax.jit(lambda m: m.update(1.0), donate_argnums=0)
    assert donated(m).compute() == 6.0


def test_vmap_over_seeds():
    keys = jax.random.split(jax.random.key(0), 3)
    noise = jax.vmap(lambda key: jax.random.normal(key, (4, 2)))(keys)
    means = jax.vmap(lambda x: ColumnMean(2).update(x).compute())(noise)
    np.testing.assert_allclose(means, noise.mean(1), rtol=1e-5)


class Keeps(eqm.Metric):
    """Merges by a merge of its own, which checks nothing."""

    which: int = eqx.field(static=True)
    value: Float[Array, ""] = eqm.state()

    def __init__(self, which: int):
        self.which, self.value = which, jnp.zeros(())

    def update(self, values: Float[Array, "rows"]) -> Self:
        return self.replace(value=values[0])

    def merge(self, other: Self) -> Self:
        return self.replace(value=other.value)

    def compute(self) -> Float[Array, ""]:
        return self.value


def test_a_merge_of_its_own_is_checked_too():
    with pytest.raises(ValueError, match="`which` is 1 here and 2 there"):
        Keeps(1).merge(Keeps(2))
    stacked = jax.vmap(Keeps(1).update)(jnp.ones((8, 2)))
    with pytest.raises(TypeError, match=r"leading axis of 8.*`metric = metric.reduce\(\)`"):
        Keeps(1).merge(stacked)
    with pytest.raises(TypeError, match=r"`value` is float32\[\].*one state"):
        Keeps(1).reduce()


def test_what_an_update_takes_is_told():
    with pytest.raises(TypeError, match=r"`Accuracy.update`.*By name alone: labels, logits"):
        eqm.Accuracy().update(jnp.ones((2, 3)), jnp.zeros(2))  # pyright: ignore[reportCallIssue]


class Bins(eqm.Metric):
    """Its shapes follow from a constant, and no static field tells two apart."""

    edges: Float[Array, "edges"] = eqm.constant()
    counts: Float[Array, "bins"] = eqm.state(reduce="sum")

    def __init__(self, edges: Any):
        self.edges = edges
        self.counts = jnp.zeros(len(edges) - 1)

    def update(self, values: Float[Array, "rows"]) -> Self:
        return self.replace(counts=self.counts + jnp.histogram(values, self.edges)[0])

    def compute(self) -> Float[Array, "bins"]:
        return self.counts


def test_states_of_different_shapes_are_not_broadcast():
    said = r"`Bins` of different configuration: `counts` is float32\[3\] here and float32\[1\]"
    with pytest.raises(ValueError, match=said):
        Bins(np.arange(4.0)).merge(Bins(np.arange(2.0)))


def test_different_parts_are_not_merged():
    class Parts(eqm.Metric):
        parts: dict[str, eqm.Metric]

        def __init__(self, *names: str):
            self.parts = {name: eqm.Average() for name in names}

        def update(self) -> Self:
            return self

        def compute(self) -> Any:
            return None

    with pytest.raises(ValueError, match=r"Parts`.*`parts` is \['a'\] here and \['b'\], \['c'\]"):
        Parts("a").merge(Parts("b", "c"))


def test_nan_as_configuration_is_itself():
    one, other = eqm.Average(undefined=float("nan")), eqm.Average(undefined=float("nan"))
    assert one.update(jnp.ones(2)).merge(other).compute() == 1.0


M = TypeVar("M", bound=eqm.Metric)


class Doubled(eqm.Metric, Generic[M]):
    inner: M

    def __init__(self, inner: M):
        self.inner = inner

    def update(self, values: Any) -> Self:
        return self.replace(inner=self.inner.update(values))

    def compute(self) -> Any:
        return 2 * self.inner.compute()


def test_a_generic_metric():
    twice: Doubled[eqm.Sum] = Doubled(eqm.Sum())
    assert twice.update(jnp.ones(3)).merge(Doubled[eqm.Sum](eqm.Sum())).compute() == 6.0
