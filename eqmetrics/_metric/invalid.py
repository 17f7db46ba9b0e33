import functools as ft
from typing import Any, final, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float32

from .._onepass.sums import plus_count
from .._reduction import EXACT_SUM
from .._reduction.pair import to_float
from .built import check_dtypes_of
from .field import layout, state
from .metric import (
    AbstractAccumulator,
    AbstractCollection,
    AbstractInvalid,
    AbstractWrapper,
)
from .node import is_metric, walk
from .readout import AbstractReadout, AbstractStatistic


class InvalidDataError(ValueError):
    """A metric has seen rows that are outside its valid range, or for which it had no space."""


@final
class Invalid(AbstractInvalid):
    """How many rows were left out because they were invalid.

    A metric that checks its data holds one and updates it with the rows that it left out.
    The base class then makes the metric's value NaN, and `metric.check()` or
    `eqm.to_host(metric)` raise.

    **Arguments:**

    - `valid`: the valid range, in words: `"labels in [0, 10)"`.

    The gradient is 0: a count is piecewise constant.
    State: 2 floats. Undefined when: never.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        invalid = eqm.Invalid("labels in [0, 10)").update(jnp.array([True, False, True]))
        assert invalid.compute() == 2
        ```
    """

    valid: str = eqx.field(static=True)
    pair: Float32[Array, "2"] = state(reduce=EXACT_SUM, valid="{self.valid}")

    def __init__(self, valid: str):
        self.valid = valid
        self.pair = jnp.zeros(2, jnp.float32)

    def update(self, invalid: Bool[Array, "..."]) -> Self:
        return self.replace(pair=plus_count(self.pair, invalid.ravel()))

    def compute(self) -> Float32[Array, ""]:
        """The number of rows that were left out."""
        return to_float(self.pair)


def _message_of_stack(metric: Any, i: int, count: int) -> str:
    """The error message for a stack: that of the metric with the largest count."""
    pairs = jax.vmap(lambda one: invalid_counts(one)[i][-1])(metric)
    most = jnp.argmax(jnp.sum(pairs.reshape(len(pairs), -1), axis=1))
    one = jax.tree.map(lambda x: x[most], metric)
    return invalid_counts(one)[i][1](count=count)


def invalid_counts(tree: Any) -> list[tuple[str, Any, Any]]:
    """`(where, message, pair)` of every count of invalid rows in a pytree; `message(count=...)` is
    the text of the error."""
    found: dict[int, tuple[str, Any, Any]] = {}

    def name_of(where: str, cls: str) -> str:
        return f"{where} ({cls})" if where else cls

    def look_into_stack(metric: Any, where: str) -> None:
        names: list[str] = []

        def pairs(one):
            counts = invalid_counts(one)
            names[:] = [name for name, _, _ in counts]
            return [pair for _, _, pair in counts]

        for i, pair in enumerate(jax.vmap(pairs)(metric)):
            message = ft.partial(_message_of_stack, metric, i)
            found[id(pair)] = f"{where} {names[i]}".strip(), message, pair

    def look(tree: Any, where: str, owner: str = "") -> None:
        for key, leaf in jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_metric)[0]:
            if is_metric(leaf):
                look_into(leaf, where + jax.tree_util.keystr(key), owner)

    def look_into(metric: Any, where: str, owner: str) -> None:
        # The user knows the readout rather than its statistic, the owner rather than its
        # accumulator, and the wrapped metric rather than its wrapper: the error names these.
        parts = AbstractInvalid, AbstractStatistic, AbstractWrapper, AbstractAccumulator
        cls = owner if owner and isinstance(metric, parts) else type(metric).__name__
        declared = layout(type(metric))
        for name, message in declared.validity.items():
            pair = getattr(metric, name)
            name = name_of(where, cls)
            if id(pair) in found:  # a statistic that several members share
                name = f"{found[id(pair)][0]}, {name}"
            found[id(pair)] = name, ft.partial(message.format, self=metric), pair
        for n, counted in declared.counted.items():
            if callable(counted):
                look(counted(getattr(metric, n)), where)
            elif counted:
                look_into_stack(getattr(metric, n), name_of(where, cls))
        if isinstance(metric, AbstractCollection):
            check_dtypes_of(metric, "compute", walk)  # members may share arrays
            look(metric.members(), where)
        elif isinstance(metric, AbstractWrapper):
            for n in declared.nested:
                part = getattr(metric, n)
                its = isinstance(metric, AbstractReadout) or isinstance(part, AbstractAccumulator)
                look(part, where, cls if its else "")
        else:
            for n in declared.nested:
                own = isinstance(getattr(metric, n), AbstractAccumulator)
                look(getattr(metric, n), where if own else f"{where}.{n}", cls)

    look(tree, "")
    return list(found.values())


def _places(pair: np.ndarray) -> str:
    """The indices of the metrics in a stack that have invalid rows."""
    if pair.ndim == 1:
        return ""
    bad = np.nonzero(pair.reshape(len(pair), -1).any(axis=1))[0].tolist()
    return f"[{', '.join(map(str, bad[:5]))}{', ...' if len(bad) > 5 else ''}]"


def raise_if_invalid(tree: Any) -> None:
    """Raises an `eqm.InvalidDataError` that names each metric, its rows and their range."""
    metrics = [x for x in jax.tree.leaves(tree, is_leaf=is_metric) if is_metric(x)]
    for metric in metrics:
        check_dtypes_of(metric, "read", walk)
    counts = invalid_counts(tree)
    if any(isinstance(x, Tracer) for x in jax.tree.leaves(metrics)):
        raise TypeError(
            "`metrics.check()` was called inside `jit`, `vmap` or `scan`, where no count has a "
            "value yet. Return the metrics from the compiled function, and check them outside; "
            "inside, the value of `metrics.compute()` is NaN where rows were invalid."
        )
    pairs = jax.device_get([pair for _, _, pair in counts])
    lines = [
        f"{where}{_places(pair)}: {message(count=int(np.sum(pair, dtype=np.float64)))}"
        for (where, message, _), pair in zip(counts, pairs, strict=True)
        if np.any(pair != 0)
    ]
    if lines:
        raise InvalidDataError(
            "\n".join(lines)
            + "\nThe rows were left out and the value is NaN. Mend the data, or mask the rows."
        )
