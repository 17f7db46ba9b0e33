"""A mean deviance relative to that of the mean of the targets. The latter merges as variances do,
since a deviance is a Bregman divergence: that of targets to any number is that to their mean plus
that of their mean (Banerjee et al., "Clustering with Bregman divergences", 2005)."""

from typing import final, NamedTuple, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from .._aggregate.joint import is_constant, Joint
from .._aggregate.moments import SQUARE
from .._custom_types import Mask, Values, Weights
from .._metric.field import state
from .._metric.metric import Metric
from .._onepass.moments import ends_of_rows
from .._onepass.operations import DEVIATE
from .._onepass.sums import plus_invalid, Sums, weight_column
from .._reduction.pair import add, lift, Pair, to_float
from .._rows.quotient import over
from .._rows.rows import Rows, trailing, undefined_as
from .._rows.squares import divisor
from .deviance import check_power, deviance, domain, in_domain, relative
from .mean_error import Within, without_invalid
from .paired import checked_multioutput, errors_of, Multioutput, over_columns, paired


class _Spread(NamedTuple):
    """Pairs: the weight and the mean of the targets, and the sum of their deviances to it."""

    weight: Pair
    mean: Pair
    own: Pair


def _to_mean(power: float, mean: Array, delta: Array, t: Array) -> Array:
    """The deviance of `t` to `mean`. Their difference `delta` has digits that `t` hasn't."""
    if power == 0:
        return delta * delta
    safe = jnp.where(mean == 0, 1, mean)
    value = 2 * safe ** (2 - power) * relative(power, delta / safe, t / safe)
    return jnp.where(mean == 0, 0, value)  # of zeros alone


def _of_batch(power: float, batch: Rows, t: Array, losses: Array) -> tuple[_Spread, Pair]:
    """The spread of the targets of a batch, and the sum of the losses."""
    weight, shape = weight_column(batch), t.shape[1:]
    # Twice: then the deviations of a constant are 0, also of integers that don't fit a float.
    d, high, high_beside = DEVIATE(batch.values, *weight)
    d, low, low_beside = DEVIATE(d, *weight)
    own = _to_mean(power, high_beside + low_beside, d, t)
    sums = Sums(rest=shape, own=shape, total=shape, weight=())
    sums = sums.add(batch._replace(invalid=None), rest=d, own=own, total=losses, weight=1)
    # The deviance to the mean is smaller than to `near`, by that of the mean to `near`.
    near, n = add(lift(high), lift(low)), sums.pair("weight")
    offset = over(sums.read("rest"), to_float(n))
    mean = add(near, lift(offset))
    less = to_float(n) * _to_mean(power, to_float(near), offset, to_float(mean))
    return _Spread(n, mean, add(sums.pair("own"), lift(-less))), sums.pair("total")


def _plus(power: float, left: _Spread, right: _Spread) -> _Spread:
    none = jnp.zeros_like(left.mean)[:, None]
    a, b = (Joint(x.weight, x.mean[:, None], none) for x in (left, right))
    weight, mean, _ = SQUARE.plus(a, b)
    mean, own = mean[:, 0], add(left.own, right.own)
    for x in (left, right):
        delta = to_float(add(x.mean, -mean))
        moved = _to_mean(power, to_float(mean), delta, to_float(x.mean))
        n = to_float(x.weight)
        own = add(own, lift(jnp.where(n > 0, n * moved, 0)))
    return _Spread(weight, mean, own)


