from typing import final

from jaxtyping import Array, Float32

from .._aggregate.average import Average
from .._metric.readout import AbstractReadout
from .confidence import Interval


@final
class StandardError(AbstractReadout):
    r"""The standard error of the mean of all values: $\sqrt{\sum_i (x_i - \bar x)^2} / n$, or for
    rows in clusters $\sqrt{\sum_c \big(\sum_{i \in c} (x_i - \bar x)\big)^2} / n$.

    [`eqmetrics.Interval`][] computes it for any metric, with the value and an interval. A row is an
    entry of the first axis, which may contain several values.

    **Arguments:**

    - `shape`: trailing axes to keep, as for [`eqmetrics.Average`][].
    - `clusters`: the number of clusters; `update` then takes `cluster`, an integer in
        `[0, clusters)` for each row.

    Integer weights are repetition, and their scale matters, except with `clusters`.
    State: 14 floats for a scalar; with `clusters` 4 for each, and 2. Undefined when: there are
    fewer than two rows, or clusters with rows. The gradient is that of the formula, and 0 where the
    error is 0.
    Source: Miller, "Adding error bars to evals: a statistical approach to language model
    evaluations", 2024.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        hits = jnp.array([1.0, 1.0, 0.0, 0.0])
        assert eqm.StandardError()(values=hits) == 0.25
        pairs = eqm.StandardError(clusters=2)
        assert abs(pairs(values=hits, cluster=jnp.array([0, 0, 1, 1])) - 0.3536) < 1e-4
        ```
    """

    statistic: Interval

    def __init__(self, shape: int | tuple[int, ...] = (), *, clusters: int | None = None):
        self.statistic = Interval(Average(shape), clusters=clusters)

    def compute(self) -> Float32[Array, "..."]:
        """The standard error: a scalar, or an array of shape `shape`."""
        return self.statistic.compute()["standard_error"]
