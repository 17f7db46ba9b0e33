from typing import Any, Literal

import jax
import numpy as np
from jax.core import Tracer
from jax.sharding import SingleDeviceSharding

from .._metric.invalid import InvalidDataError, raise_if_invalid
from .._metric.messages import describe
from .._metric.node import is_metric
from .flat import flattened
from .program import plan_of, unpacked


def _near(x: Any) -> Any:
    """The copy of a replicated array on the first device of this process."""
    return x if isinstance(x.sharding, SingleDeviceSharding) else x.addressable_data(0)


def local(tree: Any) -> Any:
    """Turns arrays of a program over several processes into arrays of this process. Every process
    has a copy of a replicated array, so nothing is sent."""

    def one(x):
        if not isinstance(x, jax.Array) or x.is_fully_addressable:
            return x
        if x.is_fully_replicated:
            return _near(x)
        raise ValueError(
            f"{describe(x)} is spread over processes, so that none of them can read it. "
            "Return it replicated: `jax.jit(..., out_shardings=NamedSharding(mesh, P()))`."
        )

    return jax.tree.map(one, tree)


def _refuse_traced(name: str, tree: Any) -> None:
    if any(isinstance(x, Tracer) for x in jax.tree.leaves(tree)):
        raise TypeError(
            f"`eqm.{name}` was called inside `jit`, `vmap` or `scan`, where no array has a value "
            "yet. Return the metrics from the compiled function, and read them outside; inside, "
            "`metrics.compute()` gives arrays."
        )


def _placed(leaves: list[Any]) -> tuple[list[Any], bool, bool]:
    """The arrays of this process, whether one program can read them, and whether they are on one
    device. Of replicated arrays one copy is taken."""
    for kind in set(map(type, leaves)):
        if not issubclass(kind, jax.Array) or issubclass(kind, Tracer):
            return local(leaves), False, False
    if _on_one_device(leaves):
        return leaves, True, True
    leaves = local(leaves)
    if all(x.is_fully_replicated for x in leaves):
        leaves = [_near(x) for x in leaves]
    together = len({frozenset(x.sharding.device_set) for x in leaves}) <= 1
    return leaves, together, _on_one_device(leaves)


def _on_one_device(leaves: list[Any]) -> bool:
    shardings = {x.sharding for x in leaves}
    return len(shardings) <= 1 and all(isinstance(x, SingleDeviceSharding) for x in shardings)


# ---- states side by side


def _axes_of(leaves: list[Any], stacked: int) -> tuple[int, ...]:
    """The sizes of the leading axes of stacked states."""
    axes = {np.shape(x)[:stacked] for x in leaves}
    if len(axes) != 1 or any(len(shape) != stacked for shape in axes):
        raise ValueError(
            f"`to_host(..., stacked={stacked})`: the arrays of the states start with "
            f"{', '.join(map(str, sorted(axes))) or 'nothing'}, expected {stacked} axes, the same "
            "for all."
        )
    return axes.pop()


def _raise_for_stack(tree: Any, axes: tuple[int, ...]) -> None:
    for place in np.ndindex(axes):

        def one(x, place=place):
            return jax.tree.map(lambda y: y[place], x) if is_metric(x) else x

        try:
            raise_if_invalid(jax.tree.map(one, tree, is_leaf=is_metric))
        except InvalidDataError as e:
            index = ", ".join(map(str, place))
            raise InvalidDataError(f"In the state [{index}] of the stack: {e}") from None


# ---- the call


_ALL_AXES = 64  # NumPy's maximum


def to_host(
    tree: Any,
    *,
    stacked: int = 0,
    flat: bool = False,
    arrays: Literal["omit", "spread"] = "omit",
) -> Any:
    """Values as Python numbers and NumPy arrays, from one compiled program and in one transfer.

    Metrics in the pytree are replaced by their values. The two halves of sums and counts are added
    in float64, so a count of 2^40 + 3 is exactly this number. In a program over several processes
    each reads its own copy, and nothing is sent. Raises `eqm.InvalidDataError` if a metric has seen
    invalid rows.

    **Arguments:**

    - `tree`: a metric, or any pytree with metrics in it.
    - `stacked`: the number of leading axes of stacked states, as from `vmap` over seeds or an
        ensemble: the values have these axes first. (Parts of one stream are merged instead:
        `eqm.to_host(metrics.reduce())`.)
    - `flat`: return a flat dict for a logger, from names such as `"group/name"` to floats. Values
        that aren't numbers are left out; the value of a single metric has the name of its class.
        Stacked states have their index in the name: `"loss/0"`, `"loss/1"`.
    - `arrays`: in a flat dict, `"omit"` leaves arrays out, `"spread"` gives each entry a name with
        its index: `"confusion/0/1"`.

    Metrics are computed as under `jit`, in a program that is compiled once for each structure. A
    `compute` that can't be traced, because it inspects its arrays, runs without `jit`.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        train = eqm.MetricDict(loss=eqm.Average(), rows=eqm.Count())
        train = train.update(values=jnp.array([1.0, 3.0]))
        assert eqm.to_host({"train": train}) == {"train": {"loss": 2.0, "rows": 2}}
        assert eqm.to_host({"train": train}, flat=True) == {"train/loss": 2.0, "train/rows": 2.0}
        ```
    """
    _refuse_traced("to_host", tree)
    if arrays not in ("omit", "spread"):
        raise ValueError(f"arrays={arrays!r}: expected 'omit' or 'spread'.")
    plan, leaves = plan_of(tree)
    own, together, alone = _placed([leaves[i] for i in plan.own])
    rest = [leaves[i] for i in plan.rest]
    if flat and arrays == "omit":  # don't transfer a model beside the metrics
        rest = [None if np.ndim(x) > stacked else x for x in rest]
    if stacked and plan.collects:
        raise TypeError("`to_host(..., stacked=...)`: `Collect` keeps rows, no states of a stack.")
    axes = _axes_of(own, stacked) if stacked and own else ()
    found = plan.run(own, stacked, alone) if together else None
    if found is None:
        if stacked:
            raise ValueError("`to_host(..., stacked=...)`: the states lie on several devices.")
        raise_if_invalid(tree)
        found = plan.read(own)
    found, rest = jax.device_get((found, local(rest) if rest else rest))
    values, bad = unpacked(found)
    if bad:
        _raise_for_stack(tree, axes) if stacked else raise_if_invalid(tree)
    value = plan.joined(found.form, tree, values, rest, stacked)
    if not flat:
        return value
    return flattened(value, plan.name, stacked if arrays == "omit" else _ALL_AXES)
