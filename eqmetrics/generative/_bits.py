import math
from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.messages import describe
from .._metric.metric import Metric
from .._onepass.sums import Sums
from .._rows.quotient import over
from .._rows.rows import flat, rows, undefined_as


@final
class BitsPerDimension(Metric):
    r"""The bits that a likelihood model needs for one dimension of the data:
    $-\sum_i \log_2 p_i \,/ \sum_i d_i - \log_2 h$, over all rows, of $d_i$ dimensions each.

    `log_likelihoods` are natural logarithms, of a whole row. A density of dequantised data doesn't
    contain the width $h$ of the bins they come from, so pass it. For 256 levels scaled to $[0, 1]$
    it is `bin_width=1/256`, which adds 8 bits; scaled to $[-1, 1]$ it is `bin_width=1/128`, which
    adds 7.

    **Arguments:**

    - `dimensions`: how many dimensions a row has, as `32 * 32 * 3`. If not given, `update` takes
        `dimensions`, a number for each row.
    - `bin_width`: the width of the bins in the units of the density; 1 if the likelihood is of
        integers, or of bins.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the value.
    State: 6 floats. Undefined when: the weights sum to 0. A likelihood that is NaN propagates, and
    one of 0 gives infinity.
    Source: Theis, van den Oord and Bethge, "A note on the evaluation of generative models", 2016.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        bits = eqm.generative.BitsPerDimension(4)
        assert abs(bits(log_likelihoods=jnp.log(jnp.array([1 / 16, 1 / 256]))) - 1.5) < 1e-6
        ```
    """

    dimensions: int | None = eqx.field(static=True)
    bin_width: float = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(
        self,
        dimensions: int | None = None,
        *,
        bin_width: float = 1.0,
        undefined: float | None = None,
    ):
        if dimensions is not None and dimensions < 1:
            raise ValueError(f"dimensions={dimensions}: expected at least one.")
        if not 0 < bin_width < math.inf:
            raise ValueError(f"bin_width={bin_width}: expected a width above 0.")
        self.dimensions = dimensions
        self.bin_width = bin_width
        self.undefined = undefined
        valid = "weights >= 0 and finite"
        if dimensions is None:
            valid = f"dimensions >= 1, {valid}"
        self.sums = Sums(valid, log_likelihood=(), dimensions=())

    def update(
        self,
        *,
        log_likelihoods: Values,
        dimensions: Values | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """All arguments have the shape of the rows; `dimensions` is required if the metric was
        built without it."""
        batch = rows(log_likelihoods, mask, weights, (), "log_likelihoods")
        if (dimensions is None) == (self.dimensions is None):
            raise TypeError(
                "The number of dimensions is given once: to `BitsPerDimension(dimensions)`, or to "
                "each update as `dimensions=`; it was given "
                + ("twice." if dimensions is not None else "neither way.")
            )
        nats = batch.values.astype(jnp.float32)
        if dimensions is None:
            return self.replace(sums=self.sums.add(batch, log_likelihood=nats, dimensions=1))
        x, each = jnp.asarray(log_likelihoods), jnp.asarray(dimensions)
        if each.shape != x.shape:
            raise TypeError(
                f"`log_likelihoods` is {describe(x)} and `dimensions` is {describe(each)}: they "
                "must have the same shape. Nothing is broadcast."
            )
        sizes = flat(each)
        batch = batch.without(~(sizes >= 1))
        return self.replace(sums=self.sums.add(batch, log_likelihood=nats, dimensions=sizes))

    def compute(self) -> Float32[Array, ""]:
        total, count = self.sums.read("log_likelihood", "dimensions")
        nats = over(total, count) / (1 if self.dimensions is None else self.dimensions)
        bits = -nats / math.log(2) - math.log2(self.bin_width)
        return undefined_as(bits, count == 0, self.undefined)
