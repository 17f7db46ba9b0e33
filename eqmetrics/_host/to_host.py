from typing import Any

import jax
import numpy as np

from .._checks import describe
from .._invalid import raise_if_invalid
from .._metric import AbstractCollection, AbstractExact
from .._node import is_metric
from .._ordered import dicts, keep_order
from .._wrap.from_fun import FromFun
from .._wrap.from_output import FromOutput
from .._wrapped import telling_nan


class _Exact:
    """A pair whose halves are added on the host, in float64."""

    def __init__(self, pair: Any):
        self.pair = pair


def _readout(metric: Any) -> Any:
    if isinstance(metric, AbstractCollection):
        members = metric.members()
        return keep_order({name: _readout(m) for name, m in members.items()})
    if isinstance(metric, (FromOutput, FromFun)):
        return _readout(metric.metric)
    if not is_metric(metric):
        return metric
    value = metric.compute()  # checks the state
    if isinstance(metric, AbstractExact) and (pairs := metric.exact()) is not None:
        return jax.tree.map(_Exact, pairs)
    return keep_order(value)


def _plain(x: Any) -> Any:
    if isinstance(x, (np.ndarray, np.generic)) and x.ndim == 0:
        return x.item()
    return x


def local(tree: Any) -> Any:
    """The arrays of a program over several processes as arrays of this one alone. All
    processes hold a replicated array, so nothing is sent."""

    def one(x):
        if not isinstance(x, jax.Array) or x.is_fully_addressable:
            return x
        if x.is_fully_replicated:
            return x.addressable_data(0)
        raise ValueError(
            f"{describe(x)} is spread over processes, so that none of them can read it. "
            "Return it replicated: `jax.jit(..., out_shardings=NamedSharding(mesh, P()))`."
        )

    return jax.tree.map(one, tree)


def to_host(tree: Any) -> Any:
    """Values as Python numbers and NumPy arrays, fetched in one transfer.

    Metrics in the pytree are computed first; sums and counts are put together in float64,
    so that a count of 2^40 + 3 arrives as that number. In a program of several processes
    each reads its own copy, and nothing is sent. Raises `eqm.InvalidDataError` if a metric
    has seen invalid rows.
    """
    tree = local(tree)
    raise_if_invalid(tree)
    with telling_nan(tree):
        read = jax.tree.map(_readout, tree, is_leaf=is_metric)
    leaves, treedef = jax.tree.flatten(read)
    fetched = jax.device_get([x.pair if isinstance(x, _Exact) else x for x in leaves])
    added = [
        np.asarray(y, np.float64).sum(0) if isinstance(x, _Exact) else y
        for x, y in zip(leaves, fetched, strict=True)
    ]
    return dicts(jax.tree.map(_plain, jax.tree.unflatten(treedef, added)))
