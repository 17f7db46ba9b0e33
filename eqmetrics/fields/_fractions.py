from collections.abc import Sequence
from typing import Any, final, Self

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.metric import Metric
from .._onepass.sums import Sums
from .._reduction.pair import reaches
from .._rows.nearest_quotient import quotient
from .._rows.rows import undefined_as
from ._fields import fields


def _fractions(events: Float32[Array, "rows height width"], window: int) -> Array:
    """The share of the points of the window around each point that have the event; there is none
    outside the grid."""
    half = window // 2
    around = ((0, 0), (half, half), (half, half))
    one, zero = (1, 1, 1), jnp.zeros((), jnp.float32)
    # Exact counts in floats: along one axis, and then the other.
    across = lax.reduce_window(
        events, zero, lax.add, (1, 1, window), one, (around[0], around[0], around[2])
    )
    counts = lax.reduce_window(
        across, zero, lax.add, (1, window, 1), one, (around[0], around[1], around[0])
    )
    return counts / window**2


@final
class FractionsSkillScore(Metric):
    r"""Whether an event, a value of at least `threshold`, is predicted near where it happens:
    $1 - \sum (P - O)^2 / \sum (P^2 + O^2)$, where $P$ and $O$ are the predicted and observed shares
    of the points with the event in a window around each point. 1 is perfect, 0 means that no window
    has both.

    The sums are over all points and fields, and their quotient comes last, as in Roberts and Lean.
    It isn't a mean of the scores of each field. Windows reach over the edge of the grid, where
    there is no event (as in pysteps and scipy's `uniform_filter(mode="constant")`; the package
    `scores` leaves these windows out by default).

    **Arguments:**

    - `threshold`: values of at least this are the event.
    - `windows`: the sides of the windows, odd numbers of points.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: `4 * len(windows) + 2` floats. Undefined when: the event was neither predicted nor
    observed. Fields with NaN are invalid.
    Source: Roberts and Lean, "Scale-selective verification of rainfall accumulations from
    high-resolution forecasts of convective events", 2008.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        score = eqm.fields.FractionsSkillScore(threshold=0.5, windows=(1, 3))
        p, t = jnp.zeros((2, 1, 4, 4)).at[0, 0, 1, 1].set(1.0).at[1, 0, 1, 2].set(1.0)
        value = score(predictions=p, targets=t)
        assert value[0] == 0 and abs(value[1] - 2 / 3) < 1e-6
        ```
    """

    threshold: float = eqx.field(static=True)
    windows: tuple[int, ...] = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(
        self,
        threshold: float,
        windows: Sequence[int],
        *,
        undefined: float | None = None,
    ):
        if threshold != threshold:
            raise ValueError(f"threshold={threshold}: expected a number.")
        if len(windows) == 0 or not all(n >= 1 and n % 2 == 1 for n in windows):
            raise ValueError(f"windows={windows}: expected odd numbers of points, at least one.")
        self.threshold = float(threshold)
        self.windows = tuple(int(n) for n in windows)
        self.undefined = undefined
        valid = "predictions and targets without NaN, weights >= 0 and finite"
        self.sums = Sums(valid, apart=len(self.windows), whole=len(self.windows))

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` are fields, of shape `(*rows, height, width)`; `mask` has the
        shape of the rows, or of the fields: a point that is left out has no event in either.
        `weights` has the shape of the rows."""
        view = fields(2, (), mask, weights, predictions=predictions, targets=targets)
        grid = predictions.shape[predictions.ndim - 2 :]  # pyright: ignore
        batch = view.batch
        events = []
        for x in (predictions, targets):
            x: Any = jnp.asarray(x)
            nan = jnp.isnan(view.points(x))
            batch = batch.without(jnp.any(nan, axis=1))
            yes = view.points(reaches(x, self.threshold))
            events.append(yes.reshape(yes.shape[0], *grid))
        p, t = (jnp.stack([_fractions(x, n) for n in self.windows], axis=1) for x in events)
        apart, whole = jnp.sum((p - t) ** 2, axis=(2, 3)), jnp.sum(p**2 + t**2, axis=(2, 3))
        return self.replace(sums=self.sums.add(batch, apart=apart, whole=whole))

    def compute(self) -> Float32[Array, "windows"]:
        """The score of each window, of shape `(len(windows),)`."""
        apart, whole = self.sums.read("apart", "whole")
        return undefined_as(1 - quotient(apart, whole), whole == 0, self.undefined)
