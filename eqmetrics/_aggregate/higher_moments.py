from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int32

from .._custom_types import Mask, Values, Weights
from .._metric.field import state
from .._metric.metric import Metric
from .._metric.numbers import check_whole
from .._onepass.moments import ends_of_rows
from .._onepass.operations import DEVIATE
from .._onepass.sums import Sums, weight_column
from .._reduction.limbs import bound, exponent
from .._reduction.pair import add, inlined, lift, to_float
from .._rows.quotient import over, root
from .._rows.rows import Rows, rows, undefined_as
from .joint import is_constant


# A state is a dict: pairs of the weight, of the mean and of the sums of the second, third and
# fourth powers of the deviations, and the exponent of their unit. In units of the largest deviation
# fourth powers stay in the range of float32 at any scale.
def _empty() -> dict[str, Array]:
    return {
        "weight": jnp.zeros(2, jnp.float32),
        "mean": jnp.zeros(2, jnp.float32),
        "powers": jnp.zeros((2, 3), jnp.float32),
        "unit": jnp.zeros((), jnp.int32),
        "ends": jnp.full(2, -jnp.inf, jnp.float32),
        "invalid": jnp.zeros(2, jnp.float32),
    }


@inlined
def _merged(left: dict[str, Array], right: dict[str, Array]) -> dict[str, Array]:
    n = add(left["weight"], right["weight"])
    a, b, total = (to_float(x) for x in (left["weight"], right["weight"], n))
    either = (a > 0) & (b > 0)
    delta = jnp.where(either, to_float(add(right["mean"], -left["mean"])), 0)
    unit = jnp.maximum(jnp.maximum(left["unit"], right["unit"]), exponent(delta))
    unit = jnp.where(either, unit, jnp.maximum(left["unit"], right["unit"]))

    def in_unit(side: dict[str, Array]) -> Array:
        f = jnp.where(side["unit"] > 0, bound(side["unit"]) / bound(unit), 0)
        return side["powers"] * jnp.stack([f * f, f * f * f, f * f * f * f])[None]

    x, y = in_unit(left), in_unit(right)
    (x2, x3, _), (y2, y3, _) = to_float(x), to_float(y)
    safe = jnp.where(total > 0, total, 1)
    p, q, d = a / safe, b / safe, delta / bound(unit)
    d = jnp.where(either, d, 0)
    both = d * d * p * b
    terms = [
        both,
        both * d * (p - q) + 3 * d * (p * y2 - q * x2),
        both * d * d * (p * p - p * q + q * q)
        + 6 * d * d * (p * p * y2 + q * q * x2)
        + 4 * d * (p * y3 - q * x3),
    ]
    # From the mean of the larger side: the smaller correction, whichever comes first.
    swap = b > a
    base = jnp.where(swap, right["mean"], left["mean"])
    return {
        "weight": n,
        "mean": add(base, lift(delta * jnp.where(swap, -p, q))),
        "powers": add(add(x, y), lift(jnp.stack(terms))),
        "unit": unit,
        "ends": jnp.maximum(left["ends"], right["ends"]),
        "invalid": add(left["invalid"], right["invalid"]),
    }


def _of_batch(batch: Rows) -> dict[str, Array]:
    weight = weight_column(batch)
    # Twice: then the deviations of a constant are 0, also of integers that don't fit a float.
    d, high, _ = DEVIATE(batch.values, *weight)
    d, low, _ = DEVIATE(d, *weight)
    taken = jnp.ones(d.shape, bool) if batch.mask is None else batch.mask
    unit = exponent(jnp.max(jnp.where(taken, jnp.abs(d), 0), initial=0))
    z = d / bound(unit)
    powers = jnp.stack([z, z * z, z * z * z, (z * z) * (z * z)], axis=1)
    sums = Sums(powers=4, weight=()).add(batch, powers=powers, weight=1)
    n, powers = sums.pair("weight"), sums.pair("powers")
    # From powers about a number near the mean to those about the mean.
    (z1, z2, z3, _), count = to_float(powers), to_float(n)
    e = over(z1, count)
    rest = [-e * z1, e * (2 * e * z1 - 3 * z2), e * (6 * e * z2 - 3 * e * e * z1 - 4 * z3)]
    return {
        "weight": n,
        "mean": add(add(lift(high), lift(low)), lift(e * bound(unit))),
        "powers": add(powers[:, 1:], lift(jnp.stack(rest))),
        "unit": jnp.where(count > 0, unit, 0),
        "ends": ends_of_rows(jnp.full((2, 1), -jnp.inf, jnp.float32), batch, batch.values)[:, 0],
        "invalid": sums.invalid,
    }


