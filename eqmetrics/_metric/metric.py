import abc
import dataclasses
import typing
from collections.abc import Callable
from typing import Any, ClassVar, dataclass_transform, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from .._reduction.axes import automatic
from .._reduction.plans import PlanOf
from .checks import check_fields, check_signature
from .field import check_class, constant, layout, stacked, state
from .frames import noting
from .messages import nearest
from .node import (
    converted,
    finish_build,
    is_metric,
    mark_all_fresh,
    mark_fresh,
    Node,
    parts,
    rebuild,
)
from .numbers import plain_numbers
from .wrapped import (
    check_mergeable,
    differs,
    finish_update,
    nan_where_left_out,
    paths,
    plain,
    telling_nan,
    wrap,
    wrap_bounds,
    wrap_merge,
    writes,
)


def _by_name(metric: "Metric", args: Any, kwargs: Any) -> Any:
    if not args or not isinstance(metric, AbstractWrapper):
        return args, kwargs
    from .._collection.route import by_name

    return by_name(metric, args, kwargs)


def _check_update(metric: "Metric", args: Any, kwargs: Any) -> None:
    # A collection checks this itself, and its error names the member.
    if isinstance(metric, AbstractWrapper) and not isinstance(metric, AbstractCollection):
        from .._collection.route import check_outputs

        check_outputs(metric, kwargs)


def _finish_compute(metric: "Metric", value: Any, inputs: Any) -> Any:
    if isinstance(metric, (AbstractCollection, AbstractInvalid)):
        return value
    return nan_where_left_out(metric, value)


