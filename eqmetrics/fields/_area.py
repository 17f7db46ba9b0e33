from typing import Any

import numpy as np
from jaxtyping import Float


def cell_areas(latitudes: Any, num_longitudes: int) -> Float[np.ndarray, "latitudes longitudes"]:
    """The areas of the cells of a grid of latitudes and longitudes, as shares of their sum.

    A cell reaches half way to its neighbours, and at the ends to a pole: its area is the difference
    of the sines of its bounds, as in WeatherBench 2. (The cosine of the latitude, which others use,
    is 0 for points at a pole.)

    **Arguments:**

    - `latitudes`: in degrees, increasing or decreasing, as on the axis of the fields.
    - `num_longitudes`: how many longitudes there are, with equal steps.

    **Returns:** a NumPy array of shape `(latitudes, longitudes)`, the `area` of the metrics of
    fields.

    Source: Rasp et al., "WeatherBench 2: a benchmark for the next generation of data-driven global
    weather models", 2024.

    !!! example

        ```python
        import eqmetrics as eqm
        area = eqm.fields.cell_areas([-60.0, 0.0, 60.0], 2)
        assert area.shape == (3, 2) and abs(area[1].sum() - 0.5) < 1e-12
        ```
    """
    at = np.asarray(latitudes, np.float64)
    steps = np.diff(at)
    rising = np.all(steps > 0) or np.all(steps < 0)
    if at.ndim != 1 or at.size == 0 or not (np.all(np.abs(at) <= 90) and rising):
        raise ValueError(
            f"latitudes={latitudes}: expected increasing or decreasing numbers from -90 to 90."
        )
    if num_longitudes < 1:
        raise ValueError(f"num_longitudes={num_longitudes}: expected at least 1.")
    ends = (-90, 90) if at[0] <= at[-1] else (90, -90)
    bounds = np.concatenate([[ends[0]], (at[1:] + at[:-1]) / 2, [ends[1]]])
    bands = np.abs(np.diff(np.sin(np.deg2rad(bounds)))) / 2
    return np.repeat(bands[:, None] / num_longitudes, num_longitudes, axis=1)
