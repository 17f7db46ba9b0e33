import re
from typing import Any

import jax
import jax.numpy as jnp

from .._collection.route import arguments_of
from .._metric.messages import describe, nearest
from .._metric.metric import Metric
from .._metric.node import is_metric
from ._subject import updated


def check_shapes(metric: Metric, **outputs: str) -> Any:
    """Traces `update`, `merge` and `compute` abstractly: without data or a device, in milliseconds.

    An argument is described by its dtype and its axes: `labels="int32[batch]"`, or `"float32[]"`
    for a scalar. A number is a size. A name is an axis of any size, the same wherever it occurs.
    Different names have different sizes, so a metric can't pass only because two axes have equal
    sizes by chance.

    **Arguments:**

    - `metric`: the metric.
    - `outputs`: the arguments of its `update`, each as text.

    **Returns:** the value, as `jax.ShapeDtypeStruct`s. A `TypeError` if the metric doesn't take
    such arguments; the message says which were given.

    !!! example

        ```python
        import eqmetrics as eqm
        from eqmetrics.testing import check_shapes

        value = check_shapes(
            eqm.Accuracy(), logits="float32[batch, time, 10]", labels="int32[batch, time]"
        )
        assert value.shape == ()
        ```
    """
    if not is_metric(metric):
        raise TypeError(f"`check_shapes` got {describe(metric)}, expected a metric.")
    _check_names(metric, outputs)
    literal = {int(x) for text in outputs.values() for x in re.findall(r"\d+", str(text))}
    sizes: dict[str, int] = {}
    structs = {n: _struct(n, text, sizes, literal) for n, text in outputs.items()}

    def value(m: Metric, batch: Any) -> Any:
        return updated(m, batch).merge(m).compute()

    try:
        return jax.eval_shape(value, metric, structs)
    except Exception as e:
        came = ", ".join(f"`{n}`: {text}" for n, text in outputs.items())
        named = ", ".join(f"{n} = {size}" for n, size in sizes.items())
        raise TypeError(
            f"`{type(metric).__qualname__}` doesn't take {came}"
            + (f" (tried with {named})" if named else "")
            + f". It raised {type(e).__name__}: {e}"
        ) from e


def _check_names(metric: Metric, outputs: dict[str, str]) -> None:
    takes = arguments_of(metric)
    name = type(metric).__qualname__
    for given in outputs:
        if given not in takes:
            raise TypeError(
                f"`{name}` takes {', '.join(takes)}, not `{given}`.{nearest(given, takes)}"
            )
    for wanted, required in takes.items():
        if required and wanted not in outputs:
            raise TypeError(
                f"`{name}` needs `{wanted}`, and `check_shapes` got "
                f"{', '.join(outputs) or 'nothing'}. Add `{wanted}=\"float32[batch]\"`, with "
                "its own dtype and axes."
            )


def _struct(
    name: str, text: str, sizes: dict[str, int], literal: set[int]
) -> jax.ShapeDtypeStruct:
    found = isinstance(text, str) and re.fullmatch(r"\s*(\w+)\s*\[([\w\s,]*)\]\s*", text)
    if not found:
        raise ValueError(
            f"`check_shapes({name}={text!r})`: expected a dtype and the axes in brackets, each "
            f"a number or a name. Write `{name}=\"float32[batch, 10]\"`."
        )
    dtype, axes = found.groups()
    try:
        kind = jnp.dtype(dtype)
    except TypeError as e:
        known = "bool", "int32", "uint8", "float32", "float16", "bfloat16"
        raise ValueError(
            f"`check_shapes({name}={text!r})`: `{dtype}` is no dtype.{nearest(dtype, known)} "
            f"Write `{name}=\"float32[{axes}]\"`."
        ) from e
    return jax.ShapeDtypeStruct([_size(a.strip(), sizes, literal) for a in _axes(axes)], kind)


def _axes(text: str) -> list[str]:
    return [a for a in text.split(",") if a.strip()]


def _size(axis: str, sizes: dict[str, int], literal: set[int]) -> int:
    if axis.isdigit():
        return int(axis)
    # Large and odd sizes, which no configuration has by chance; nothing is allocated.
    free = (n for n in range(1009, 10**9, 2) if n not in literal and n not in sizes.values())
    return sizes[axis] if axis in sizes else sizes.setdefault(axis, next(free))
