from typing import Any

import jax

from .checks import to_array


def _axis(x: Any) -> int | None:
    return 0 if x.ndim else None  # a scalar, such as a learning rate, is passed to every row


def _each(metric: Any, args: Any, outputs: Any) -> Any:
    axes = jax.tree.map(_axis, (args, outputs))
    return jax.vmap(lambda args, outputs: metric(*args, **outputs), axes)(args, outputs)


_compiled = jax.jit(_each)


def per_row(metric: Any, args: tuple[Any, ...], outputs: dict[str, Any]) -> Any:
    """The value of `metric` for each entry of the first axis alone, stacked."""
    args, outputs = jax.tree.map(lambda x: to_array("values", x), (args, outputs))
    return _compiled(metric, args, outputs)
