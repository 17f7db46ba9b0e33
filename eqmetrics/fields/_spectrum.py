"""Spectra of fields on a periodic grid: the error in bands of wavenumbers, and the energy by
shell."""

from collections.abc import Sequence
from typing import Any, final, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.messages import describe
from .._metric.metric import Metric
from .._onepass.sums import Sums
from .._rows.quotient import over, root
from .._rows.rows import undefined_as
from .._rows.squares import nan_if_lost, square
from ._fields import check_axes, Fields, fields


def _shells(grid: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The wavenumber of each coefficient of a real transform, and how many it stands for."""
    *first, last = grid
    each = [np.fft.fftfreq(n, 1 / n) for n in first] + [np.arange(last // 2 + 1.0)]
    squares = np.sum([k**2 for k in np.meshgrid(*each, indexing="ij")], axis=0)
    # The last axis holds half of them: a coefficient that isn't its own mirror counts twice.
    twice = np.full(last // 2 + 1, 2.0)
    twice[0] = 1
    if last % 2 == 0:
        twice[-1] = 1
    return np.sqrt(squares), np.broadcast_to(twice, squares.shape)


def _energies(
    x: Float32[Array, "rows points"], grid: tuple[int, ...], members: np.ndarray
) -> Float32[Array, "rows cells"]:
    """The mean square of each field in each cell, given the coefficients that are `members` of the
    cell: over all coefficients they sum to the mean square of the field."""
    _, twice = _shells(grid)
    # Divided by the largest, so that only the final square can leave the range, which is detected.
    top = lax.stop_gradient(jnp.max(jnp.abs(x), axis=1, keepdims=True, initial=0))
    scaled = (x / jnp.where(top == 0, 1, top)).reshape(x.shape[0], *grid)
    coefficients = jnp.fft.rfftn(scaled, axes=range(-len(grid), 0), norm="forward")
    power = (coefficients.real**2 + coefficients.imag**2).reshape(x.shape[0], twice.size)
    cells = [
        jnp.sum(power[:, at] * jnp.asarray(twice.ravel()[at], jnp.float32)[None], axis=1)
        for at in (np.flatnonzero(cell) for cell in members.reshape(len(members), -1))
    ]
    return jnp.stack(cells, axis=1) * square(top)


def _mean(energy: Float32[Array, "cells"], weight: Float32[Array, ""]) -> Float32[Array, "cells"]:
    """The mean energies; NaN if all energy is below the range of float32. Small cells are fine."""
    total = jnp.sum(energy)
    lost = jnp.isnan(nan_if_lost(over(total, weight), total))
    return jnp.where(lost, jnp.nan, over(energy, weight))


def _grid_of(axes: int, x: Any) -> tuple[int, ...]:
    grid = x.shape[x.ndim - axes :]
    if 0 in grid:
        raise TypeError(f"`predictions` is {describe(x)}: a field without points has no spectrum.")
    return grid


def _whole(axes: int, mask: Any, weights: Any, predictions: Any, targets: Any) -> Fields:
    if mask is not None and mask.ndim > predictions.ndim - axes:
        raise TypeError(
            f"`mask` is {describe(mask)} and `predictions` is {describe(predictions)}: a spectrum "
            "is that of whole fields, so a mask has the shape "
            f"{predictions.shape[: predictions.ndim - axes]} of the rows."
        )
    return fields(axes, (), mask, weights, predictions=predictions, targets=targets)


@final
class SpectralError(Metric):
    r"""The root mean squared error in bands of wavenumbers: of the large, middle and small scales
    of periodic fields.

    With $\hat e_k$ the Fourier coefficients of the error (divided by the number of points) and
    $\lvert k \rvert$ the length of their wavenumber, in waves per side of the grid, the value of a
    band $B$ is $\sqrt{\overline{\sum_{k \in B} \lvert \hat e_k \rvert^2}}$, with the mean over the
    fields. The squares of all bands sum to the mean squared error of all points. (PDEBench's fRMSE
    takes roots first and then the mean over the shells of a band: its scale depends on the grid.)

    **Arguments:**

    - `axes`: how many of the last axes are the grid: 1 to 3. Channels come before them.
    - `edges`: of the bands: band $i$ has the wavenumbers from edge $i$ up to the next, and the last
        band all above. `(0, 5, 13)` are PDEBench's low, middle and high.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the value; 0 where it is 0.
    State: `2 * len(edges) + 4` floats. Undefined when: no field was seen. A band without
    wavenumbers on the grid has 0.
    Source: Takamoto et al., "PDEBench: an extensive benchmark for scientific machine learning",
    2022.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        error = eqm.fields.SpectralError(axes=1)
        wave = jnp.cos(2 * jnp.pi * 6 * jnp.arange(32) / 32)[None]
        low, middle, high = error(predictions=wave, targets=jnp.zeros((1, 32)))
        assert low < 1e-6 and abs(middle - 0.5**0.5) < 1e-6 and high < 1e-6
        ```
    """

    axes: int = eqx.field(static=True)
    edges: tuple[float, ...] = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(
        self,
        axes: int,
        *,
        edges: Sequence[float] = (0, 5, 13),
        undefined: float | None = None,
    ):
        check_axes(axes, 3)
        wide = np.asarray(edges, np.float64)
        if wide.ndim != 1 or wide.size == 0 or not (wide[0] >= 0 and np.all(np.diff(wide) > 0)):
            raise ValueError(f"edges={edges}: expected increasing wavenumbers from 0 up.")
        self.axes = axes
        self.edges = tuple(wide.tolist())
        self.undefined = undefined
        self.sums = Sums(energy=wide.size, weight=())

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` are fields, of shape `(*rows, *grid)`; `mask` and `weights`
        have the shape of the rows."""
        view = _whole(self.axes, mask, weights, predictions, targets)
        grid = _grid_of(self.axes, predictions)
        lengths, _ = _shells(grid)
        ends = (*self.edges[1:], np.inf)
        bands = np.stack(
            [(lengths >= a) & (lengths < b) for a, b in zip(self.edges, ends, strict=True)]
        )
        energy = _energies(view.minus(predictions, targets), grid, bands)
        return self.replace(sums=self.sums.add(view.batch, energy=energy, weight=1))

    def compute(self) -> Float32[Array, "bands"]:
        """The error of each band, of shape `(len(edges),)`."""
        energy, weight = self.sums.read("energy", "weight")
        return undefined_as(root(_mean(energy, weight)), weight == 0, self.undefined)


@final
class EnergySpectrum(Metric):
    r"""The energy of predictions and of targets by wavenumber, and the distance of the two spectra.
    They show whether small scales are blurred, or noise.

    Shell $k$ has the wavenumbers of lengths from $k - \frac12$ up to $k + \frac12$, in waves per
    side of a periodic grid, and its energy is the mean over the fields of
    $\sum \lvert \hat x \rvert^2$ over the shell: a sum over directions, as for turbulence, not
    their mean. All shells of a grid sum to the mean square.

    **Arguments:**

    - `axes`: how many of the last axes are the grid: 1 to 3. Channels come before them.
    - `num_shells`: how many shells are kept, from 0 on. All directions have the first ones, half of
        the shortest side plus one.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The log spectral distance is that of the mean spectra, in decibels:
    $\sqrt{\frac1K \sum_{k \geq 1} (10 \log_{10}(P_k / T_k))^2}$, without shell 0, the mean of the
    fields.
    The gradient is that of the value.
    State: `4 * num_shells + 4` floats. Undefined when: no field was seen; the distance also if a
    shell of the targets or of the predictions has no energy.
    Source: Pope, Turbulent Flows, 2000; Rabiner and Juang, Fundamentals of Speech Recognition,
    1993.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        spectrum = eqm.fields.EnergySpectrum(axes=1, num_shells=3)
        wave = jnp.cos(2 * jnp.pi * 2 * jnp.arange(16) / 16)[None]
        value = spectrum(predictions=0.5 * wave, targets=wave)
        assert abs(value["targets"][2] - 0.5) < 1e-6
        assert abs(value["predictions"][2] - 0.125) < 1e-6
        ```
    """

    axes: int = eqx.field(static=True)
    num_shells: int = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(self, axes: int, num_shells: int, *, undefined: float | None = None):
        check_axes(axes, 3)
        if num_shells < 2:
            raise ValueError(
                f"num_shells={num_shells}: expected at least 2, with that of the mean."
            )
        self.axes = axes
        self.num_shells = num_shells
        self.undefined = undefined
        self.sums = Sums(predictions=num_shells, targets=num_shells, weight=())

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` are fields, of shape `(*rows, *grid)`; `mask` and `weights`
        have the shape of the rows."""
        view = _whole(self.axes, mask, weights, predictions, targets)
        grid = _grid_of(self.axes, predictions)
        lengths, _ = _shells(grid)
        most = int(np.floor(np.max(lengths) + 0.5)) + 1
        if self.num_shells > most:
            raise TypeError(
                f"`predictions` is {describe(predictions)}: a grid of {grid} has {most} shells, "
                f"expected {self.num_shells}. `eqm.fields.EnergySpectrum({self.axes}, "
                f"{min(grid) // 2 + 1})` keeps those that each direction has."
            )
        shells = np.stack([np.floor(lengths + 0.5) == k for k in range(self.num_shells)])
        p, t = (
            _energies(view.points(jnp.asarray(x)), grid, shells) for x in (predictions, targets)
        )
        return self.replace(sums=self.sums.add(view.batch, predictions=p, targets=t, weight=1))

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """A dict of `predictions` and `targets`, the energy of each shell, of shape
        `(num_shells,)`, and `log_spectral_distance`, a scalar."""
        p, t, weight = self.sums.read("predictions", "targets", "weight")
        none = weight == 0
        each = {"predictions": _mean(p, weight), "targets": _mean(t, weight)}
        lost = (p == 0) | (t == 0)
        # The quotient first, so that the scale of the weights costs the logarithm no digits.
        decibels = 10 * jnp.log10(jnp.where(lost, 1, p) / jnp.where(lost, 1, t))
        away = root(jnp.mean(decibels[1:] ** 2))
        empty = none | jnp.any(lost[1:])
        return {
            **{name: undefined_as(x, none, self.undefined) for name, x in each.items()},
            "log_spectral_distance": undefined_as(away, empty, self.undefined),
        }
