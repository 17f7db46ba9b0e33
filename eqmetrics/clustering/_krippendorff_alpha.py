from collections.abc import Sequence
from typing import final, get_args, Literal, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from .._custom_types import Labels, Mask, Weights
from .._metric.numbers import check_whole
from .._metric.readout import AbstractReadout, AbstractStatistic
from .._onepass.sums import Sums
from .._reduction.pair import add, lift, multiply, Pair, power_of, to_float
from .._reduction.pair_sums import sum_pairs
from .._rows.quotient import over
from .._rows.rows import undefined_as
from ._ratings import ratings_of


Level = Literal["nominal", "ordinal", "interval"]


@final
class Coincidences(AbstractStatistic):
    """How often two categories were given to the same row, over all pairs of its ratings: the
    statistic that [`eqmetrics.clustering.KrippendorffAlpha`][] reads.

    A row of $m$ ratings has $m (m - 1)$ ordered pairs, each of weight $1 / (m - 1)$: $m$ in all.

    **Arguments:**

    - `num_classes`: how many categories there are.

    The gradient is 0: the value is piecewise constant.
    State: `2 * num_classes**2 + 2` floats. Undefined when: never. A row with a category out of
    range is invalid.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        matrix = eqm.clustering.Coincidences(2)(ratings=jnp.array([[0, 0], [0, 1]]))
        assert matrix.tolist() == [[2, 1], [1, 0]]
        ```
    """

    num_classes: int = eqx.field(static=True)
    sums: Sums

    def __init__(self, num_classes: int):
        check_whole("num_classes", num_classes)
        self.num_classes = int(num_classes)
        valid = f"ratings in [0, {num_classes}), weights >= 0 and finite"
        self.sums = Sums(valid, cells=(self.num_classes, self.num_classes))

    def update(self, *, ratings: Labels, mask: Mask = None, weights: Weights = None) -> Self:
        """`ratings` have the shape `(*rows, raters)`: a category from each rater. A `mask` of that
        shape removes single ratings, such as missing ones; one of the rows removes rows."""
        r = ratings_of(ratings, self.num_classes, mask, weights)
        first, second = np.triu_indices(r.there.shape[1], 1)
        index = r.category[:, first] * jnp.int32(self.num_classes) + r.category[:, second]
        each = 1 / jnp.maximum(r.raters - 1, 1).astype(jnp.float32)
        both = r.there[:, first] & r.there[:, second]
        values = jnp.where(both, each[:, None], 0)
        return self.replace(sums=self.sums.add_at(r.batch, "cells", index, values))

    def pairs(self) -> Pair:
        """The matrix, with each pair in both orders."""
        cells = self.sums.pair("cells")
        return add(cells, jnp.swapaxes(cells, 1, 2))

    def compute(self) -> Float32[Array, "classes classes"]:
        """The matrix, symmetric, of shape `(num_classes, num_classes)`."""
        return to_float(self.pairs())


@final
class KrippendorffAlpha(AbstractReadout):
    r"""Krippendorff's alpha, the agreement of any number of raters beyond chance: $1 - D_o / D_e$,
    where $D_o$ is the mean squared difference of two ratings of a row and $D_e$ that of any two
    ratings.

    **Arguments:**

    - `num_classes`: how many categories there are.
    - `level`: how the difference of two categories is defined: `"nominal"`, 1 if they differ;
        `"ordinal"`, the number of ratings between them, plus half of those of both; `"interval"`,
        the difference of their numbers.
    - `values`: the number of each category, for `"interval"`; 0, 1, 2, ... if not given.
    - `undefined`: what replaces an undefined value; NaN if not given.

    Ratings may be missing; rows with fewer than two are left out. A weight repeats a row: the scale
    of the weights matters slightly. The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.clustering.Coincidences`][], shared. Undefined when: no row has two
    ratings, or all ratings are of one category (or number).
    Source: Krippendorff, Content Analysis, 2004, chapter 11.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        alpha = eqm.clustering.KrippendorffAlpha(2)
        value = alpha(ratings=jnp.array([[0, 0], [0, 1], [1, 1]]))
        assert abs(value - (1 - 5 * 2 / (2 * 3 * 3))) < 1e-6
        ```
    """

    level: Level = eqx.field(static=True)
    values: tuple[float, ...] = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: Coincidences

    def __init__(
        self,
        num_classes: int,
        *,
        level: Level = "nominal",
        values: Sequence[float] | None = None,
        undefined: float | None = None,
    ):
        if level not in get_args(Level):
            raise ValueError(f"level={level!r}: expected one of {get_args(Level)}.")
        if values is not None and (level != "interval" or len(values) != num_classes):
            raise ValueError(
                f'`values` are the numbers of {num_classes} categories, for level="interval"; '
                f"got {len(values)} for {level!r}."
            )
        self.level = level
        self.values = tuple(float(x) for x in (range(num_classes) if values is None else values))
        self.undefined = undefined
        self.statistic = Coincidences(num_classes)

    def compute(self) -> Float32[Array, ""]:
        value, defined = _alpha(self)
        return undefined_as(value, ~defined, self.undefined)


@jax.jit
def _alpha(metric: KrippendorffAlpha) -> tuple[Array, Array]:
    cells = metric.statistic.pairs()
    # Times a power of 2, so that products of weights stay in the range of a float.
    unit = jax.lax.stop_gradient(power_of(sum_pairs(cells.reshape(2, -1))))
    cells = cells * unit
    of_each = sum_pairs(cells)
    apart = _differences(metric, of_each)
    any_two = multiply(*jnp.broadcast_arrays(of_each[:, :, None], of_each[:, None, :]))
    seen, expected = (_total(multiply(x, apart)) for x in (cells, any_two))
    rest = add(sum_pairs(of_each), -lift(unit))
    below = to_float(expected)
    defined = below > 0
    above = to_float(add(expected, -multiply(seen, rest)))
    return over(above, jnp.where(defined, below, 1)), defined


def _total(x: Pair) -> Pair:
    return sum_pairs(x.reshape(2, -1))


def _differences(metric: KrippendorffAlpha, of_each: Pair) -> Float32[Array, "2 classes classes"]:
    """The squared difference of every two categories."""
    size = len(metric.values)
    if metric.level == "nominal":
        return lift(jnp.asarray(1 - np.eye(size, dtype=np.float32)))
    if metric.level == "interval":
        x = np.asarray(metric.values)
        squares = (x[:, None] - x[None, :]) ** 2
        most = np.max(squares, initial=0.0)
        # Scaled to at most 1, which changes no quotient.
        return lift(jnp.asarray((squares / (most if most > 0 else 1)).astype(np.float32)))
    before = jnp.asarray(np.tril(np.ones((size, size), np.float32)) - 0.5 * np.eye(size))
    before = lift(before.astype(jnp.float32))
    middle = sum_pairs(multiply(*jnp.broadcast_arrays(of_each[:, :, None], _transposed(before))))
    d = add(*jnp.broadcast_arrays(middle[:, :, None], -middle[:, None, :]))
    return multiply(d, d)


def _transposed(x: Pair) -> Pair:
    return jnp.swapaxes(x, 1, 2)
