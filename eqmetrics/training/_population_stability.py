from collections.abc import Sequence
from typing import Any, final, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32

from .._aggregate.histogram import Histogram
from .._custom_types import Input, Mask, Values, Weights
from .._metric.messages import describe
from .._metric.metric import Metric
from .._rows.quotient import over
from .._rows.rows import undefined_as


def _bins(histogram: Histogram) -> Float32[Array, "bins"]:
    return histogram.sums.read("cells")


def _apart(values: Any, reference: Any, mask: Any) -> tuple[Array, Array]:
    """Which entries are values, and which are of the reference."""
    if reference.shape != values.shape:
        raise TypeError(
            f"`reference` is {describe(reference)} and `values` is {describe(values)}: they must "
            "have the same shape."
        )
    if mask is None:
        return ~reference, reference
    if mask.shape != values.shape[: mask.ndim]:
        raise TypeError(
            f"`mask` is {describe(mask)} and `values` is {describe(values)}: it must have the "
            "leading axes of the values."
        )
    rest = (1,) * (values.ndim - mask.ndim)
    mask = jnp.broadcast_to(mask.reshape(mask.shape + rest), values.shape)
    return mask & ~reference, mask & reference


@final
class PopulationStability(Metric):
    r"""The population stability index of values against a reference:
    $\sum_b (p_b - q_b) \ln(p_b / q_b)$ over bins, with $p_b$ the share of the values in a bin and
    $q_b$ that of the reference.

    It is 0 if the shares are equal; by a rule of thumb more than 0.1 is a shift to look at, and
    more than 0.25 a large one. For two samples of one population it isn't 0: the smaller the
    samples, the larger it is.

    **Arguments:**

    - `edges`: increasing; the outer bins are unbounded. Quantiles of the reference are usual:
        `np.quantile(reference, [0.1, 0.2, ..., 0.9])`. A bin includes its lower edge; the last bin
        between two edges includes its upper edge, too, as in [`eqmetrics.Histogram`][].
    - `reference`: how many values of the reference are in each of the `len(edges) + 1` bins. If
        it isn't given, `update` takes `reference`, which says of each value whether it is one of
        the reference.
    - `pseudocount`: added to the weight of each bin, on both sides. 0 if not given: a bin that is
        empty on one side then makes the value infinite; otherwise the scale of the weights matters.
        (Some libraries add 0.0001 to shares without saying so.)
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: `4 * len(edges) + 8` floats. Undefined when: there are no values, or none of the
    reference. NaN and negative weights are invalid.
    Source: Siddiqi, Credit risk scorecards, 2006; it is the divergence of Jeffreys, 1946.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        stability = eqm.training.PopulationStability([0.0, 1.0], reference=[0, 2, 2])
        value = stability(jnp.array([0.5, 1.5, 2.5, 3.5]))
        assert abs(value - (0.25 * jnp.log(2) + 0.25 * jnp.log(1.5))) < 1e-6
        ```
    """

    reference: tuple[float, ...] | None = eqx.field(static=True)
    pseudocount: float = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    values: Histogram
    others: Histogram | None

    def __init__(
        self,
        edges: Sequence[float] | np.ndarray,
        *,
        reference: Sequence[float] | np.ndarray | None = None,
        pseudocount: float = 0.0,
        undefined: float | None = None,
    ):
        if not 0 <= pseudocount < np.inf:
            raise ValueError(f"pseudocount={pseudocount!r}: expected a number from 0 on.")
        self.values = Histogram(edges)
        self.others = Histogram(edges) if reference is None else None
        self.reference = None
        if reference is not None:
            counts = np.asarray(reference, np.float64)
            bins = len(self.values.edges) + 1
            if counts.shape != (bins,) or not np.all((counts >= 0) & (counts < np.inf)):
                raise ValueError(
                    f"`reference` is {reference!r}: expected a count for each of the {bins} bins, "
                    "with those below the first and above the last edge."
                )
            self.reference = tuple(counts.tolist())
        self.pseudocount = pseudocount
        self.undefined = undefined

    def update(
        self,
        values: Values,
        *,
        reference: Bool[Input, "..."] | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`values` of any shape; `reference`, booleans of the same shape, unless the metric was
        built with the counts of its reference."""
        if (reference is None) == (self.others is not None):
            raise TypeError(
                "`PopulationStability` was built without the counts of a reference, and `update` "
                "needs `reference`: which of the values are of it."
                if reference is None
                else "`PopulationStability` was built with the counts of its reference, and "
                "`update` takes no `reference`."
            )
        if self.others is None or reference is None:
            return self.replace(values=self.values.update(values, mask=mask, weights=weights))
        current, others = _apart(values, reference, mask)
        return self.replace(
            values=self.values.update(values, mask=current, weights=weights),
            others=self.others.update(values, mask=others, weights=weights),
        )

    def compute(self) -> Float32[Array, ""]:
        """The index, a scalar."""
        counts = _bins(self.values)
        if self.others is None:
            others = jnp.asarray(self.reference, jnp.float32)
        else:
            others = _bins(self.others)
        none = (jnp.sum(counts) == 0) | (jnp.sum(others) == 0)
        p, q = (over(x, jnp.sum(x)) for x in (counts + self.pseudocount, others + self.pseudocount))
        both = (p > 0) & (q > 0)
        log = jnp.log(jnp.where(both, p, 1)) - jnp.log(jnp.where(both, q, 1))
        terms = jnp.where(both, (p - q) * log, jnp.where(p == q, 0, jnp.inf))
        return undefined_as(jnp.sum(terms), none, self.undefined)
