from typing import Any, TypeVar

import jax
import numpy as np

from ._aggregate.sum import Count, Sum
from ._invalid import raise_if_invalid
from ._metric import AbstractCollection
from ._node import is_metric
from ._wrap.from_output import FromOutput


_T = TypeVar("_T")


def _readout(metric: Any) -> Any:
    """The value, with pairs still apart: float64 puts them together on the host."""
    if not is_metric(metric):
        return metric
    if isinstance(metric, AbstractCollection):
        return {name: _readout(m) for name, m in metric.members().items()}
    if isinstance(metric, FromOutput):
        return _readout(metric.metric)
    if isinstance(metric, (Sum, Count)):
        metric.compute()  # checks the shapes of the state
        return _Exact(metric.pair)
    return metric.compute()


class _Exact:
    def __init__(self, pair: Any):
        self.pair = pair


def _plain(x: Any) -> Any:
    if isinstance(x, _Exact):
        x = np.asarray(x.pair, np.float64).sum(0)
    if isinstance(x, (np.ndarray, np.generic)) and x.ndim == 0:
        return x.item()
    return x


def to_host(tree: Any) -> Any:
    """Values as Python numbers and NumPy arrays, fetched in one transfer.

    Metrics in the pytree are computed first; pairs are read in float64, so an exact count
    of 2^40 + 3 arrives as that number. Raises `eqm.InvalidDataError` if a metric has seen
    invalid rows.
    """
    raise_if_invalid(tree)
    values = jax.tree.map(_readout, tree, is_leaf=is_metric)
    leaves, treedef = jax.tree.flatten(values)
    # `_Exact` is a leaf to jax: open it for the transfer.
    fetched = jax.device_get([x.pair if isinstance(x, _Exact) else x for x in leaves])
    back = [
        _plain(_Exact(y) if isinstance(x, _Exact) else y)
        for x, y in zip(leaves, fetched, strict=True)
    ]
    return jax.tree.unflatten(treedef, back)


def pad_batch(batch: _T, size: int) -> tuple[_T, np.ndarray]:
    """Pads every array of a batch to `size` rows with zeros, on the host; the second
    result is the mask, `True` for the real rows."""
    leaves = [np.asarray(x) for x in jax.tree.leaves(batch)]
    rows = {x.shape[0] if x.ndim else None for x in leaves}
    if len(rows) != 1 or None in rows:
        raise ValueError(
            "`pad_batch`: the arrays must have one leading axis in common, got "
            f"{sorted(map(str, rows))}."
        )
    (n,) = rows
    assert n is not None
    if n > size:
        raise ValueError(f"`pad_batch`: the batch has {n} rows, more than size={size}.")

    def pad(x):
        x = np.asarray(x)
        return np.concatenate([x, np.zeros((size - n, *x.shape[1:]), x.dtype)])

    return jax.tree.map(pad, batch), np.arange(size) < n
