"""The units of a layer: which are never active, and how often units are inactive."""

import math
from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.numbers import check_whole
from .._metric.readout import AbstractReadout, AbstractStatistic
from .._onepass.sums import Sums
from .._rows.quotient import over
from .._rows.rows import rows, undefined_as


@final
class ActivationCounts(AbstractStatistic):
    """How many rows there are, and in how many of them each unit is active: the statistic of
    `DeadUnits` and `ActivationSparsity`, which share it in a `MetricDict`.

    **Arguments:**

    - `num_units`: the size of the last axis of `activations`.
    - `threshold`: a unit is active if the absolute value of its activation is above this.

    The gradient is 0: the value is piecewise constant.
    State: `2 * num_units + 4` floats. Undefined when: never; an empty count is 0. Rows with NaN
    are invalid.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        counts = eqm.training.ActivationCounts(2)(activations=jnp.array([[0.0, 1.0], [0.0, 2.0]]))
        assert counts["active"].tolist() == [0.0, 2.0] and counts["rows"] == 2
        ```
    """

    num_units: int = eqx.field(static=True)
    threshold: float = eqx.field(static=True)
    sums: Sums

    def __init__(self, num_units: int, *, threshold: float = 0.0):
        check_whole("num_units", num_units, 1)
        if not 0 <= threshold < math.inf:
            raise ValueError(f"threshold={threshold!r}: expected a number from 0 on.")
        self.num_units = num_units
        self.threshold = threshold
        self.sums = Sums(
            "activations without NaN, weights >= 0 and finite", active=num_units, rows=()
        )

    def update(self, *, activations: Values, mask: Mask = None, weights: Weights = None) -> Self:
        """`activations` of shape `(*rows, num_units)`; `mask` and `weights` have the leading axes
        of the rows."""
        batch = rows(activations, mask, weights, (self.num_units,), "activations")
        batch = batch.without(jnp.any(jnp.isnan(batch.values), axis=1))
        active = jnp.abs(batch.values.astype(jnp.float32)) > self.threshold
        return self.replace(sums=self.sums.add(batch, active=active, rows=1))

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """`active`, of shape `(num_units,)`, and `rows`."""
        return self.sums.compute()


class _AbstractShare(AbstractReadout):
    per_unit: bool = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: ActivationCounts

    def __init__(
        self,
        num_units: int,
        *,
        threshold: float = 0.0,
        per_unit: bool = False,
        undefined: float | None = None,
    ):
        self.per_unit = per_unit
        self.undefined = undefined
        self.statistic = ActivationCounts(num_units, threshold=threshold)

    def of_units(self, shares: Array) -> Array:
        count = self.statistic.sums.read("rows")
        shares = shares if self.per_unit else jnp.mean(shares)
        return undefined_as(shares, count == 0, self.undefined)


@final
class DeadUnits(_AbstractShare, init=False):
    """The share of the units of a layer that weren't active in any row since `reset`.

    **Arguments:**

    - `num_units`: the size of the last axis of `activations`.
    - `threshold`: a unit is active if the absolute value of its activation is above this: 0 for
        ReLU, small and positive for units that only come close to 0.
    - `per_unit`: return 1 for each dead unit and 0 for the others instead of the share.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: `2 * num_units + 4` floats, shared with `ActivationSparsity` in a `MetricDict`.
    Undefined when: no row was seen. Rows with NaN are invalid.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        activations = jnp.array([[0.0, 1.0, 0.0, 0.0], [0.0, 2.0, 3.0, 0.0]])
        assert eqm.training.DeadUnits(4)(activations=activations) == 0.5
        ```
    """

    def compute(self) -> Float32[Array, "..."]:
        """The share, a scalar; or of shape `(num_units,)`."""
        active = self.statistic.sums.read("active")
        return self.of_units((active == 0).astype(jnp.float32))


@final
class ActivationSparsity(_AbstractShare, init=False):
    """The share of the activations of a layer with an absolute value of at most `threshold`.

    **Arguments:**

    - `num_units`: the size of the last axis of `activations`.
    - `threshold`: a unit is active if the absolute value of its activation is above this.
    - `per_unit`: return the share for each unit instead of that of all.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: `2 * num_units + 4` floats, shared with `DeadUnits` in a `MetricDict`. Undefined when: no
    row was seen. Rows with NaN are invalid.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        activations = jnp.array([[0.0, 1.0, 0.0, 0.0], [0.0, 2.0, 3.0, 0.0]])
        assert eqm.training.ActivationSparsity(4)(activations=activations) == 0.625
        ```
    """

    def compute(self) -> Float32[Array, "..."]:
        """The share, a scalar; or of shape `(num_units,)`."""
        active, count = self.statistic.sums.read("active", "rows")
        return self.of_units(1 - over(active, count))
