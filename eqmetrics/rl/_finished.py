"""Moments of the returns and lengths of the episodes that have ended."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32

from .._aggregate.joint import is_constant, Joint
from .._aggregate.moments import SQUARE
from .._onepass.moments import add_moments
from .._onepass.operations import max_rows
from .._reduction.extremum import MAX
from .._reduction.pair import add, to_float
from .._reduction.pair_sums import sum_rows
from .._rows.quotient import over, root
from .._rows.rows import Rows, undefined_as
from .._rows.squares import out_of_range
from ._stream import Ended, Episodes, finite


_VARIABLES = 2  # returns and lengths


class Finished(NamedTuple):
    """Moments and ends of the returns and lengths (the two variables) of episodes."""

    weight: Float32[Array, "2"]
    mean: Float32[Array, "2 2"]
    products: Float32[Array, "2 2"]
    ends: Float32[Array, "2 2"]  # the largest values, and of the opposites

    def plus(self, episodes: Episodes) -> "Finished":
        returns, lengths, there = episodes
        batch = Rows(returns, there, None, None)
        columns = jnp.where(there, returns, 0), jnp.where(there, lengths, 0).astype(jnp.float32)
        old = Joint(self.weight, self.mean, self.products)
        new, ends = add_moments(SQUARE, old, self.ends, batch, *columns)
        return Finished(*new, ends)

    def plus_all(self, found: Ended) -> "Finished":
        """These moments with the episodes of an update added. Each environment adds a row, the mean
        of its episodes weighted by their number, and the deviations from this mean."""
        many, first, sums, squares, highest, lowest = found
        there, n = many > 0, many.astype(jnp.float32)
        safe, pivot = jnp.where(there, n, 1)[None], finite(first)
        rest = sums + (first - pivot)
        mean, within = pivot + rest / safe, squares - rest * (rest / safe)
        within = jnp.where((within < 0) & jnp.isfinite(rest), 0, within)
        # Equal values may leave no rounding; the gradient is that of the mean, not of the ends.
        equal = (highest == lowest) & jnp.isfinite(mean)
        rounding = jnp.where(equal, jnp.where(equal, highest, 0) - mean, 0)
        mean, within = mean + lax.stop_gradient(rounding), jnp.where(equal, 0, within)
        mean, within = (jnp.where(there[None], x, 0) for x in (mean, within))

        batch = Rows(mean[0], there, jnp.where(there, n, 0), None)
        none = jnp.full_like(self.ends, -jnp.inf)
        products = add(self.products, jnp.stack([sum_rows(x) for x in within], axis=1))
        old = Joint(self.weight, self.mean, products)
        new, _ = add_moments(SQUARE, old, none, batch, *mean)
        ends = [
            jnp.stack([max_rows(1, False)(old, x, there)[0] for old, x in zip(*both, strict=True)])
            for both in zip(self.ends, (highest, -lowest), strict=True)
        ]
        return Finished(*new, jnp.stack(ends))

    def merged(self, other: "Finished") -> "Finished":
        both = SQUARE.plus(Joint(*self[:3]), Joint(*other[:3]))
        return Finished(*both, *MAX.merge((self.ends,), (other.ends,)))

    def spread(self, i: int, undefined: float | None) -> dict[str, Array]:
        """The mean, standard deviation and ends of one variable."""
        count, squares = to_float(self.weight), to_float(self.products[:, i])
        spread = over(squares, count)
        lost = out_of_range(spread, is_constant(self.ends[:, i], spread))
        values = {
            "mean": to_float(self.mean[:, i]),
            "std": root(jnp.where(lost, jnp.nan, spread)),
            "min": -self.ends[1, i],
            "max": self.ends[0, i],
        }
        return {name: undefined_as(x, count == 0, undefined) for name, x in values.items()}


def no_episodes() -> Finished:
    empty = SQUARE.empty(_VARIABLES)
    return Finished(*empty, jnp.full((2, _VARIABLES), -jnp.inf, jnp.float32))
