from typing import final, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Labels, Mask, Weights
from .._metric.metric import Metric
from .._metric.numbers import check_whole
from .._onepass.sums import Sums
from .._reduction.pair import add, divide, lift, multiply, Pair, to_float
from .._reduction.pair_sums import sum_pairs
from .._rows.quotient import over
from .._rows.rows import undefined_as
from ._ratings import ratings_of
from ._table import per


@final
class FleissKappa(Metric):
    r"""Fleiss' kappa, the agreement of several raters beyond chance:
    $(\bar P - P_e) / (1 - P_e)$, where $\bar P$ is the share of the pairs of raters that agree,
    averaged over the rows, and $P_e$ the sum of the squared shares of the categories.

    **Arguments:**

    - `num_classes`: how many categories there are.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The raters may differ from row to row. Rows with fewer than two ratings are left out; if rows
    have different numbers of ratings, each row counts once in $\bar P$, each rating once in $P_e$.
    The gradient is 0: the value is piecewise constant.
    State: `2 * num_classes + 6` floats. Undefined when: no row has two ratings, or all ratings are
    of one category. A row with a category out of range is invalid.
    Source: Fleiss, "Measuring nominal scale agreement among many raters", 1971.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        kappa = eqm.clustering.FleissKappa(2)
        value = kappa(ratings=jnp.array([[0, 0], [0, 1], [1, 1]]))
        assert abs(value - 1 / 3) < 1e-6
        ```
    """

    num_classes: int = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(self, num_classes: int, *, undefined: float | None = None):
        check_whole("num_classes", num_classes)
        self.num_classes = int(num_classes)
        self.undefined = undefined
        valid = f"ratings in [0, {num_classes}), weights >= 0 and finite"
        self.sums = Sums(valid, agreement=(), rows=(), ratings=self.num_classes)

    def update(self, *, ratings: Labels, mask: Mask = None, weights: Weights = None) -> Self:
        """`ratings` have the shape `(*rows, raters)`: a category from each rater. A `mask` of that
        shape removes single ratings, such as missing ones; one of the rows removes rows."""
        r = ratings_of(ratings, self.num_classes, mask, weights)
        place = jnp.arange(self.num_classes, dtype=jnp.int32)
        hits = r.there[:, :, None] & (r.category[:, :, None] == place[None, None, :])
        each = jnp.sum(hits, axis=1, dtype=jnp.int32)
        pairs = jnp.maximum(r.raters * (r.raters - 1), 1).astype(jnp.float32)
        same = jnp.sum(each * (each - 1), axis=1, dtype=jnp.int32).astype(jnp.float32)
        sums = self.sums.add(
            r.batch, agreement=same / pairs, rows=1, ratings=each.astype(jnp.float32)
        )
        return self.replace(sums=sums)

    def compute(self) -> Float32[Array, ""]:
        value, defined = _kappa(*(self.sums.pair(k) for k in ("agreement", "rows", "ratings")))
        return undefined_as(value, ~defined, self.undefined)


@jax.jit
def _kappa(agreement: Pair, rows: Pair, ratings: Pair) -> tuple[Array, Array]:
    # In pairs: observed and expected agreement may be nearly equal, and both nearly 1.
    one = lift(jnp.ones((), jnp.float32))
    some = rows[0] > 0
    shares = per(ratings, jnp.where(some, sum_pairs(ratings), one))
    chance = sum_pairs(multiply(shares, shares))
    seen = divide(agreement, jnp.where(some, rows, one))
    defined = jnp.sum(ratings[0] > 0, dtype=jnp.int32) > 1
    rest = to_float(add(one, -chance))
    return over(to_float(add(seen, -chance)), jnp.where(defined, rest, 1)), defined
