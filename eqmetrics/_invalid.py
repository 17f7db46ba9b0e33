from typing import Any, final, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32

from ._metric import AbstractInvalid, is_metric, Metric, state, walk
from ._reduction import EXACT_SUM
from ._reduction.pair import add, count_rows, to_float


class InvalidDataError(ValueError):
    """Rows outside the range that a metric accepts were seen."""


@final
class Invalid(AbstractInvalid):
    """How many rows were left out because they were invalid.

    A metric that checks its data holds one and updates it. The base class then makes the
    metric's value NaN, and `metric.check()` or `eqm.to_host(metric)` raise.

    **Arguments:**

    - `valid`: the valid range, in words: `"labels in [0, 10)"`.

    State: 2 floats.
    """

    valid: str = eqx.field(static=True)
    pair: Float32[Array, "2"] = state(reduce=EXACT_SUM)

    def __init__(self, valid: str):
        self.valid = valid
        self.pair = jnp.zeros(2, jnp.float32)

    def update(self, invalid: Bool[Array, "..."]) -> Self:
        return self.replace(pair=add(self.pair, count_rows(invalid.ravel())))

    def compute(self) -> Float[Array, ""]:
        return to_float(self.pair)

    def found(self) -> Bool[Array, ""]:
        return self.pair[0] > 0


def invalid_counts(tree: Any) -> list[tuple[str, str, Any]]:
    """`(path, valid range, pair)` of every `Invalid` in a pytree."""
    found = []
    leaves = jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_metric)[0]
    for key, leaf in leaves:
        if not isinstance(leaf, Metric):
            continue
        for path, node in walk(leaf):
            if isinstance(node, Invalid):
                where = jax.tree_util.keystr(key) + f"{type(leaf).__name__}{path}"
                found.append((where, node.valid, node.pair))
    return found


def raise_if_invalid(tree: Any) -> None:
    counts = invalid_counts(tree)
    pairs = jax.device_get([pair for _, _, pair in counts])
    lines = [
        f"{where.removesuffix('.invalid')}: {int(np.sum(pair, dtype=np.float64))} invalid "
        f"row(s); valid are {valid}"
        for (where, valid, _), pair in zip(counts, pairs, strict=True)
        if np.any(pair[0] > 0)
    ]
    if lines:
        raise InvalidDataError(
            "\n".join(lines)
            + "\nThe rows were left out and the value is NaN. Mend the data, or mask the rows."
        )
