from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._metric.numbers import check_whole
from .._metric.readout import AbstractReadout
from .._rows.quotient import over, root
from .._rows.rows import undefined_as
from .._rows.squares import out_of_range
from .joint import is_constant
from .moments import CentredMoments


def _variance(statistic: CentredMoments, ddof: int, undefined: float | None) -> Array:
    count, _, squares = statistic.compute()
    spread = over(squares, count)
    lost = out_of_range(spread, is_constant(statistic.ends[:, 0], spread))
    squares = jnp.where(lost, jnp.nan, squares)
    return undefined_as(over(squares, count - ddof), ~(count > ddof), undefined)


@final
class Variance(AbstractReadout):
    r"""The variance: $\sum_i w_i (x_i - \bar x)^2 / (\sum_i w_i - \mathrm{ddof})$.

    **Arguments:**

    - `ddof`: 0 as in numpy and clu; 1 for the unbiased estimate (weights are counts).
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: 10 floats, shared with `Std` in a `MetricDict`. Undefined when: the weights sum to
    `ddof` or less. Deviations from $10^{-15}$ to $10^{19}$ can be squared in float32; beyond, the
    value is NaN or infinite. Source: Chan, Golub and LeVeque, 1979.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        assert eqm.Variance()(jnp.array([1.0, 3.0])) == 1.0
        ```
    """

    ddof: int = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: CentredMoments

    def __init__(self, *, ddof: int = 0, undefined: float | None = None):
        check_whole("ddof", ddof, 0)
        self.ddof = ddof
        self.undefined = undefined
        self.statistic = CentredMoments()

    def compute(self) -> Float32[Array, ""]:
        return _variance(self.statistic, self.ddof, self.undefined)


@final
class Std(AbstractReadout):
    r"""The standard deviation, the square root of [`eqmetrics.Variance`][].

    **Arguments:**

    - `ddof`: 0 as in numpy and clu; 1 for the unbiased variance (weights are counts).
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: 10 floats, shared with `Variance` in a `MetricDict`. Undefined when: the weights sum to
    `ddof` or less. Deviations from $10^{-15}$ to $10^{19}$ can be squared in float32; beyond, the
    value is NaN or infinite. Source: Chan, Golub and LeVeque, 1979.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        assert eqm.Std()(jnp.array([1.0, 3.0])) == 1.0
        ```
    """

    ddof: int = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: CentredMoments

    def __init__(self, *, ddof: int = 0, undefined: float | None = None):
        check_whole("ddof", ddof, 0)
        self.ddof = ddof
        self.undefined = undefined
        self.statistic = CentredMoments()

    def compute(self) -> Float32[Array, ""]:
        variance = _variance(self.statistic, self.ddof, None)
        return undefined_as(
            root(variance), ~(self.statistic.compute()[0] > self.ddof), self.undefined
        )