@dataclass_transform(field_specifiers=(dataclasses.field, eqx.field, state, constant, stacked))
class Metric(Node):
    """A commutative monoid with a readout: `reset`, `update`, `merge`, `compute`.

    A subclass declares its state with [`eqmetrics.state`][] and defines `__init__`, `update` and
    `compute`; everything else is derived. Shapes and types of the fields, and of the arguments and
    results of `update` and `compute`, are checked against their annotations, once for each set of
    shapes.
    """

    ordered: ClassVar[bool] = False

    def __init_subclass__(cls, *, init: bool = True, **kwargs: Any) -> None:
        # `init=False` tells type checkers that a class without an `__init__` inherits that of its
        # base (PEP 681); otherwise they would synthesise one, as for a dataclass.
        super().__init_subclass__(**kwargs)  # `Generic` has one, which must run
        plain_numbers(cls)
        check_class(cls, own_merge=cls.merge is not Metric.merge)
        if writes(cls, "update"):
            check_signature(cls, cls.__dict__["update"], issubclass(cls, AbstractWrapper))
            wrap(cls, "update", finish_update, _check_update, named=_by_name)
        if writes(cls, "compute"):
            wrap(cls, "compute", _finish_compute, around=telling_nan)
        if writes(cls, "bounds"):
            wrap_bounds(cls)
        if writes(cls, "merge") and not issubclass(cls, AbstractCollection):
            wrap_merge(cls)

    def __check_init__(self) -> None:
        finish_build(self)

    @abc.abstractmethod
    def update(self, *args: Any, **kwargs: Any) -> Self:
        """A new metric that has also seen this batch."""

    @abc.abstractmethod
    def compute(self) -> Any:
        """The value: an array, or a pytree of arrays."""

    def reset(self) -> Self:
        """The identity of `merge`: an empty metric of the same configuration."""
        declared, changes = layout(type(self)), {}
        for reduction, names in declared.groups:
            arrays = tuple(getattr(self, n) for n in names)
            if reduction is None:
                empty = [
                    jax.tree.map(lambda y, n=n: jnp.full(y.shape, declared.initial[n], y.dtype), x)
                    for n, x in zip(names, arrays, strict=True)
                ]
            else:
                empty = reduction.identity(arrays)
            changes.update(zip(names, empty, strict=True))
        for name in declared.nested:
            each, close = parts(getattr(self, name))
            changes[name] = close([x.reset() if is_metric(x) else x for _, x in each])
        for name in declared.stacked:
            changes[name] = jax.vmap(lambda x: x.reset())(getattr(self, name))
            mark_all_fresh(changes[name])
        new = rebuild(self, changes)
        mark_fresh(new)
        return new

    @automatic
    def merge(self, other: Any) -> Self:
        """A new metric that has seen what both have seen.

        !!! example

            ```python
            import eqmetrics as eqm, jax.numpy as jnp
            left, right = eqm.Sum().update(jnp.array(1.0)), eqm.Sum().update(jnp.array(2.0))
            assert left.merge(right).compute() == 3.0
            ```
        """
        check_mergeable(self, other)
        declared, changes = layout(type(self)), {}
        for reduction, names in declared.groups:
            assert reduction is not None
            left = tuple(getattr(self, n) for n in names)
            right = tuple(getattr(other, n) for n in names)
            changes.update(zip(names, reduction.merge(left, right), strict=True))
        for name in declared.nested:
            values, others = getattr(self, name), getattr(other, name)
            left, treedef = jax.tree.flatten(values, is_leaf=is_metric)
            right, treedef_there = jax.tree.flatten(others, is_leaf=is_metric)
            if treedef != treedef_there:
                raise differs(type(self), name, paths(values), paths(others))
            with noting(f"In `{type(self).__name__}.{name}`."):
                merged = [x.merge(y) for x, y in zip(left, right, strict=True)]
            changes[name] = jax.tree.unflatten(treedef, merged)
        for name in declared.stacked:
            both = getattr(self, name), getattr(other, name)
            changes[name] = jax.vmap(lambda x, y: x.merge(y))(*both)
        return rebuild(self, changes)

    @plain
    def replace(self, **changes: Any) -> Self:
        """A copy with other values for some fields, checked as in a new metric.

        A state keeps the dtype that it was built with: floating-point values are converted to it.
        An unknown name, another shape or another kind of number is an error.
        """
        declared = layout(type(self))
        for name in changes:
            if name not in declared.names:
                raise TypeError(
                    f"`{type(self).__qualname__}` has no field `{name}`; it has "
                    f"{', '.join(declared.names)}.{nearest(name, declared.names)}"
                )
        new = rebuild(self, converted(self, changes))
        check_fields(new)
        return new

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The value of this batch alone."""
        return self.reset().update(*args, **kwargs).compute()

    def per_row(self, *args: Any, **kwargs: Any) -> Any:
        """The value for each entry of the first axis alone, stacked; NaN where it is undefined, as
        for a row that the mask removes. If the metric is a mean over rows, these are the terms of
        the mean.

        !!! example

            ```python
            import eqmetrics as eqm, jax.numpy as jnp
            error = eqm.MeanAbsoluteError()
            values = error.per_row(predictions=jnp.array([1.0, 5.0]), targets=jnp.array([2.0, 2.0]))
            assert values.tolist() == [1.0, 3.0]
            ```
        """
        from .per_row import per_row

        return per_row(self, args, kwargs)

    def step(self, *args: Any, **kwargs: Any) -> tuple[Self, Any]:
        """The updated metric and the value of this batch alone, from one pass over the batch.

        !!! example

            ```python
            import eqmetrics as eqm, jax.numpy as jnp
            total, value = eqm.Sum().update(jnp.array(1.0)).step(jnp.array(2.0))
            assert value == 2.0 and total.compute() == 3.0
            ```
        """
        batch = self.reset().update(*args, **kwargs)
        return self.merge(batch), batch.compute()

    @classmethod
    def empty(cls) -> Self:
        """`cls()`, under the name that it has in clu and metrax."""
        try:
            return cls()
        except TypeError as e:
            name = cls.__name__
            e.add_note(
                f"`{name}.empty()` is `{name}()`: every argument needs a default. In a "
                "collection: `accuracy: eqm.Accuracy = eqx.field(default_factory=eqm.Accuracy)`."
            )
            raise

    @classmethod
    def from_model_output(cls, *args: Any, **kwargs: Any) -> Self:
        """`cls().update(...)`, under the name that it has in clu and metrax."""
        return cls.empty().update(*args, **kwargs)

    def reduce(self) -> Self:
        """Merges states that are stacked along a leading axis, each of which has seen its own rows.
        For equal copies, as `pmap` returns them, use [`eqmetrics.unreplicate`][]; merging copies
        warns.

        !!! example

            ```python
            import eqmetrics as eqm, jax, jax.numpy as jnp
            stacked = jax.vmap(eqm.Sum().update)(jnp.arange(8.0).reshape(4, 2))
            assert stacked.reduce().compute() == 28.0
            ```
        """
        from .._reduction.reduce import reduce

        return reduce(self)

    def all_reduce(self, axis_name: str | tuple[str, ...]) -> Self:
        """Merges over a mapped axis, inside `pmap`, `shard_map` or `vmap`."""
        from .._reduction.reduce import all_reduce

        return all_reduce(self, axis_name)

    def update_across(
        self, axis_name: str | tuple[str, ...], *args: Any, **kwargs: Any
    ) -> Self:
        """Updates a replicated metric with the batches of all devices, each counted once.

        !!! example

            ```python
            import eqmetrics as eqm, jax, jax.numpy as jnp
            f = lambda total, x: total.update_across("devices", x).compute()
            total = eqm.Sum().update(jnp.array(1.0))
            values = jax.vmap(f, in_axes=(None, 0), axis_name="devices")(total, jnp.ones(8))
            assert values.tolist() == [9.0] * 8
            ```
        """
        batch = self.reset().update(*args, **kwargs)
        return self.merge(batch.all_reduce(axis_name))

    def check(self) -> None:
        """Raises `eqm.InvalidDataError` if invalid rows were seen. Host only."""
        from .invalid import raise_if_invalid

        raise_if_invalid(self)

    def from_output(self, *names: str, **renames: str | None) -> "Metric":
        """This metric, reading outputs under other names.

        `from_output("loss")` renames the first arguments in order,
        `from_output(logits="head_logits")` by name; with `mask=None` the mask isn't passed on.

        !!! example

            ```python
            import eqmetrics as eqm, jax.numpy as jnp
            assert eqm.Average().from_output("loss")(loss=jnp.array([1.0, 3.0])) == 2.0
            ```
        """
        from .._wrap.from_output import FromOutput

        return FromOutput(self, names, renames)

    def from_fun(self, fn: typing.Callable[..., Any]) -> "Metric":
        """This metric, updated with the result of `fn(**outputs)`: its first argument, or a dict of
        its arguments. A lambda without a closure may be defined anew: it isn't compiled again.

        !!! example

            ```python
            import eqmetrics as eqm, jax.numpy as jnp
            absolute = eqm.Average().from_fun(lambda error: abs(error))
            assert absolute(error=jnp.array([-1.0, 3.0])) == 2.0
            ```
        """
        from .._wrap.from_fun import FromFun

        return FromFun(self, fn)


class AbstractExact(Metric):
    """A metric whose value is a sum that float32 may not hold exactly: `eqm.to_host` reads it in
    float64."""

    @abc.abstractmethod
    def exact(self) -> Any:
        """The value with a pair of float32 instead of each array; `None` if it isn't a sum."""


