from typing import Any, final, Self

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.field import constant
from .._rows.quotient import over
from .._rows.row_mean import AbstractRowMean
from .._rows.rows import trailing
from ._fields import area_of, with_area


def _scaled(x: Array) -> Array:
    """Divided by the largest value, so that squares stay in range: a correlation has no scale."""
    top = lax.stop_gradient(jnp.max(jnp.abs(x), axis=-1, keepdims=True, initial=0))
    return x / jnp.where(top == 0, 1, top)


def _less_mean(x: Array, share: Array) -> Array:
    # One of the values is subtracted first, to tell a constant field from one that rounds to it.
    first = jnp.argmax(share > 0, axis=-1, keepdims=True).astype(jnp.int32)
    first = jnp.broadcast_to(first, (*x.shape[:-1], 1))
    x = jnp.where(share > 0, x - jnp.take_along_axis(x, first, axis=-1), 0)
    mean = over(jnp.sum(x * share, axis=-1), jnp.sum(share, axis=-1))
    return jnp.where(share > 0, x - mean[..., None], 0)


@final
class AnomalyCorrelation(AbstractRowMean):
    r"""The anomaly correlation coefficient, averaged over the fields:
    $\sum_s a_s p_s t_s / \sqrt{\sum_s a_s p_s^2 \sum_s a_s t_s^2}$, where $p$ and $t$ are
    anomalies, the differences from a climatology, and $a$ the areas.

    It is uncentred, as in WeatherBench 2 and WMO's scores: the mean anomaly of a field stays in.
    With `centred=True` the mean over the area is subtracted first, as in NCEP's and METplus'
    ANOM_CORR. Pass anomalies or a climatology: without these, fields correlate by their seasons
    alone.

    **Arguments:**

    - `area`: the area of each point of the grid, such as [`eqmetrics.fields.cell_areas`][]; its
        axes are those of the grid.
    - `centred`: whether the mean anomaly of each field is subtracted first.
    - `outputs`: how many lead times or variables there are, or their shape, on the axes before
        those of the grid. Each has a value.
    - `undefined`: what replaces an undefined value; NaN if not given.

    A field whose anomalies are all 0 (with `centred`, constant) has no value, and is left out.
    The gradient is that of the value.
    State: `4 * prod(outputs) + 2` floats, and the area. Undefined when: no field has a value.
    Source: Jolliffe and Stephenson, Forecast Verification, 2012; WMO, Manual on the WMO Integrated
    Processing and Prediction System, appendix 2.2.34, 2023.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        acc = eqm.fields.AnomalyCorrelation(jnp.ones(2))
        p, t = jnp.array([[13.0, 14.0]]), jnp.array([[14.0, 13.0]])
        value = acc(predictions=p, targets=t, climatology=jnp.full((1, 2), 10.0))
        assert abs(value - 24 / 25) < 1e-6
        ```
    """

    centred: bool = eqx.field(static=True)
    area: Float32[Array, "..."] = constant()

    def __init__(
        self,
        area: Any,
        *,
        centred: bool = False,
        outputs: int | tuple[int, ...] = (),
        undefined: float | None = None,
    ):
        self.centred = bool(centred)
        self.area = jnp.asarray(area_of(area))
        AbstractRowMean.__init__(self, shape=trailing(outputs), undefined=undefined)

    def update(
        self,
        *,
        predictions: Values,
        targets: Values,
        climatology: Values | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`predictions`, `targets` and `climatology` are fields, of shape
        `(*rows, *outputs, *grid)`. Without a climatology the first two are anomalies. `mask` has
        the shape of the rows, or of the fields to leave out points; `weights` has that of the
        rows."""
        arrays = {"predictions": predictions, "targets": targets}
        if climatology is not None:
            arrays["climatology"] = climatology
        outputs = self.sums.shapes[0][1]
        view, share = with_area(self.area, outputs, mask, weights, **arrays)
        pair = predictions, targets
        if climatology is None:
            p, t = (view.points(jnp.asarray(x)) for x in pair)
        else:
            p, t = (view.minus(x, climatology) for x in pair)
        if self.centred:
            p, t = _less_mean(p, share), _less_mean(t, share)
        p, t = _scaled(p), _scaled(t)
        both, of_p, of_t = (jnp.sum(share * x * y, axis=-1) for x, y in ((p, t), (p, p), (t, t)))
        defined = (of_p != 0) & (of_t != 0)
        size = jnp.sqrt(jnp.where(defined, of_p, 1)) * jnp.sqrt(jnp.where(defined, of_t, 1))
        return self.plus(view.batch, jnp.where(defined, both, 0) / size, defined)
