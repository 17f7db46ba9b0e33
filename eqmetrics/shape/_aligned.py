from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._rows.pooled import AbstractPooled, Per
from .._rows.quotient import over, root
from .._rows.row_mean import AbstractRowMean
from ._align import Align, aligned, check_align, unit
from ._points import points


@final
class RMSD(AbstractRowMean):
    r"""The root-mean-square distance of the points of a shape to those of its target, after they
    are aligned, $\min \sqrt{\frac{1}{n} \sum_i \lVert R p_i + b - t_i \rVert^2}$, as a mean over
    the shapes.

    **Arguments:**

    - `align`: `"rigid"`: over rotations and translations (Kabsch; no reflections); `"similarity"`:
        over scales too; `"translation"`; or `"none"`.
    - `undefined`: what replaces an undefined value; NaN if not given.

    NaN in a coordinate propagates. The gradient is that of the value; 0 where it is 0.
    State: 6 floats. Undefined when: no shape has a point.
    Source: Kabsch, "A solution for the best rotation to relate two sets of vectors", 1976; Umeyama,
    "Least-squares estimation of transformation parameters between two point patterns", 1991.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        t = jnp.array([[[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]]])
        turned = jnp.stack([-t[..., 1], t[..., 0]], axis=-1) + 5
        assert eqm.shape.RMSD()(predictions=turned, targets=t) < 1e-6
        ```
    """

    align: Align = eqx.field(static=True)

    def __init__(self, *, align: Align = "rigid", undefined: float | None = None):
        check_align(align)
        self.align = align
        AbstractRowMean.__init__(self, undefined=undefined)

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` are coordinates, of shape `(*rows, points, axes)`; `weights`
        has the shape of the rows, `mask` too, or `(*rows, points)`."""
        view = points(predictions, targets, mask, weights)
        p, t = aligned(view, self.align)
        error, size = unit(view.only(p - t))
        count = view.size()
        mean = jnp.sum(error * error, axis=(1, 2)) / jnp.maximum(count, 1)
        return self.plus(view.batch, root(mean) * size[:, 0, 0], count > 0)


@final
class MPJPE(AbstractPooled):
    r"""The mean distance of joints, or other points, to their targets, $\frac{1}{n} \sum_i \lVert
    p_i - t_i \rVert$: computed for each row, then averaged over the rows (`per="row"`), or for all
    points together (`per="pooled"`). A row is one pose.

    With `align="similarity"` it is PA-MPJPE, of poses aligned by Procrustes analysis. Make poses
    relative to a joint yourself: `p - p[..., root : root + 1, :]`.

    **Arguments:**

    - `align`: `"none"`, `"translation"`, `"rigid"` or `"similarity"`: how each pose is first
        aligned with its target, so that the sum of squared distances is least.
    - `per`: `"row"` or `"pooled"`.
    - `undefined`: what replaces an undefined value; NaN if not given.

    NaN in a coordinate propagates. The gradient is that of the value; 0 where a distance is 0.
    State: 6 floats. Undefined when: no point was seen.
    Source: Ionescu et al., "Human3.6M", 2014.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        t = jnp.array([[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]])
        assert eqm.shape.MPJPE()(predictions=t.at[0, 0, 2].add(3), targets=t) == 1
        aligned = eqm.shape.MPJPE(align="similarity")
        assert aligned(predictions=3 * t + 5, targets=t) < 1e-5
        ```
    """

    align: Align = eqx.field(static=True)

    def __init__(self, *, align: Align = "none", per: Per = "row", undefined: float | None = None):
        check_align(align)
        self.align = align
        AbstractPooled.__init__(self, "weights >= 0 and finite", per, undefined)

    def of_mean(self, mean: Float32[Array, "..."]) -> Float32[Array, "..."]:
        return mean

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` are coordinates, of shape `(*rows, points, axes)`; `weights`
        has the shape of the rows, `mask` too, or `(*rows, points)`."""
        view = points(predictions, targets, mask, weights)
        p, t = aligned(view, self.align)
        error = view.only(p - t)
        return self.plus(view.batch, root(jnp.sum(error * error, axis=2)), view.keep)


@final
class ProcrustesDisparity(AbstractRowMean):
    r"""The difference that is left between two shapes after one is translated, scaled and rotated
    (or reflected) to fit the other: $\min \sum_i \lVert s R p_i + b - t_i \rVert^2 / \sum_i \lVert
    t_i - \bar t \rVert^2$, from 0 to 1, as a mean over the shapes.

    It is scipy's `procrustes`, summed from the differences. Computed as 1 minus a square, it would
    have no digits below $10^{-7}$.

    **Arguments:**

    - `undefined`: what replaces an undefined value; NaN if not given.

    A prediction whose points coincide has the value 1. A target whose points coincide has no value,
    and is left out. NaN in a coordinate propagates. The gradient is that of the value.
    State: 6 floats. Undefined when: no shape was seen, or the points of each target coincide.
    Source: Gower, "Generalized Procrustes analysis", 1975.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        t = jnp.array([[[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]]])
        assert eqm.shape.ProcrustesDisparity()(predictions=2 * t + 1, targets=t) < 1e-12
        ```
    """

    def __init__(self, *, undefined: float | None = None):
        AbstractRowMean.__init__(self, undefined=undefined)

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` are coordinates, of shape `(*rows, points, axes)`; `weights`
        has the shape of the rows, `mask` too, or `(*rows, points)`."""
        view = points(predictions, targets, mask, weights)
        p, t = aligned(view, "similarity", reflect=True)
        t, size = unit(t)
        error = view.only(p / size - t)
        whole = jnp.sum(t * t, axis=(1, 2))
        value = over(jnp.sum(error * error, axis=(1, 2)), whole)
        return self.plus(view.batch, value, whole != 0)
