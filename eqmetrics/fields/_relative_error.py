from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.metric import Metric
from .._onepass.sums import Sums
from .._rows.pooled import check_per, Per
from .._rows.quotient import over
from .._rows.rows import undefined_as
from ._fields import check_axes, fields


def norms(x: Float32[Array, "rows points"], p: float) -> Float32[Array, "rows"]:
    # Divided by the largest, so that no power leaves the range of float32. Neither the norm nor its
    # gradient depend on it.
    size = x * jnp.sign(x)  # whose gradient at 0 is 0
    top = lax.stop_gradient(jnp.max(size, axis=-1, initial=0))
    parts = size / jnp.where(top == 0, 1, top)[:, None]
    if p == 1:
        return top * jnp.sum(parts, axis=-1)
    # No power of 0, whose gradient may be infinite.
    powers = parts * parts if p == 2 else jnp.where(x == 0, 0, jnp.where(x == 0, 1, parts) ** p)
    total = jnp.sum(powers, axis=-1)
    some = total > 0
    safe = jnp.where(some, total, 1)
    root = jnp.sqrt(safe) if p == 2 else safe ** (1 / p)
    # NaN isn't above 0, and stays.
    return jnp.where(some, top * root, total)


@final
class RelativeError(Metric):
    r"""The norm of the error of a field relative to that of the target,
    $\lVert p - t \rVert / \lVert t \rVert$: the mean over the fields (`per="row"`, the relative
    $L^2$ error of neural operators), or the sum of the norms of the errors over that of the targets
    (`per="pooled"`).

    The two differ: two fields with errors 1 and 1 and targets of norm 1 and 9 have 5/9 by row, and
    2/10 pooled. A field of several channels has one norm, over all of them. No mean is subtracted
    (some codes divide by the deviation of the target), and nothing is added to the denominator
    (others add 1e-8).

    **Arguments:**

    - `axes`: how many of the last axes are a field, with that of channels: 1 for `(rows, points)`,
        3 for `(rows, height, width, channels)`.
    - `p`: the order of the norm $(\sum \lvert x \rvert^p)^{1/p}$, at least 1.
    - `per`: `"row"`, the mean of the values of each field, or `"pooled"`, that of all together.
    - `undefined`: what replaces an undefined value; NaN if not given.

    A field whose target is 0 has no value, and is left out of the mean. The gradient is that of
    the value; 0 where the error is 0.
    State: 6 floats. Undefined when: every target is 0, or no field was seen.
    Source: Li et al., "Fourier neural operator for parametric partial differential equations",
    2021; its code takes the mean over the fields, as here.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        error = eqm.fields.RelativeError(axes=1)
        p, t = jnp.array([[3.0, 5.0], [0.0, 2.0]]), jnp.array([[3.0, 4.0], [0.0, 1.0]])
        assert abs(error(predictions=p, targets=t) - (0.2 + 1) / 2) < 1e-6
        ```
    """

    axes: int = eqx.field(static=True)
    p: float = eqx.field(static=True)
    per: Per = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(
        self,
        axes: int,
        *,
        p: float = 2,
        per: Per = "row",
        undefined: float | None = None,
    ):
        check_per(per)
        check_axes(axes)
        if not 1 <= p < float("inf"):
            raise ValueError(f"p={p}: expected a number of at least 1, and finite.")
        self.axes = axes
        self.p = float(p)
        self.per = per
        self.undefined = undefined
        self.sums = Sums(total=(), weight=())

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` are fields, of shape `(*rows, *grid)`; `mask` has the shape
        of the rows, or of the fields to leave out points; `weights` has that of the rows."""
        view = fields(self.axes, (), mask, weights, predictions=predictions, targets=targets)
        error = norms(view.minus(predictions, targets), self.p)
        size = norms(view.points(jnp.asarray(targets)), self.p)
        if self.per == "pooled":
            return self.replace(sums=self.sums.add(view.batch, total=error, weight=size))
        some = size != 0
        each = jnp.where(some, error / jnp.where(some, size, 1), 0)
        return self.replace(sums=self.sums.add(view.batch, total=each, weight=some))

    def compute(self) -> Float32[Array, ""]:
        total, weight = self.sums.read("total", "weight")
        # Errors beside targets that are all 0 are undefined, not infinite.
        value = over(jnp.where(weight == 0, 0, total), weight)
        return undefined_as(value, weight == 0, self.undefined)
