"""The scatter of the vectors that rows add: the sums of products of their deviations from the
mean."""

from typing import NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from .._aggregate.covariance import CROSS
from .._collection.states import opened
from .._metric.field import state
from .._metric.metric import Metric
from .._metric.node import rebuild
from .._onepass.moments import fold_with
from .._reduction.pair import add, lift, Pair, to_float
from .._rows.quotient import over
from .influence import Parts


class Scatter(Metric):
    """The weight of the rows, the mean of the vectors that they add, and the sums of products of
    the deviations from it."""

    weight: Float32[Array, "2"] = state(reduce=CROSS)
    mean: Float32[Array, "2 cells"] = state(reduce=CROSS)
    products: Float32[Array, "2 products"] = state(reduce=CROSS)

    def __init__(self, cells: int):
        self.weight, self.mean, self.products = CROSS.empty(cells)

    def update(
        self,
        high: Float32[Array, "cells rows"],
        low: Float32[Array, "cells rows"],
        weights: Float32[Array, "rows"] | None,
    ) -> Self:
        """Adds rows, each once or with its weight; a row of weight 0 may contain anything."""
        w = None if weights is None else weights[None]
        often = lambda x: x if w is None else jnp.where(w > 0, x * w, 0)
        count = jnp.float32(high.shape[1]) if w is None else jnp.sum(w)
        # A constant for `grad`, since no value depends on its choice.
        mean = jax.lax.stop_gradient(over(jnp.sum(often(high), axis=1), count))
        pivot = jnp.where(jnp.isfinite(mean), mean, 0)
        d = (high - pivot[:, None]) + low
        d = d if w is None else jnp.where(w > 0, d, 0)
        weighted = often(d)
        # Floats suffice for a batch: weighted products aren't more accurate.
        matrix = jnp.matmul(weighted, d.T, precision="highest")
        n, first = lift(count), lift(jnp.sum(weighted, axis=1))
        both = jnp.concatenate([first, lift(matrix[CROSS.factors(len(d))])], axis=1)
        old = self.weight, self.mean, self.products
        new = fold_with(CROSS, False)(*old, n, lift(pivot), both)
        return self.replace(weight=new[0], mean=new[1], products=new[2])

    def matrix(self) -> Float32[Array, "cells cells"]:
        cells = self.mean.shape[1]
        i, j = CROSS.factors(cells)
        x = to_float(self.products)
        return jnp.zeros((cells, cells), jnp.float32).at[i, j].set(x).at[j, i].set(x)

    def compute(self) -> Float32[Array, "cells cells"]:
        """The sums of products of deviations, of shape `(cells, cells)`."""
        return self.matrix()


class Block(NamedTuple):
    """The position of moments in the vector that a row adds: the first cell, the numbers of
    variables and columns, and the factors of each product."""

    start: int
    variables: int
    columns: int
    left: tuple[int, ...]
    right: tuple[int, ...]


def blocks_of(parts: Parts, metric: Metric) -> tuple[Block, ...]:
    leaves, start, blocks = jax.tree.leaves(opened(metric)), 0, []
    for leaf, _, pairs in parts.sums:
        start += leaves[leaf].size // (2 if pairs else 1)
    for moments in parts.moments:
        mean = leaves[moments.leaves[1]][moments.place][0]
        i, j = moments.reduction.factors(len(mean))
        columns = mean.size // len(mean)
        blocks.append(Block(start, len(mean), columns, tuple(map(int, i)), tuple(map(int, j))))
        start += 1 + (len(mean) + len(i)) * columns
    return tuple(blocks)


def _places(block: Block) -> tuple[np.ndarray, np.ndarray]:
    """The positions of the deviations, `(variables, columns)`, and of the products,
    `(products, columns)`."""
    first = block.start + 1 + np.arange(block.variables * block.columns)
    products = len(block.left) * block.columns
    second = first[-1] + 1 + np.arange(products)
    return first.reshape(block.variables, -1), second.reshape(len(block.left), -1)


