from typing import Any, final, Self

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._collection.route import arguments_of, update_of
from .._metric.checks import to_array
from .._metric.invalid import invalid_counts
from .._metric.messages import describe
from .._metric.metric import AbstractWrapper, Metric
from .._reduction.pair import inlined
from .._rows.row_mean import AbstractRowMean, Empty
from .._rows.rows import rows
from .inside import as_floats, of_fixed_size


@inlined
def _each(
    metric: Metric, outputs: dict[str, Array], shared: dict[str, Array]
) -> tuple[Float32[Array, "rows ..."], Bool[Array, "rows"]]:
    """The value of each row alone, and whether the metric finds it invalid."""

    def one(own: dict[str, Array]) -> tuple[Array, Array]:
        seen = update_of(metric, own | shared)
        counts = [jnp.sum(pair) > 0 for _, _, pair in invalid_counts(seen)]
        return as_floats(seen.compute()), jnp.any(jnp.stack([*counts, jnp.zeros((), bool)]))

    return jax.vmap(one)(outputs)


def _whole_rows(mask: Array | None) -> Array | None:
    """Which rows have any entry, from a mask of the entries."""
    return mask if mask is None else jnp.any(mask, axis=tuple(range(1, mask.ndim)))


@final
class RowMean(AbstractRowMean, AbstractWrapper):
    """The mean over rows of the value of a metric on each row alone: other libraries call this an
    average over samples.

    A row is an entry of the first axis, whatever it contains: the labels of a document, the pixels
    of an image. `metric.per_row(...)` returns the values themselves.

    **Arguments:**

    - `metric`: any metric whose value is one array. Only its configuration is used, not its state.
    - `empty`: what a row with an undefined value counts as: `"skip"` leaves out the row and its
        weight, `"zero"` and `"one"` count it as 0 or 1.
    - `undefined`: what replaces an undefined value; NaN if not given.

    `weights` with one axis apply to the rows; `weights` and `mask` with more axes are passed to the
    metric, for the entries of a row.
    State: 4 floats for each number of the value, 2 for the invalid rows, and that of the metric,
    which stays empty. Undefined when: no row has a value. The gradient is that of the metric.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        f1 = eqm.RowMean(eqm.F1(eqm.Multilabel(3), average="micro"))
        predicted, labels = jnp.array([[1, 1, 0], [0, 0, 1]]), jnp.array([[1, 0, 0], [0, 0, 1]])
        assert abs(f1(predicted_labels=predicted, labels=labels) - (2 / 3 + 1) / 2) < 1e-6
        ```
    """

    metric: Metric

    def __init__(self, metric: Metric, *, empty: Empty = "skip", undefined: float | None = None):
        of_fixed_size("RowMean", metric)
        value = jax.eval_shape(metric.reset().compute)
        if not isinstance(value, jax.ShapeDtypeStruct):
            raise TypeError(
                f"`RowMean` is of one array, and the value of `{type(metric).__qualname__}` is "
                f"{value}. Choose one: `eqm.Compose(fn, metric)`."
            )
        AbstractRowMean.__init__(
            self, "those that the metric takes", shape=value.shape, empty=empty, undefined=undefined
        )
        self.metric = metric.reset()

    def arguments(self) -> dict[str, bool]:
        return {"mask": False, "weights": False} | arguments_of(self.metric)

    def update(self, *args: Any, **outputs: Any) -> Self:
        given = {name: to_array(name, x) for name, x in outputs.items() if x is not None}
        count = next((x.shape[0] for n, x in given.items() if x.ndim), None)
        if count is None:
            name, x = next(iter(given.items()))
            raise TypeError(f"`RowMean`: `{name}` is {describe(x)}, expected a first axis of rows.")
        takes = arguments_of(self.metric)
        mask, weights = given.get("mask"), given.get("weights")
        weighed = weights is not None and weights.ndim == 1
        every = rows(
            jnp.zeros(count, jnp.float32), _whole_rows(mask), weights if weighed else None
        )
        if weighed:
            del given["weights"]
        # The metric must not read the contents of a row that is left out.
        if "mask" in takes and every.mask is not None:
            inner = jnp.ones(count, bool) if mask is None else mask
            keep = every.mask.reshape(-1, *(1,) * (inner.ndim - 1))
            given["mask"] = inner & keep
        given = {name: x for name, x in given.items() if name in takes}
        own = {name: x for name, x in given.items() if x.ndim}
        values, bad = _each(self.metric, own, {n: x for n, x in given.items() if n not in own})
        return self.plus(every.without(bad), values, ~jnp.isnan(values))
