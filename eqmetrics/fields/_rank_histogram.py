from typing import Any, final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.messages import describe
from .._metric.metric import Metric
from .._onepass.sums import Sums
from .._regression.ensemble import ensemble


@final
class RankHistogram(Metric):
    """How often the target has each rank among the members of its ensemble (the Talagrand diagram):
    flat if members and target are draws from one distribution, high at both ends if the ensembles
    are too narrow, sloped if they are biased.

    A target that equals some members is split evenly over the ranks that it may have. That is the
    average over the random ranks that WeatherBench 2 and xskillscore draw. (Rain that is 0 in all
    members is spread over all ranks.)

    **Arguments:**

    - `num_members`: how many members each ensemble has.

    The gradient is 0: the value is piecewise constant.
    State: `2 * num_members + 4` floats. Undefined when: never; an empty histogram is 0. Rows with
    NaN are invalid.
    Source: Hamill, "Interpretation of rank histograms for verifying ensemble forecasts", 2001.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        ranks = eqm.fields.RankHistogram(2)
        samples = jnp.array([[1.0, 3.0], [1.0, 3.0]])
        counts = ranks(samples=samples, targets=jnp.array([2.0, 5.0]))
        assert counts.tolist() == [0.0, 1.0, 1.0]
        ```
    """

    num_members: int = eqx.field(static=True)
    sums: Sums

    def __init__(self, num_members: int):
        if num_members < 1:
            raise ValueError(f"num_members={num_members}: expected at least 1.")
        self.num_members = num_members
        valid = "samples and targets without NaN, weights >= 0 and finite"
        self.sums = Sums(valid, counts=num_members + 1)

    def update(
        self, *, samples: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`samples` is real, of shape `(*rows, members)`; `targets`, `mask` and `weights` have the
        shape of the rows."""
        e = ensemble(samples, targets, None, mask, weights)
        if e.x.shape[1] != self.num_members:
            raise TypeError(
                f"`samples` is {describe(samples)}, with {e.x.shape[1]} members, expected "
                f"{self.num_members}: `eqm.fields.RankHistogram({e.x.shape[1]})` takes these."
            )
        count = lambda yes: jnp.sum(yes, axis=1, keepdims=True, dtype=jnp.int32)
        below, tied = count(e.x < 0), count(e.x == 0)
        rank: Any = jnp.arange(self.num_members + 1, dtype=jnp.int32)[None]
        may = (rank >= below) & (rank <= below + tied)
        share = jnp.where(may, 1 / (tied + 1).astype(jnp.float32), 0)
        batch = e.batch.without(jnp.any(jnp.isnan(e.x), axis=1))
        return self.replace(sums=self.sums.add(batch, counts=share))

    def compute(self) -> Float32[Array, "ranks"]:
        """The weight of the rows of each rank, of shape `(num_members + 1,)`: the first is below
        all members, the last above all."""
        return self.sums.read("counts")