@final
class D2Tweedie(Metric):
    r"""The share of the Tweedie deviance of the targets that is explained, an $R^2$ with another
    loss: $1 - \sum_i w_i d(t_i, p_i) / \sum_i w_i d(t_i, \bar t)$. See [`eqmetrics.Tweedie`][] for
    $d$.

    1 is perfect, and 0 is as good as always predicting the mean of the targets.

    **Arguments:**

    - `power`: the power of the deviance; 0, which gives `R2`, or at least 1.
    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`, or a weight for
        each.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: `8 * prod(outputs) + 4` floats. Undefined when: the targets of a column are constant, or
    there is one row. Predictions of 0 or less are invalid unless `power` is 0, and so are negative
    targets for a `power` of 1 or more, and targets of 0 for one of 2 or more. Where the mean
    deviance of the targets is below $10^{-30}$ the value is NaN.
    Source: Hastie, Tibshirani and Wainwright, Statistical Learning with Sparsity, 2015, eq. 3.11.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        d2 = eqm.D2Tweedie(power=1.0)
        targets = jnp.array([1.0, 3.0])
        assert d2(predictions=targets, targets=targets) == 1.0
        assert d2(predictions=jnp.array([2.0, 2.0]), targets=targets) == 0.0
        ```
    """

    power: float = eqx.field(static=True)
    outputs: tuple[int, ...] = eqx.field(static=True)
    multioutput: Multioutput = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    weight: Float32[Array, "2"] = state()
    mean: Float32[Array, "2 ..."] = state()  # of the targets
    own: Float32[Array, "2 ..."] = state()  # the deviance of the targets to their mean
    total: Float32[Array, "2 ..."] = state()  # the deviance of the targets to the predictions
    ends: Float32[Array, "2 ..."] = state(initial=-np.inf)  # the largest target, and opposite
    invalid: Float32[Array, "2"] = state(valid="{self.valid}")

    def __init__(
        self,
        power: float = 0.0,
        *,
        outputs: int | tuple[int, ...] = (),
        multioutput: Multioutput = "uniform_average",
        undefined: float | None = None,
    ):
        check_power(power)
        if power < 0:
            raise ValueError(
                f"power={power}: expected 0, or at least 1: the mean of targets that may be "
                "negative may be, and then has no deviance."
            )
        self.power = float(power)
        self.outputs = trailing(outputs)
        self.multioutput = checked_multioutput(multioutput, outputs)
        self.undefined = undefined
        self.weight = jnp.zeros(2, jnp.float32)
        self.mean = jnp.zeros((2, *self.outputs), jnp.float32)
        self.own = jnp.zeros((2, *self.outputs), jnp.float32)
        self.total = jnp.zeros((2, *self.outputs), jnp.float32)
        self.ends = jnp.full((2, *self.outputs), -jnp.inf, jnp.float32)
        self.invalid = jnp.zeros(2, jnp.float32)

    @property
    def valid(self) -> str:
        return domain(self.power)

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` are real, of shape `(*rows, *outputs)`."""
        batch, (p, t) = paired(predictions, targets, mask, weights, self.outputs)
        errors = errors_of(batch, predictions, targets)
        losses = Within(deviance(self.power, p, t, errors), in_domain(self.power, p, t))
        batch = batch._replace(values=jnp.asarray(targets).reshape(t.shape))
        batch, losses = without_invalid(batch, losses)
        ends = ends_of_rows(self.ends[:, None], batch, t)[:, 0]
        invalid = plus_invalid(jnp.zeros_like(self.invalid), batch)
        return self._plus(*_of_batch(self.power, batch, t, losses), ends, invalid)

    def _plus(self, spread: _Spread, total: Pair, ends: Array, invalid: Pair) -> Self:
        before = _Spread(self.weight, self.mean, self.own)
        return self.replace(
            **_plus(self.power, before, spread)._asdict(),
            total=add(self.total, total),
            ends=jnp.maximum(self.ends, ends),
            invalid=add(self.invalid, invalid),
        )

    def merge(self, other: Self) -> Self:
        spread = _Spread(other.weight, other.mean, other.own)
        return self._plus(spread, other.total, other.ends, other.invalid)

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `outputs` with `multioutput="raw_values"`."""
        weight = to_float(self.weight)
        own = over(to_float(self.own), weight)
        least = divisor(own)
        spread = own * jnp.abs(to_float(self.mean)) ** self.power
        values = 1 - over(over(to_float(self.total), weight), least)
        values = jnp.where(least == 0, jnp.nan, values)  # out of range, unless constant
        values = undefined_as(values, is_constant(self.ends, spread), self.undefined)
        return over_columns(values, self.multioutput)
