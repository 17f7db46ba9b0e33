from collections.abc import Sequence
from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._custom_types import Input, Labels, Mask, Weights
from .._metric.messages import describe
from .._metric.metric import Metric
from .._metric.numbers import check_whole
from .._onepass.sums import Sums
from .._reduction.pair import lift, multiply, to_float
from .._reduction.pair_sums import sum_pairs
from .._rows.nearest_quotient import quotient_or
from .._rows.quotient import over
from .._rows.rows import flat, narrow, rows, undefined_as


def _check_sizes(sizes: Sequence[int] | None, num_classes: int) -> tuple[int, ...]:
    if sizes is None:
        return tuple(range(num_classes + 1))
    found = tuple(sizes)
    whole = all(isinstance(x, int) for x in found)
    if not found or not whole or found[0] != 0 or sorted(set(found)) != list(found):
        raise ValueError(
            f"sizes={sizes!r}: expected the smallest set of each group of sizes, increasing "
            "whole numbers from 0 on: (0, 1, 2, 4, 11)."
        )
    return found


@final
class ConformalCoverage(Metric):
    """How often a predicted set of classes contains the true one, how large the sets are, and how
    many are empty; also the coverage by class and by size of the set.

    An empty set counts as a set of size 0. Such sets make the mean size look good, so their share
    is given beside it. Coverage over all rows may hide that some kinds of rows are covered less:
    `per_class` is the coverage of the rows of each class, `per_size` that of the sets of each group
    of sizes. `worst_size` is the smallest entry of `per_size`: the size-stratified coverage (SSC),
    as in MAPIE. RAPS takes the largest distance from the level instead.

    **Arguments:**

    - `num_classes`: the size of the last axis of `predicted_sets`.
    - `sizes`: the smallest size of each group of sets, from 0 on, as `(0, 1, 2, 4, 11)`; each
        size is a group if not given. Groups with few rows make `worst_size` noisy.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: `8 * num_classes + 6` floats. Undefined when: no row was seen; for a class or a group, if
    it has no row. Rows with a label outside `[0, num_classes)` are invalid.
    Source: Angelopoulos and Bates, "A gentle introduction to conformal prediction and
    distribution-free uncertainty quantification", 2021, section 3.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        coverage = eqm.uncertainty.ConformalCoverage(3)
        sets = jnp.array([[True, False, False], [True, True, False], [False, False, False]])
        value = coverage(predicted_sets=sets, labels=jnp.array([0, 2, 1]))
        assert abs(value["coverage"] - 1 / 3) < 1e-6 and value["size"] == 1.0
        ```
    """

    num_classes: int = eqx.field(static=True)
    sizes: tuple[int, ...] = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums  # `cells`: of each class, then of each size, the rows not covered and covered

    def __init__(
        self,
        num_classes: int,
        *,
        sizes: Sequence[int] | None = None,
        undefined: float | None = None,
    ):
        check_whole("num_classes", num_classes)
        self.num_classes = num_classes
        self.sizes = _check_sizes(sizes, num_classes)
        self.undefined = undefined
        valid = f"labels in [0, {num_classes}), weights >= 0 and finite"
        self.sums = Sums(valid, cells=2 * (2 * num_classes + 1))

    def update(
        self,
        *,
        predicted_sets: Bool[Input, "..."],
        labels: Labels,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`predicted_sets` are booleans of shape `(*rows, num_classes)`; `labels`, `mask` and
        `weights` have the shape of the rows."""
        s, y = jnp.asarray(predicted_sets), jnp.asarray(labels)
        if s.shape != (*y.shape, self.num_classes):
            raise TypeError(
                f"`predicted_sets` is {describe(s)} and `labels` is {describe(y)}: expected the "
                f"shape {(*y.shape, self.num_classes)}, whether each of the {self.num_classes} "
                "classes is in the set of each row."
            )
        batch = rows(narrow(y), mask, weights, name="labels")
        label, sets = batch.values, flat(s, s.shape[-1:])
        known = (label >= 0) & (label < self.num_classes)
        label = jnp.where(known, label, 0)
        covered = jnp.take_along_axis(sets, label[:, None], axis=1)[:, 0].astype(jnp.int32)
        size = jnp.sum(sets, axis=1, dtype=jnp.int32) + self.num_classes
        index = 2 * jnp.stack([label, size], axis=1) + covered[:, None]
        one = jnp.ones(index.shape, bool)
        return self.replace(sums=self.sums.add_at(batch.without(~known), "cells", index, one))

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """A dict of scalars, `coverage`, `size` (the mean), `empty` (the share) and `worst_size`;
        and of `per_class`, of shape `(num_classes,)`, and `per_size`, of shape `(len(sizes),)`."""
        cells = self.sums.pair("cells").reshape(2, -1, 2)
        by_class, by_size = cells[:, : self.num_classes], cells[:, self.num_classes :]
        missed, covered = jnp.moveaxis(sum_pairs(by_class), -1, 0)
        each = sum_pairs(jnp.moveaxis(by_size, -1, 1))  # the weight of the sets of each size
        size = jnp.arange(self.num_classes + 1, dtype=jnp.int32).astype(jnp.float32)
        total = to_float(missed) + to_float(covered)
        share = lambda x: quotient_or(x, total, self.undefined)
        per_class, _ = self._coverage(to_float(by_class))
        ends = (*self.sizes[1:], self.num_classes + 1)
        groups = [sum_pairs(by_size[:, i:j]) for i, j in zip(self.sizes, ends, strict=True)]
        per_size, some = self._coverage(to_float(jnp.stack(groups, axis=1)))
        worst = jnp.min(jnp.where(some, per_size, jnp.inf))
        return {
            "coverage": share(to_float(covered)),
            "size": share(to_float(sum_pairs(multiply(each, lift(size))))),
            "empty": share(to_float(each[:, 0])),
            "worst_size": undefined_as(worst, ~jnp.any(some), self.undefined),
            "per_class": per_class,
            "per_size": per_size,
        }

    def _coverage(self, cells: Float32[Array, "groups 2"]) -> tuple[Array, Array]:
        """The coverage of each group, and whether it has rows."""
        total = cells[:, 0] + cells[:, 1]
        value = over(cells[:, 1], total)
        return undefined_as(value, total == 0, self.undefined), total > 0