@final
class Moments(Metric):
    r"""The mean, variance, skewness, kurtosis and standard error of the mean, in one pass.

    With $m_k = \sum_i w_i (x_i - \bar x)^k / \sum_i w_i$ and $n = \sum_i w_i$: the variance is
    $m_2\,n / (n - \mathrm{ddof})$, the skewness $m_3 / m_2^{3/2}$, the kurtosis
    $m_4 / m_2^2 - 3$ (0 for a normal distribution, and not corrected for bias, as in scipy), and
    the standard error of the mean the root of the variance over $n$.

    **Arguments:**

    - `ddof`: of the variance and the standard error; 1 for the unbiased estimate (weights are
        counts).
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: 14 floats, 1 integer. Undefined when: no row was seen; the variance and the standard
    error, if the weights sum to `ddof` or less; skewness and kurtosis, if the values are constant.
    Powers are kept in a unit that follows the data, so that values may have any offset and scale;
    only the variance itself is NaN below $10^{-38}$ and infinite above $10^{38}$.
    Source: Pébay, "Formulas for robust, one-pass parallel computation of covariances and
    arbitrary-order statistical moments", 2008.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        moments = eqm.Moments()(jnp.array([1.0, 1.0, 4.0]))
        assert moments["mean"] == 2.0 and moments["variance"] == 3.0
        assert abs(moments["skewness"] - 0.5**0.5) < 1e-6
        ```
    """

    ddof: int = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    weight: Float32[Array, "2"] = state()
    mean: Float32[Array, "2"] = state()
    powers: Float32[Array, "2 3"] = state()
    unit: Int32[Array, ""] = state()
    ends: Float32[Array, "2"] = state(initial=-jnp.inf)
    invalid: Float32[Array, "2"] = state(valid="weights >= 0 and finite")

    def __init__(self, *, ddof: int = 1, undefined: float | None = None):
        check_whole("ddof", ddof, 0)
        self.ddof = ddof
        self.undefined = undefined
        empty = _empty()
        self.weight, self.mean, self.powers = empty["weight"], empty["mean"], empty["powers"]
        self.unit, self.ends, self.invalid = empty["unit"], empty["ends"], empty["invalid"]

    def _arrays(self) -> dict[str, Array]:
        names = "weight", "mean", "powers", "unit", "ends", "invalid"
        return {name: getattr(self, name) for name in names}

    def update(self, values: Values, *, mask: Mask = None, weights: Weights = None) -> Self:
        new = _of_batch(rows(values, mask, weights))
        return self.replace(**_merged(self._arrays(), new))

    def merge(self, other: Self) -> Self:
        return self.replace(**_merged(self._arrays(), other._arrays()))

    def compute(self) -> dict[str, Float32[Array, ""]]:
        """A dict of scalars: `mean`, `variance`, `skewness`, `kurtosis` and `standard_error`."""
        n, unit = to_float(self.weight), bound(self.unit)
        m2, m3, m4 = over(to_float(self.powers), n)
        few, same = ~(n > self.ddof), is_constant(self.ends, m2 * unit * unit)
        variance = jnp.where(same, 0, m2 * jnp.where(few, 1, over(n, n - self.ddof)))
        squares = variance * unit * unit
        squares = jnp.where((variance > 0) & (squares < 2.0**-126), jnp.nan, squares)
        values = {
            "mean": (to_float(self.mean), n == 0),
            "variance": (squares, few),
            "skewness": (over(m3, m2 * root(m2)), same),
            "kurtosis": (over(m4, m2 * m2) - 3, same),
            "standard_error": (root(over(variance, n)) * unit, few),
        }
        return {k: undefined_as(x, where, self.undefined) for k, (x, where) in values.items()}
