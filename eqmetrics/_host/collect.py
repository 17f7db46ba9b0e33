from collections.abc import Callable
from typing import Any, final, Self

import equinox as eqx
import jax
import jax.core
import numpy as np

from .._metric.field import state
from .._metric.messages import describe
from .._metric.metric import AbstractWrapper
from .._metric.node import rebuild


def _to_host(tree: Any) -> Any:
    return jax.tree.map(
        lambda x: x if isinstance(x, jax.core.Tracer) else np.asarray(x), tree
    )


@final
class Collect(AbstractWrapper):
    """Keeps the named outputs on the host and calls `fn` on their concatenation.

    For values that need all rows at once, from scikit-learn or scipy. It can be built inside `jit`,
    but merging under a trace is an error. Rows under a false `mask` are dropped.

    **Arguments:**

    - `names`: the outputs to keep; all have the same leading axis.
    - `fn`: called with the kept outputs by position; if not given, `compute` returns a dict.

    State: grows with the rows, on the host. Undefined when: never; without rows `fn` gets empty
    arrays.

    !!! example

        ```python
        import eqmetrics as eqm, numpy as np
        median = eqm.Collect("loss", fn=np.median)
        assert median.update(loss=np.array([1.0, 2.0, 9.0])).compute() == 2.0
        ```
    """

    names: tuple[str, ...] = eqx.field(static=True)
    fn: Callable[..., Any] | None = eqx.field(static=True)
    chunks: tuple[dict[str, Any], ...] = state()

    def __init__(self, *names: str, fn: Callable[..., Any] | None = None):
        if not names:
            raise TypeError("`Collect` needs the name of at least one output to keep.")
        self.names = names
        self.fn = fn
        self.chunks = ()

    def arguments(self) -> dict[str, bool]:
        return dict.fromkeys(self.names, True) | {"mask": False}

    def reset(self) -> Self:
        return rebuild(self, {"chunks": ()})

    def update(self, **outputs: Any) -> Self:
        rows = {name: np.shape(x)[:1] or (1,) for name, x in outputs.items()}
        if len(set(rows.values())) > 1:
            raise TypeError(
                "`Collect` keeps rows, and the leading axes differ: "
                + ", ".join(f"`{name}` is {describe(outputs[name])}" for name in rows)
                + "."
            )
        return self.merge(rebuild(self, {"chunks": (outputs,)}))

    def merge(self, other: Any) -> Self:
        assert isinstance(other, Collect)
        if self.chunks and other.chunks:
            leaves = jax.tree.leaves((self.chunks, other.chunks))
            if any(isinstance(x, jax.core.Tracer) for x in leaves):
                raise TypeError(
                    "`Collect` can't be merged, nor updated twice, under a jax transformation: "
                    "its state grows. Return `metric.reset().update(...)` from the jitted "
                    "function and merge outside it."
                )
        return rebuild(self, {"chunks": _to_host(self.chunks + other.chunks)})

    def compute(self) -> Any:
        kept: dict[str, list[np.ndarray]] = {name: [] for name in self.names}
        for chunk in self.chunks:
            chunk = {name: np.atleast_1d(np.asarray(x)) for name, x in chunk.items()}
            rows = chunk.get("mask", slice(None))
            for name in self.names:
                kept[name].append(chunk[name][rows])
        joined = {n: np.concatenate(x) if x else np.zeros(0) for n, x in kept.items()}
        return joined if self.fn is None else self.fn(*joined.values())
