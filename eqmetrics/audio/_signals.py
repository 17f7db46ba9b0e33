"""Signals: the last axis is time, in samples, and a row is one signal. Their shapes, masks, scales
and energies."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32

from .._metric.messages import describe
from .._reduction.pair import minus
from .._rows.inner import split_mask
from .._rows.rows import flat, Rows, rows


Samples = Float32[Array, "rows *sources time"]
OfRows = Float32[Array, "rows"]


class Signals(NamedTuple):
    """Signals flattened to `(rows, *sources, time)`. Masked samples are 0."""

    batch: Rows
    shape: tuple[int, ...]  # (*sources, time) of one row
    keep: Bool[Array, "rows *sources time"] | None  # samples that count; `None` if all do
    inside: Bool[Array, "rows #*sources #time"] | None  # `keep` and the mask of the rows

    def samples(self, x: Any) -> Samples:
        x = flat(jnp.asarray(x), self.shape).astype(jnp.float32)
        return x if self.inside is None else jnp.where(self.inside, x, 0)

    def minus(self, x: Any, y: Any) -> Samples:
        return self.samples(minus(x, y))

    def together(self, x: Samples) -> Samples:
        """The signals with the samples that are left out moved to the end, so that the others are
        joined."""
        if self.keep is None:
            return x
        order = jnp.argsort(~self.keep, axis=-1, stable=True)
        return jnp.take_along_axis(x, order, axis=-1)

    def length(self) -> Float32[Array, "rows *sources"]:
        """How many samples of each signal count."""
        if self.keep is None:
            shape = (self.batch.values.shape[0], *self.shape[:-1])
            return jnp.full(shape, self.shape[-1], jnp.float32)
        return jnp.sum(self.keep.astype(jnp.float32), axis=-1)


def signals(
    predictions: Any, targets: Any, mask: Any, weights: Any, axes: tuple[str, ...] = ("time",)
) -> Signals:
    """Signals of shape `(*rows, *axes)`. The mask has the shape of the rows or of the signals."""
    if predictions.ndim < len(axes):
        raise TypeError(
            f"`predictions` is {describe(predictions)}, expected (*rows, {', '.join(axes)})."
        )
    if targets.shape != predictions.shape:
        raise TypeError(
            f"`predictions` is {describe(predictions)} and `targets` is {describe(targets)}: they "
            "must have the same shape. Squeeze or reshape one: nothing is broadcast."
        )
    shape = predictions.shape[predictions.ndim - len(axes) :]
    of_rows, keep = split_mask(mask, predictions, len(axes), "predictions")
    batch = rows(predictions, of_rows, weights, shape, "predictions")
    rows(targets, None, None, shape, "targets")  # real numbers
    some = keep if mask is not None and mask.ndim == predictions.ndim else None
    inside = some
    if batch.mask is not None:
        column = batch.mask.reshape(-1, *(1,) * len(axes))
        inside = column if some is None else column & some
    return Signals(batch, shape, some, inside)


def total(x: Float32[Array, "*rows time"]) -> Float32[Array, "*rows"]:
    """The sum of the samples. (XLA sums in a tree: a million samples are right to 2^-23.)"""
    return jnp.sum(x, axis=-1)


def scaled(x: Samples, axes: int = 1) -> tuple[Samples, OfRows]:
    """The signals divided by a power of two, and its exponent. The largest sample is then from 1 to
    2, so no square leaves the range of float32. Silence stays as it is."""
    over = tuple(range(-axes, 0))
    top = lax.stop_gradient(jnp.max(jnp.abs(x), axis=over, keepdims=True, initial=0))
    bits = lax.bitcast_convert_type(top, jnp.int32) & jnp.int32(0x7F800000)
    power = lax.bitcast_convert_type(bits, jnp.float32)
    power = jnp.where((power > 0) & (power < jnp.inf), power, 1)  # NaN has the bits of infinity
    exponent = jnp.where(power == 1, 0, jnp.right_shift(bits, 23) - 127)
    return x / power, jnp.squeeze(exponent.astype(jnp.float32), over)


def decibels(
    top: OfRows, bottom: OfRows, powers: tuple[OfRows, OfRows] | None = None
) -> tuple[OfRows, Bool[Array, "rows"]]:
    """The decibels of a quotient of energies, and where it is defined: 0/0 isn't. The signals were
    divided by 2 to the `powers`."""
    none, perfect = top == 0, bottom == 0
    value = 10 * jnp.log10(jnp.where(none, 1, top) / jnp.where(perfect, 1, bottom))
    if powers is not None:
        value = value + 6.0205999132796239 * (powers[0] - powers[1])
    value = jnp.where(perfect, jnp.inf, jnp.where(none, -jnp.inf, value))
    return value, ~(none & perfect)


def without_mean(x: Samples, view: Signals) -> Samples:
    """The signals minus the mean of their samples that count."""
    count = jnp.maximum(view.length(), 1)[..., None]

    def centred(x: Samples) -> Samples:
        x = x - total(x)[..., None] / count
        return x if view.inside is None else jnp.where(view.inside, x, 0)

    # Subtracted twice, since the signal loses digits if the mean is much larger. If the rest is as
    # small as the rounding of the mean, the signal is a constant, which counts as silence.
    new = centred(centred(x))
    size = lambda x: jnp.max(jnp.abs(x), axis=-1, keepdims=True, initial=0)
    return jnp.where(size(new) <= 2.0**-22 * size(x), 0, new)
