from typing import Any, final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.field import constant
from .._metric.metric import Metric
from .._onepass.sums import Sums
from .._rows.quotient import over, root
from .._rows.rows import trailing, undefined_as
from .._rows.squares import nan_if_lost, square
from ._fields import area_of, with_area


@final
class WeightedRMSE(Metric):
    r"""The root of the mean squared error of fields whose points count by their area:
    $\sqrt{\sum_i w_i \sum_s a_s (p_{is} - t_{is})^2 / \sum_i w_i \sum_s a_s}$.

    It is the root of the mean over time and space, as in WeatherBench 2 since 2023 and in WMO's
    scores, not the mean of the roots of each field, as in WeatherBench 1, which is lower. The scale
    of the areas doesn't matter.

    **Arguments:**

    - `area`: the area of each point of the grid, such as [`eqmetrics.fields.cell_areas`][]; its
        axes are those of the grid.
    - `outputs`: how many lead times or variables there are, or their shape, on the axes before
        those of the grid. Each has a value.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the value; 0 where the error is 0.
    State: `4 * prod(outputs) + 2` floats, and the area. Undefined when: no point with an area was
    seen.
    Source: Rasp et al., "WeatherBench 2: a benchmark for the next generation of data-driven global
    weather models", 2024.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        rmse = eqm.fields.WeightedRMSE(jnp.array([3.0, 1.0]))
        p = jnp.array([[0.0, 2.0], [0.0, 4.0]])
        assert abs(rmse(predictions=p, targets=jnp.zeros((2, 2))) ** 2 - 2.5) < 1e-6
        ```
    """

    outputs: tuple[int, ...] = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums
    area: Float32[Array, "..."] = constant()

    def __init__(
        self,
        area: Any,
        *,
        outputs: int | tuple[int, ...] = (),
        undefined: float | None = None,
    ):
        self.outputs = trailing(outputs)
        self.undefined = undefined
        self.area = jnp.asarray(area_of(area))
        self.sums = Sums(total=self.outputs, weight=self.outputs)

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` are fields, of shape `(*rows, *outputs, *grid)`; `mask` has
        the shape of the rows, or of the fields to leave out points; `weights` that of the rows."""
        view, share = with_area(
            self.area, self.outputs, mask, weights, predictions=predictions, targets=targets
        )
        total = jnp.sum(square(view.minus(predictions, targets)) * share, axis=-1)
        seen = jnp.broadcast_to(jnp.sum(share, axis=-1), total.shape)
        return self.replace(sums=self.sums.add(view.batch, total=total, weight=seen))

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `outputs` if these are given."""
        total, weight = self.sums.read("total", "weight")
        mean = root(nan_if_lost(over(total, weight), total))
        return undefined_as(mean, weight == 0, self.undefined)
