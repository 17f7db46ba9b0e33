"""The softmax of logits: the cross-entropy of the label, and the probabilities."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Float32, Int32


# XLA's CPU fuses the largest logit, and the sum over the classes, with what they are computed from
# only in the forms below. With another operation between, a `where`, or a maximum or a look-up of
# what was bfloat16, it first writes an array of the size of the logits: 131 MB for 1024 tokens of
# 32 000 words, in three times the time. (It fuses a `minimum`, but loses NaN in it.) So what masked
# rows and infinite logits need is done on single numbers, and the derivative is given by hand.


def shifted(x: Array, top: Float32[Array, "*rows 1"]) -> Float32[Array, "*rows classes"]:
    """The logits less the largest: at most 0, unless that is infinite."""
    most = float(jnp.finfo(jnp.float32).max)
    return x.astype(jnp.float32) - jnp.clip(top, -most, most)


def sum_of_exponentials(x: Array, top: Float32[Array, "*rows 1"]) -> Float32[Array, "*rows 1"]:
    """The sum of the exponentials of logits less the largest. NaN if any is, infinite if any is
    infinity, 0 if all are minus infinity."""
    return jnp.sum(jnp.exp(shifted(x, top)), axis=-1, keepdims=True)


def largest(x: Array) -> Float32[Array, "*rows 1"]:
    return jnp.max(x, axis=-1, keepdims=True).astype(jnp.float32)


def without_nan(x: Array) -> Bool[Array, "*rows"]:
    """Whether no logit of the row is NaN: a maximum may drop NaN, a sum doesn't. In a program that
    computes the softmax too, this is no pass of its own."""
    x = lax.stop_gradient(x)
    return ~jnp.isnan(sum_of_exponentials(x, largest(x))[..., 0])


def _look_up(x: Array, labels: Array) -> Float32[Array, "*rows 1"]:
    """The entry of each label. Numbers of 16 bits are looked up as integers, of which XLA's CPU
    makes no copy."""
    places = labels[..., None]
    if x.dtype.itemsize != 2:
        found = jnp.take_along_axis(x, places, axis=-1, mode="promise_in_bounds")
        return found.astype(jnp.float32)
    bits = lax.bitcast_convert_type(x, jnp.uint16)
    bits = jnp.take_along_axis(bits, places, axis=-1, mode="promise_in_bounds")
    return lax.bitcast_convert_type(bits, x.dtype).astype(jnp.float32)


def infinities(x: Array) -> Float32[Array, "*rows 1"]:
    """How many logits of a row are infinity: they share the probability 1."""
    some = jnp.sum(x == jnp.inf, axis=-1, keepdims=True, dtype=jnp.int32)
    return lax.stop_gradient(some.astype(jnp.float32))


def _log_whole(x: Array, top: Array, some: Array) -> Float32[Array, "*rows 1"]:
    """The logarithm of the sum of exponentials of logits less the largest."""
    whole = jnp.where(some > 0, some, sum_of_exponentials(x, top))
    # If all are minus infinity, they share the probability 1.
    return jnp.log(jnp.where(whole == 0, jnp.float32(x.shape[-1]), whole))


def has_losses(x: Array) -> Bool[Array, "*rows"]:
    """As `without_nan`, where the losses of the rows are needed too. XLA's CPU vectorises a
    logarithm that has two uses; with one use, a reduction, it computes them one by one."""
    x = lax.stop_gradient(x)
    return ~jnp.isnan(_log_whole(x, largest(x), infinities(x))[..., 0])


def _parts(x: Array, labels: Array, some: Array) -> tuple[Array, Array, Array]:
    """The largest logit, that of the label less the largest, and the logarithm of the sum of
    exponentials less the largest."""
    top = largest(x)
    own = _look_up(x, labels)
    less = jnp.where(own == top, 0, own - top)
    whole = _log_whole(x, top, some)
    return top, less, jnp.where(whole < jnp.inf, whole, jnp.nan)


@jax.custom_jvp
def losses_of(
    logits: Float[Array, "*rows classes"],
    labels: Int32[Array, "*rows"],
    taken: Bool[Array, "*rows"],
    some: Float32[Array, "..."],
) -> Float32[Array, "*rows"]:
    """$-\\log$ softmax at the label, NaN if any logit is NaN. `some` are the `infinities` of the
    logits; where they are given as 0, a row with an infinite logit is NaN too. A row that isn't
    taken may have any value."""
    _, less, whole = _parts(logits, labels, some)
    return (whole - less)[..., 0]


@losses_of.defjvp
def _(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    x, labels, taken, some = primals
    slope = tangents[0].astype(jnp.float32)
    top, less, whole = _parts(x, labels, some)
    # A row that isn't taken may hold NaN; where the largest is infinite, the derivative is 0.
    inside = taken[..., None] & (jnp.abs(top) < jnp.inf)
    p = jnp.exp(jnp.where(inside, shifted(x, top) - whole, -jnp.inf))
    own = jnp.where(inside, jnp.take_along_axis(slope, labels[..., None], axis=-1), 0)
    return (whole - less)[..., 0], jnp.sum(p * slope, axis=-1) - own[..., 0]


@jax.custom_jvp
def softmax(
    logits: Float32[Array, "rows classes"], taken: Bool[Array, "rows"]
) -> Float32[Array, "rows classes"]:
    """The probabilities; 0 in a row that isn't taken."""
    top, some = largest(logits), infinities(logits)
    whole = sum_of_exponentials(logits, top)
    parts = jnp.where(whole == 0, 1, jnp.exp(shifted(logits, top)))
    whole = jnp.where(whole == 0, jnp.float32(logits.shape[-1]), whole)
    parts = jnp.where(some > 0, (logits == jnp.inf).astype(jnp.float32), parts)
    return jnp.where(taken[:, None], parts / jnp.where(some > 0, some, whole), 0)


@softmax.defjvp
def _(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    x, taken = primals
    p = softmax(x, taken)
    moved = jnp.where(jnp.abs(largest(x)) < jnp.inf, p, 0)
    slope = tangents[0]
    return p, moved * (slope - jnp.sum(moved * slope, axis=-1, keepdims=True))
