from collections.abc import Sequence
from typing import Any, final, Self

import equinox as eqx
import jax
import jax.numpy as jnp

from .._collection.ordered import plain_dicts
from .._collection.route import arguments_of, update_of
from .._metric.field import stacked
from .._metric.messages import describe, nearest
from .._metric.metric import AbstractWrapper, Metric
from .._metric.node import rebuild
from .._metric.numbers import check_whole
from .._reduction.pair import inlined
from .._reduction.reduce import stack
from .inside import of_fixed_size, values_of


@inlined
def _updated(metrics: Metric, apart: dict[str, Any], shared: dict[str, Any]) -> Metric:
    return jax.vmap(lambda m, own: update_of(m, own | shared))(metrics, apart)


@final
class MultiOutput(AbstractWrapper):
    """The value of a metric for each column of the last axis: one metric for each, by `vmap`.

    **Arguments:**

    - `metric`: any metric. Only its configuration is used, not its state.
    - `num_outputs`: the number of columns: the size of the last axis of each output.
    - `shared`: the outputs without this axis, which are passed whole to the metric of every column.

    State: `num_outputs` times that of the metric. Undefined when: for a column, if the metric is.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        r2 = eqm.MultiOutput(eqm.R2(), 2)
        targets = jnp.array([[1.0, 5.0], [2.0, 5.0], [3.0, 8.0]])
        assert r2(predictions=targets, targets=targets).tolist() == [1.0, 1.0]
        ```
    """

    num_outputs: int = eqx.field(static=True)
    shared: tuple[str, ...] = eqx.field(static=True)
    metric: Metric = stacked("num_outputs")

    def __init__(
        self, metric: Metric, num_outputs: int, *, shared: Sequence[str] = ("mask", "weights")
    ):
        check_whole("num_outputs", num_outputs, 1)
        of_fixed_size("MultiOutput", metric)
        self.num_outputs = num_outputs
        self.shared = tuple(shared)
        takes = arguments_of(metric)
        for name in self.shared:
            if name not in takes and name not in ("mask", "weights"):
                raise TypeError(
                    f"`MultiOutput` got shared={self.shared!r}, and `{type(metric).__qualname__}` "
                    f"takes {', '.join(takes)}, not `{name}`.{nearest(name, takes)}"
                )
        self.metric = stack(metric, num_outputs)

    def arguments(self) -> dict[str, bool]:
        return arguments_of(self.metric)

    def update(self, *args: Any, **outputs: Any) -> Self:
        apart, shared = {}, {}
        for name, x in outputs.items():
            if name in self.shared:
                shared[name] = x
                continue
            if jnp.shape(x)[-1:] != (self.num_outputs,):
                raise TypeError(
                    f"`MultiOutput`: `{name}` is {describe(x)}, expected a last axis of "
                    f"{self.num_outputs}, one entry for each column. If all columns see it whole, "
                    f"say `shared={(*self.shared, name)}`."
                )
            apart[name] = jnp.moveaxis(jnp.asarray(x), -1, 0)
        return rebuild(self, {"metric": _updated(self.metric, apart, shared)})

    def compute(self) -> Any:
        """The value of the metric, with a leading axis of columns."""
        return plain_dicts(values_of(self.metric))