class AbstractAccumulator(Metric):
    """A part of a metric that holds its sums. Its invalid rows are those of the metric."""


class AbstractInvalid(Metric):
    """A metric whose value is a count of invalid rows."""


class AbstractPlanned(Metric):
    """A metric with a merge of its own, and a plan by which devices send less than their states."""

    @abc.abstractmethod
    def across(self, size: int, index: Array) -> PlanOf[Self]:
        """Merges over a mapped axis with `size` members, of which this is number `index`: a
        generator like that of [`eqmetrics.AbstractReduction`][], which returns the metric."""


class AbstractWrapper(Metric):
    """A metric that passes its arguments on to another metric, and so takes `**outputs`. Arguments
    that the wrapped metric takes by position can be passed by position to the wrapper too; its
    `update` receives them by name. (To show this to type checkers, write
    `update(self, *args, **outputs)`.)"""

    @abc.abstractmethod
    def arguments(self) -> dict[str, bool]:
        """Every argument that `update` takes, and whether it is required."""


class AbstractRelay(AbstractWrapper):
    """A wrapper that passes its arguments on unchanged."""

    @abc.abstractmethod
    def relay(self, outputs: dict[str, Any], update: Callable[[Any, dict[str, Any]], Any]) -> Self:
        """This wrapper with each metric in it replaced by `update(metric, outputs)`."""


class AbstractCollection(AbstractRelay):
    """Several metrics side by side; an invalid row in one doesn't affect the others."""

    @abc.abstractmethod
    def members(self) -> dict[str, Metric]:
        """The metrics by name."""
