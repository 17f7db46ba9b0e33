"""Laws that every metric must obey, checked on your own batches."""

import re
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from ._laws import asked, Batch, Broken, Subject, updated
from ._metric import Metric
from ._node import is_metric


class LawError(AssertionError):
    """A metric breaks a law; the message names both."""


def check_metric(metric: Metric, batches: Sequence[Batch], *, rtol: float = 1e-5) -> None:
    """Checks a metric against the laws, on your own batches.

    The laws: the state keeps its structure, shapes and types, and its update is compiled
    once; no operation changes its inputs, and a reset metric is an empty one; `merge` is
    associative and commutative with the empty metric as its identity, and merging the
    parts is updating with all; `step` gives both; any split into batches, also row by row
    and with empty ones, gives the same value; a mask is removal, also of all rows and with
    NaN under it; integer weights are repetition; the value is the same under `jit`,
    `filter_jit`, `vmap`, `scan`, `shard_map`, sharded `jit` and `filter_pmap` over all
    devices of this process; donation works; a checkpoint in the middle changes no bit.

    **Arguments:**

    - `metric`: the metric. An ordered one is asked only for what it promises; laws on
        `mask` and `weights` are asked of a metric that takes them.
    - `batches`: at least two dicts of the arguments of `update`; each array has the rows
        as its leading axis. Three of different lengths show most.
    - `rtol`: how far values may differ, relative to the largest.

    **Raises:** `LawError`, which names the law and the metric. An exception from the metric
    inside a law is its cause.
    """
    if not is_metric(metric):
        raise TypeError(
            f"`check_metric` got {type(metric).__name__}, expected a metric."
            + (" Build it: add `()`." if isinstance(metric, type) else "")
        )
    if len(batches) < 2:
        raise ValueError("`check_metric` needs at least two batches; three show most.")
    subject = Subject(metric, batches, rtol)
    for name, law in asked(subject):
        broken = f"`{type(metric).__qualname__}` breaks the law of {name}: "
        try:
            law(subject)
        except Broken as e:
            raise LawError(f"{broken}{e}.") from None
        except Exception as e:
            raise LawError(f"{broken}it raised {type(e).__name__}: {e}") from e


def check_shapes(metric: Metric, **outputs: str) -> Any:
    """Traces `update` and `compute` abstractly: no data, no device, milliseconds.

    `check_shapes(metric, logits="float32[batch, 10]", labels="int32[batch]")`: named axes
    get a size of their own. Returns the shapes of the value, or raises what the metric
    raises on such arguments.
    """
    sizes: dict[str, int] = {}

    def struct(name: str, text: str) -> jax.ShapeDtypeStruct:
        found = re.fullmatch(r"\s*(\w+)\s*\[(.*)\]\s*", text)
        if found is None:
            raise ValueError(
                f"`check_shapes({name}={text!r})`: expected a dtype and the axes in brackets, "
                "such as 'float32[batch, 10]'."
            )
        dtype, axes = found.groups()
        names = [a.strip() for a in axes.split(",") if a.strip()]
        # sizes that no configuration is likely to have
        shape = [int(a) if a.isdigit() else sizes.setdefault(a, 7 + 4 * len(sizes)) for a in names]
        return jax.ShapeDtypeStruct(tuple(shape), jnp.dtype(dtype))

    structs = {name: struct(name, text) for name, text in outputs.items()}
    return jax.eval_shape(lambda m, b: updated(m, b).compute(), metric, structs)
