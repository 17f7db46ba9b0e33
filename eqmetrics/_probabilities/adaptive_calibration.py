from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int32

from .._curves.score_cells import bit_index, keys_of
from .._decisions.task import AbstractTask, Multiclass
from .._metric.numbers import check_whole
from .._metric.readout import AbstractReadout
from .._onepass.sums import Sums
from .._reduction.pair import add, inlined, to_float
from .._rows.cells import cumulated
from .._rows.quotient import over
from .calibration_bins import AbstractConfidenceSums
from .calibration_error import averaged, check_norm, Norm, norm_of
from .proper_scores import check_label_average, LabelAverage


@final
class ConfidenceHistogram(AbstractConfidenceSums):
    r"""The weight of the rows whose confidence lies in each of many cells, their confidences and
    how many of them were right: the statistic that [`eqmetrics.AdaptiveCalibrationError`][] reads.

    The cells are the leading bits of the confidence $p$, and of $1 - p$ from 0.5 on: as fine near 1
    as near 0, where confidences gather. With a resolution $r$ there are $2^{r - 7}$ cells from a
    confidence to twice that.

    **Arguments:**

    - `task`, `per_class`: as for [`eqmetrics.CalibrationBins`][].
    - `resolution`: $r$, from 9 to 20; if not given, 14 for a single problem, or 11 for labels or
        classes apart.

    State: `6 * 2**resolution` floats (384 KiB, or 48 KiB for each label or class apart), and 2 for
    the invalid rows. Undefined when: never; empty sums are 0.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        cells = eqm.ConfidenceHistogram(eqm.Binary())
        sums = cells(probabilities=jnp.array([0.0, 0.5, 1.0]), labels=jnp.array([0, 0, 1]))
        assert sums["weight"].sum() == 3 and sums["right"].sum() == 1
        ```
    """

    task: AbstractTask = eqx.field(static=True)
    resolution: int = eqx.field(static=True)
    sums: Sums

    def __init__(
        self, task: AbstractTask, *, resolution: int | None = None, per_class: bool = False
    ):
        if per_class and not isinstance(task, Multiclass):
            raise ValueError("`per_class` is for multiclass tasks: others are so already.")
        self.task = task
        self.per_class = per_class
        if resolution is None:
            resolution = 11 if self.apart else 14
        if not isinstance(resolution, int) or not 9 <= resolution <= 20:
            raise ValueError(f"resolution={resolution!r}: expected a whole number from 9 to 20.")
        self.resolution = resolution
        self.sums = self.empty_sums(2**resolution)

    @staticmethod
    def cell_of(p: Float32[Array, "rows problems"], cells: int) -> Int32[Array, "rows problems"]:
        # The softmax may round to more than 1.
        return bit_index(keys_of(jnp.clip(p, 0, 1)), False, cells)


def _at(total: Array, sums: Array, wanted: Array) -> Array:
    """The sum of one problem over the rows up to a weight of `wanted`: linear within a cell."""
    cell = jnp.clip(jnp.searchsorted(total, wanted) - 1, 0, total.shape[0] - 2)
    inside = total[cell + 1] - total[cell]
    share = jnp.where(inside > 0, over(wanted - total[cell], inside), 0)
    return sums[cell] + jnp.clip(share, 0, 1) * (sums[cell + 1] - sums[cell])


@inlined
def _gaps(cells: Float32[Array, "2 3 problems cells"], edges: Float32[Array, "edges"]):
    """The mean of right less confidence in each bin, and the weight of all rows."""
    weight = to_float(cumulated(cells[:, 0]))
    gap = to_float(cumulated(add(cells[:, 2], -cells[:, 1])))
    total = weight[:, -1:]
    sums = jax.vmap(_at)(weight, gap, edges[None] * total)
    width = edges[1:] - edges[:-1]
    return over(sums[:, 1:] - sums[:, :-1], total * width[None]), total[:, 0]


@final
class AdaptiveCalibrationError(AbstractReadout):
    r"""How far confidence is from accuracy, over bins of equal mass: each bin has as many rows as
    any other.

    With $\Delta_b$ the accuracy less the mean confidence in bin $b$ of $B$, of rows in the order of
    their confidence: `"l1"` is $\frac1B \sum_b |\Delta_b|$, `"l2"`
    $\sqrt{\frac1B \sum_b \Delta_b^2}$ and `"max"` $\max_b |\Delta_b|$.

    It is read from the cells of an [`eqmetrics.ConfidenceHistogram`][]. Where the edge of a bin
    falls into a cell, the rows of the cell are split between the bins by weight, with the means of
    the cell. So are tied rows, whose order means nothing.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][], of which the highest
        probability is the confidence, or [`eqmetrics.Multilabel`][].
    - `norm`: `"l1"`, `"l2"` or `"max"`.
    - `bins`: how many bins there are.
    - `per_class`: for a multiclass task, take each class against all others instead: the adaptive
        error of the paper.
    - `average`: for a multilabel task, and per class, `"macro"`, the mean over the labels or
        classes where it is defined, or `None`, for each. An ignored class is skipped.
    - `resolution`: that of the [`eqmetrics.ConfidenceHistogram`][].
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.ConfidenceHistogram`][], shared.
    Undefined when: no row was seen.
    Source: Nixon et al., "Measuring calibration in deep learning", 2019.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        error = eqm.AdaptiveCalibrationError(eqm.Binary(), bins=2)
        p = jnp.array([0.5, 0.75, 0.875, 1.0])
        assert error(probabilities=p, labels=jnp.array([0, 1, 1, 1])) == (0.125 + 0.0625) / 2
        ```
    """

    task: AbstractTask = eqx.field(static=True)
    norm: Norm = eqx.field(static=True)
    bins: int = eqx.field(static=True)
    average: LabelAverage = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: ConfidenceHistogram

    def __init__(
        self,
        task: AbstractTask,
        *,
        norm: Norm = "l1",
        bins: int = 15,
        per_class: bool = False,
        average: LabelAverage = "macro",
        resolution: int | None = None,
        undefined: float | None = None,
    ):
        check_norm(norm)
        check_label_average(average)
        check_whole("bins", bins, 1)
        self.task = task
        self.norm = norm
        self.bins = bins
        self.average = average
        self.undefined = undefined
        self.statistic = ConfidenceHistogram(task, resolution=resolution, per_class=per_class)

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; if `average` is `None`, of shape `(labels,)` for a multilabel task, and
        `(classes,)` per class."""
        edges = jnp.asarray(np.arange(self.bins + 1) / self.bins, jnp.float32)
        gaps, total = _gaps(self.statistic.sums.pair("cells"), edges)
        shares = jnp.full_like(gaps, 1 / self.bins)
        values = norm_of(jnp.abs(gaps), shares, self.norm)
        apart = self.task if self.statistic.apart else None
        return averaged(values, total > 0, apart, self.average, self.undefined)
