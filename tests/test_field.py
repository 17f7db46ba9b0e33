"""Errors when the class is defined, and what a field may hold."""

from typing import Any, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Bool, Float, Int

import eqmetrics as eqm


def test_an_array_must_say_how_it_merges():
    with pytest.raises(TypeError, match=r"_NoReduction.total` is an array.*eqm.state\(reduce="):

        class _NoReduction(eqm.Metric):
            total: Float[Array, ""]

    with pytest.raises(TypeError, match="_Optional.total` is an array"):

        class _Optional(eqm.Metric):
            total: Float[Array, ""] | None

    with pytest.raises(TypeError, match="_NoMerge.total` has no reduction.*override `merge`"):

        class _NoMerge(eqm.Metric):
            total: Float[Array, ""] = eqm.state()


def test_an_array_that_the_annotation_hides_is_found_when_built():
    class Hides(eqm.Metric):
        parts: Any

        def __init__(self):
            self.parts = [jnp.zeros(3)]

        def update(self) -> Self:
            return self

        def compute(self) -> Any:
            return 0

    with pytest.raises(TypeError, match=r"Hides.parts` holds float32\[3\], .*eqm.state"):
        Hides()


class Holds(eqm.Metric):
    """A field that says nothing, and one that declares an array."""

    plain: Any
    declared: Any = eqm.state(reduce="sum")

    def __init__(self, plain: Any = None, declared: Any = 0.0):
        self.plain = plain
        self.declared = declared

    def update(self) -> Self:
        return self

    def compute(self) -> Any:
        return self.declared


@pytest.mark.parametrize("value", [2, 0.5, "mean", abs])
def test_configuration_is_static(value):
    with pytest.raises(TypeError, match=r"Holds.plain` holds .*`plain: .*field\(static=True"):
        Holds(value)


@pytest.mark.parametrize("value", [eqm.Average(), (jnp.zeros(2), jnp.zeros(3)), None, "x"])
def test_a_declared_state_is_one_array(value):
    with pytest.raises(TypeError, match="`Holds.declared` is a|`declared` is <U1.*expected num"):
        Holds(declared=value)


def test_unknown_reductions():
    with pytest.raises(ValueError, match="Unknown reduction 'summ': .*sum, max, min.*`sum`"):
        eqm.state(reduce="summ")


def test_update_may_not_swallow_arguments():
    with pytest.raises(TypeError, match=r"_Swallows.update` takes `\*\*kwargs`: .*swallowed"):

        class _Swallows(eqm.Metric):
            def update(self, **kwargs) -> Self:
                return self

    with pytest.raises(TypeError, match=r"takes `\*args`"):

        class _Spreads(eqm.Metric):
            def update(self, *args) -> Self:
                return self


class Kinds(eqm.Metric):
    """A dtype and a reduction, checked when built."""

    x: Any = eqm.state(reduce="sum")

    def __init__(self, x: Any):
        self.x = x

    def update(self) -> Self:
        return self

    def compute(self) -> Any:
        return self.x


def test_a_reduction_refuses_dtypes():
    with pytest.raises(TypeError, match=r"Kinds.x` is bool\[\] and reduces by sum: booleans"):
        Kinds(jnp.zeros((), bool))
    assert Kinds(3).x.dtype == jnp.int32 and Kinds(np.float64(0.5)).x.dtype == jnp.float32


class Extremes(eqm.Metric):
    columns: int = eqx.field(static=True)
    high: Int[Array, "n"] = eqm.state(reduce="max")
    low: Float[Array, "n"] = eqm.state(reduce="min")
    any_seen: Bool[Array, ""] = eqm.state(reduce="max")

    def __init__(self, columns: int, others: int | None = None):
        self.columns = columns
        self.high = jnp.full(columns, jnp.iinfo(jnp.int32).min)
        self.low = jnp.full(columns if others is None else others, jnp.inf)
        self.any_seen = jnp.zeros((), bool)

    def update(self, x: Float[Array, "rows n"]) -> Self:
        return self.replace(
            high=jnp.maximum(self.high, x.max(0).astype(jnp.int32)),
            low=jnp.minimum(self.low, x.min(0)),
            any_seen=jnp.ones((), bool),
        )

    def compute(self) -> Any:
        return self.high, self.low, self.any_seen


def test_one_axis_name_is_one_size_in_all_fields():
    with pytest.raises(TypeError, match="low"):
        Extremes(2, others=3)


def test_reset_gives_the_identity_of_each_reduction():
    seen = Extremes(2).update(jnp.array([[1.0, -4.0], [3.0, 5.0]]))
    empty = seen.reset()
    assert eqx.tree_equal(empty, Extremes(2))
    for joined in (empty.merge(seen), seen.merge(empty)):
        assert [x.tolist() for x in joined.compute()] == [[3, 5], [1.0, -4.0], True]
