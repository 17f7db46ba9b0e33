"""Compares the arrays of a state with the shapes and dtypes that they were built with."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from .messages import describe


def _differs(metric: Any, action: str, path: str, x: Any, *built: Any) -> str:
    name = type(metric).__name__
    return (
        f"Cannot {action} `{name}`: its field `{name}{path}` is {describe(x)}, but was built as "
        f"{describe(jax.ShapeDtypeStruct(*built))}."
    )


def check_dtypes_of(metric: Any, action: str, walk: Callable) -> None:
    """Compares every array below `metric` with the dtype that it was built with."""
    for path, node, _ in walk(metric):
        for name, _, dtype in node._specs:
            x = getattr(node, name)
            if isinstance(x, (jax.Array, np.ndarray)) and x.dtype != dtype:
                raise TypeError(
                    _differs(metric, action, f"{path}.{name}", x, x.shape, dtype)
                    + " A state keeps its dtype whatever it is updated with: this one was cast "
                    "afterwards, as by a mixed-precision policy over a whole training state. "
                    "Leave metrics out of it. Casting back doesn't bring back what was rounded "
                    "off: start again from a metric that wasn't cast."
                )


def check_shapes_of(metric: Any, action: str, walk: Callable) -> None:
    """Compares every array below `metric` with the shape and dtype that it was built with."""
    check_dtypes_of(metric, action, walk)
    for path, node, axes in walk(metric):
        for name, shape, dtype in node._specs:
            x, shape = getattr(node, name), (*axes, *shape)
            if not isinstance(x, (jax.Array, np.ndarray)) or x.shape == shape:
                continue
            what = _differs(metric, action, f"{path}.{name}", x, shape, dtype)
            extra = x.ndim - len(shape)
            if extra > 0 and x.shape[extra:] == shape:
                axes = x.shape[0] if extra == 1 else x.shape[:extra]
                call = f"m.{action}({'' if action == 'compute' else '...'})"
                what += (
                    f" It has a leading axis of {axes}: these are several states, stacked by "
                    "`pmap` or `vmap`. Equal copies, as `pmap` with `update_across` returns: take "
                    "one, `metric = eqm.unreplicate(metric)`. Each with rows of its own: merge "
                    "them, `metric = metric.reduce()`. Models side by side: map over them, "
                    f"`jax.vmap(lambda m: {call})(metric)`"
                    + (", or `eqm.to_host(metric, stacked=1)`." if action == "compute" else ".")
                )
            raise TypeError(what)


def check_stacked(call: str, action: str, metric: Any, walk: Callable) -> None:
    """Raises an error if an array has no more axes than it was built with."""
    for path, node, axes in walk(metric):
        for name, shape, _ in node._specs:
            x = getattr(node, name)
            if isinstance(x, (jax.Array, np.ndarray)) and x.ndim <= len(axes) + len(shape):
                raise TypeError(
                    f"`{call}` takes states with a leading axis, and this "
                    f"`{type(metric).__name__}` isn't stacked: `{f'{path}.{name}'[1:]}` is "
                    f"{describe(x)}. It is one state, with nothing to {action}: take "
                    "`metric.compute()`."
                )
