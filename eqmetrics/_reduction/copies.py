import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from .._metric.node import is_metric


def _bytes(x: Any) -> np.ndarray:
    if isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        x = jax.random.key_data(x)
    x = np.ascontiguousarray(x)
    return x.reshape(len(x), -1).view(np.uint8)


def _readable(x: Any) -> bool:
    """Whether this is an array that this process can read, with a leading axis larger than 1."""
    if isinstance(x, Tracer) or not isinstance(x, (jax.Array, np.ndarray)):
        return False
    here = isinstance(x, np.ndarray) or (x.is_fully_addressable and not x.is_deleted())
    return here and x.ndim > 0 and x.shape[0] > 1 and x.size > 0


def warn_of_copies(tree: Any) -> None:
    """Warns if all states that are to be merged are equal to the bit, and not empty: then they are
    copies of one state. One array that differs is enough to know that they aren't, so the smallest
    arrays are compared first, and usually little is read."""
    metrics = [x for x in jax.tree.leaves(tree, is_leaf=is_metric) if is_metric(x)]
    arrays = jax.tree.leaves(metrics)
    if not arrays or not all(map(_readable, arrays)) or len({len(x) for x in arrays}) != 1:
        return
    for x in sorted(arrays, key=lambda x: x.size):
        rows = _bytes(x)
        if np.any(rows != rows[:1]):
            return
    first = jax.tree.map(lambda x: x[0], metrics)
    empty = [m.reset() for m in first]
    pairs = zip(jax.tree.leaves(first), jax.tree.leaves(empty), strict=False)
    if all(np.array_equal(_bytes(x[None]), _bytes(y[None])) for x, y in pairs):
        return
    warnings.warn(
        f"`reduce` merges {len(arrays[0])} states that are equal to the bit. If they are copies of "
        "one state, as `pmap` with `update_across` returns, every row counts "
        f"{len(arrays[0])} times: take one, `eqm.unreplicate(metrics)`. If each has seen rows of "
        "its own that happen to give the same, this is right: "
        "`warnings.filterwarnings('ignore', message='`reduce` merges')`.",
        stacklevel=3,
    )
