"""The requirements of wrappers on their metric, and how they read a stack of metrics."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from .._collection.ordered import in_order
from .._collection.route import arguments_of
from .._metric.field import layout
from .._metric.messages import describe
from .._metric.metric import AbstractRelay, Metric
from .._metric.node import is_metric, parts, walk
from .._reduction.pair import inlined


def leaves(metric: Any) -> Iterator[Metric]:
    """The metrics that read outputs themselves, inside all wrappers that only pass them on."""
    if not isinstance(metric, AbstractRelay):
        yield metric
        return
    for name in layout(type(metric)).nested:
        for _, x in parts(getattr(metric, name))[0]:
            if is_metric(x):
                yield from leaves(x)


def must_be_metric(wrapper: str, metric: Any) -> None:
    """Raises an error if this isn't a metric."""
    if not is_metric(metric):
        if isinstance(metric, type):
            name = metric.__qualname__
            raise TypeError(f"`{wrapper}` got the class `{name}`. Build it: `{name}()`.")
        raise TypeError(f"`{wrapper}` got {describe(metric)}, expected a metric.")


def of_fixed_size(wrapper: str, metric: Any) -> None:
    """Raises an error if this isn't a metric, or is one whose state grows."""
    must_be_metric(wrapper, metric)
    nodes = list(walk(metric.reset()))
    if not any(layout(type(node)).arrays for _, node, _ in nodes):
        raise TypeError(f"`{wrapper}` got a `{type(metric).__qualname__}` without any metric.")
    for path, node, _ in nodes:
        for name in layout(type(node)).arrays:
            if not jax.tree.leaves(getattr(node, name)):
                raise TypeError(
                    f"`{wrapper}` wraps states of a fixed size, and "
                    f"`{type(metric).__qualname__}{path}.{name}` grows with the rows."
                )


def is_ordered(metric: Any) -> bool:
    """Whether this metric, or any metric inside it, is ordered."""
    return any(type(node).ordered for _, node, _ in walk(metric))


def needs(wrapper: str, metric: Metric, argument: str, why: str) -> None:
    """Raises an error if a metric inside doesn't take an argument."""
    for leaf in leaves(metric):
        if argument not in arguments_of(leaf):
            raise TypeError(
                f"`{wrapper}` {why}, and `{type(leaf).__qualname__}` takes "
                f"{', '.join(arguments_of(leaf))}. Let its `update` take `{argument}`."
            )


def taken_by(wrapper: str, metric: Metric, *own: str) -> dict[str, bool]:
    """The arguments of a wrapper: those of its metric, and the wrapper's own."""
    takes = arguments_of(metric)
    for name in own:
        if name in takes:
            raise TypeError(
                f"`{wrapper}` takes `{name}`, and so does the `{type(metric).__qualname__}` in it. "
                f"Let one read it under another name: `metric.from_output({name}=...)`."
            )
    return takes | dict.fromkeys(own, True)


# ---- reading a stack


@inlined
def values_of(stacked: Any) -> Any:
    """The value of each metric of a stack, along a leading axis. Dicts keep their order, for
    `eqmetrics._collection.ordered.dicts`."""
    return jax.vmap(lambda m: in_order(m.compute()))(stacked)


def as_floats(x: Array) -> Array:
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(jnp.float32)
