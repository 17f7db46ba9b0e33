import pickle
from typing import Any, TypeVar

import jax
import numpy as np

from .._metric.messages import describe
from .._metric.node import is_metric, rebuild
from .._reduction.reduce import reduce_one
from .collect import Collect


_T = TypeVar("_T")


def _gather(tree: Any) -> Any:
    from jax.experimental import multihost_utils

    try:
        return multihost_utils.process_allgather(tree)
    except (ValueError, RuntimeError) as e:
        # Which of the two is raised depends on how far the lost process had come.
        e.add_note(
            "`process_all_reduce`: another process has ended, or didn't make this call. The states "
            "of this process are as they were: read them with `eqm.to_host`, or keep them with "
            "`eqm.save`, before this process ends too."
        )
        raise


def _gather_objects(x: Any) -> list[Any]:
    """One Python object from each process. They are sent as bytes, so they may have any length, and
    64-bit numbers survive."""
    sent = np.frombuffer(pickle.dumps(x), np.uint8)
    sizes = _gather(np.array([sent.size], np.int32)).ravel()
    padded = np.zeros(sizes.max(), np.uint8)
    padded[: sent.size] = sent
    every = _gather(padded).reshape(len(sizes), -1)
    return [pickle.loads(row[:n].tobytes()) for row, n in zip(every, sizes, strict=True)]


def _is_collect(x: Any) -> bool:
    return isinstance(x, Collect)


def _reduced(metric: Any) -> Any:
    # Processes may have different numbers of rows in a `Collect`. All other states are stacked as
    # by `vmap`, and reduced as over devices.
    nodes, treedef = jax.tree.flatten(metric, is_leaf=_is_collect)
    collects = [i for i, x in enumerate(nodes) if _is_collect(x)]
    chunks = _gather_objects([nodes[i].chunks for i in collects]) if collects else []
    for i in collects:
        nodes[i] = nodes[i].reset()
    arrays = jax.tree.leaves(nodes)
    for x in arrays:
        if isinstance(x, jax.Array) and not x.is_fully_addressable:
            raise ValueError(
                f"`process_all_reduce` joins states that each process holds for itself, but "
                f"`{type(metric).__name__}` has {describe(x)} that belongs to the program over "
                "all processes: it is joined already. Read it with `eqm.to_host`."
            )
    if arrays:
        stacked = jax.tree.unflatten(treedef, _stacked(nodes))
        nodes = jax.tree.leaves(reduce_one(stacked), is_leaf=_is_collect)
    for k, i in enumerate(collects):
        joined = tuple(chunk for process in chunks for chunk in process[k])
        nodes[i] = rebuild(nodes[i], {"chunks": joined})
    return jax.tree.unflatten(treedef, nodes)


def _stacked(nodes: list[Any]) -> list[Any]:
    arrays = iter(_gather([np.asarray(x) for x in nodes if not _is_collect(x)]))
    return [x if _is_collect(x) else jax.numpy.asarray(next(arrays)) for x in nodes]


def process_all_reduce(tree: _T) -> _T:
    """Merges every metric of a pytree over the processes; every process gets the result.

    For states that each process has computed by itself, on its own devices or, as
    [`eqmetrics.Collect`][], on the host: a `Collect` may have a different number of rows in each
    process, or none. Every process must call it. With one process nothing changes. The state of a
    program over all processes is already merged, and raises an error. If a process has ended, the
    error of JAX's collective is raised, with a note; the states that were passed in stay readable.
    """
    if jax.process_count() == 1:
        return tree
    return jax.tree.map(lambda x: _reduced(x) if is_metric(x) else x, tree, is_leaf=is_metric)