def _change(blocks: tuple[Block, ...], by: Float32[Array, "variables"], cells: int) -> Array:
    """The matrix that, added to the identity, turns the vectors that rows add about a centre into
    those about `centre + by`: `n d` becomes `n (d - b)`, and `n d d'` becomes
    `n (d - b) (d - b)'`."""
    matrix, start = jnp.zeros((cells, cells), jnp.float32), 0
    for block in blocks:
        first, second = _places(block)
        b = by[start : start + first.size].reshape(first.shape)
        start += first.size
        i, j = np.array(block.left), np.array(block.right)
        matrix = matrix.at[first, block.start].add(-b)
        matrix = matrix.at[second, first[j]].add(-b[i]).at[second, first[i]].add(-b[j])
        matrix = matrix.at[second, block.start].add(b[i] * b[j])
    return matrix


class CentredScatter(Metric):
    """A `Scatter` of rows that add moments. These are about a centre, which merging moves."""

    blocks: tuple[Block, ...] = eqx.field(static=True)
    scatter: Scatter
    centre: Float32[Array, "2 variables"] = state()

    def __init__(self, cells: int, blocks: tuple[Block, ...]):
        self.blocks = blocks
        size = sum(block.variables * block.columns for block in blocks)
        self.centre = jnp.zeros((2, size), jnp.float32)
        self.scatter = Scatter(cells)

    def update(
        self,
        centre: Float32[Array, "2 variables"],
        high: Float32[Array, "cells rows"],
        low: Float32[Array, "cells rows"],
        weights: Float32[Array, "rows"] | None,
    ) -> Self:
        """Adds rows, whose moments are about another centre."""
        empty = self.reset()
        new = {"centre": centre, "scatter": empty.scatter.update(high, low, weights)}
        return self.merge(rebuild(empty, new))

    def merge(self, other: Self) -> Self:
        (a, sums), (b, others) = self._rows(), other._rows()
        delta = to_float(add(other.centre, -self.centre))
        # The offset from the centre of this side, if it has one, to the mean of both.
        some = a > 0
        offset = over(jnp.where(some, sums, 0) + jnp.where(b > 0, others + b * delta, 0), a + b)
        target = add(self.centre, lift(offset))
        alone = add(other.centre, lift(over(others, b)))
        target = jnp.where(some, target, jnp.where(b > 0, alone, 0))
        merged = self._about(target).merge(other._about(target))
        return rebuild(self, {"centre": target, "scatter": merged})

    def _rows(self) -> tuple[Array, Array]:
        """The weight of the rows and the sum of the deviations, for each variable."""
        weight, mean = to_float(self.scatter.weight), to_float(self.scatter.mean)
        counts, sums = [], []
        for block in self.blocks:
            first, _ = _places(block)
            counts.append(jnp.broadcast_to(mean[block.start], (first.size,)))
            sums.append(mean[first.ravel()])
        return weight * jnp.concatenate(counts), weight * jnp.concatenate(sums)

    def _about(self, centre: Pair) -> Scatter:
        """The scatter about another centre."""
        old = self.scatter
        cells = old.mean.shape[1]
        by = to_float(add(centre, -self.centre))
        change = _change(self.blocks, jnp.where(to_float(old.weight) > 0, by, 0), cells)
        dot = lambda x, y: jnp.matmul(x, y, precision="highest")
        half = dot(change, old.matrix())
        more = half + half.T + dot(half, change.T)
        products = add(old.products, lift(more[CROSS.factors(cells)]))
        mean = add(old.mean, lift(dot(change, to_float(old.mean))))
        return rebuild(old, {"mean": mean, "products": products})

    def matrix(self, centre: Pair) -> Float32[Array, "cells cells"]:
        return self._about(centre).matrix()

    def compute(self) -> Float32[Array, "cells cells"]:
        """The sums of products of deviations, of shape `(cells, cells)`, about the centre."""
        return self.scatter.matrix()
