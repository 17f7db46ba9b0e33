"""The softmax of logits: what a class costs, and its probability."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Float32, Int32


# XLA's CPU fuses the largest logit, and the sum over the classes, with what they add only in the
# forms below. With another operation between, a `where`, or a maximum or a look-up of what was
# bfloat16, it first writes an array of the size of the logits: 131 MB for 1024 tokens of 32 000
# words, in three times the time. (A `minimum` it fuses, and loses NaN in it.) So what a masked row
# and an infinite logit ask for is done to single numbers, and the slope is given by hand.


def shifted(x: Array, top: Float32[Array, "*rows 1"]) -> Float32[Array, "*rows classes"]:
    """At most 0, but where the largest is infinite."""
    most = float(jnp.finfo(jnp.float32).max)
    return x.astype(jnp.float32) - jnp.clip(top, -most, most)


def sum_of_exponentials(x: Array, top: Float32[Array, "*rows 1"]) -> Float32[Array, "*rows 1"]:
    """Of logits less the largest. NaN if any is, infinite if any is infinity, 0 if all are minus
    infinity."""
    return jnp.sum(jnp.exp(shifted(x, top)), axis=-1, keepdims=True)


def largest(x: Array) -> Float32[Array, "*rows 1"]:
    return jnp.max(x, axis=-1, keepdims=True).astype(jnp.float32)


def without_nan(x: Array) -> Bool[Array, "*rows"]:
    """Whether no logit of the row is NaN: a maximum may drop it, a sum doesn't. In a program that
    asks for the softmax, too, this is no pass of its own."""
    x = lax.stop_gradient(x)
    return ~jnp.isnan(sum_of_exponentials(x, largest(x))[..., 0])


def _look_up(x: Array, labels: Array) -> Float32[Array, "*rows 1"]:
    """Numbers of 16 bits as what they are on the wire: of them XLA's CPU makes no copy."""
    places = labels[..., None]
    if x.dtype.itemsize != 2:
        return jnp.take_along_axis(x, places, axis=-1).astype(jnp.float32)
    bits = jnp.take_along_axis(lax.bitcast_convert_type(x, jnp.uint16), places, axis=-1)
    return lax.bitcast_convert_type(bits, x.dtype).astype(jnp.float32)


def _parts(x: Array, labels: Array) -> tuple[Array, Array, Array]:
    """The largest logit, that of the label less it, and the logarithm of the sum less it."""
    top = largest(x)
    own = _look_up(x, labels)
    finite = jnp.abs(top) < jnp.inf
    less = jnp.where(finite, own - jnp.where(finite, top, 0), 0)
    whole = sum_of_exponentials(x, top)
    # If all are minus infinity, they share the probability 1.
    whole = jnp.where(whole == 0, jnp.float32(x.shape[-1]), whole)
    return top, less, jnp.where(whole < jnp.inf, jnp.log(whole), jnp.nan)


@jax.custom_jvp
def finite_losses(
    logits: Float[Array, "*rows classes"],
    labels: Int32[Array, "*rows"],
    taken: Bool[Array, "*rows"],
) -> Float32[Array, "*rows"]:
    """$-\\log$ softmax at the label, NaN if any logit is, or infinite. Of a row that isn't taken,
    anything."""
    _, less, whole = _parts(logits, labels)
    return (whole - less)[..., 0]


@finite_losses.defjvp
def _(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    x, labels, taken = primals
    slope = tangents[0].astype(jnp.float32)
    top, less, whole = _parts(x, labels)
    # A row that isn't taken may hold NaN.
    inside = taken[..., None] & (jnp.abs(top) < jnp.inf)
    p = jnp.exp(jnp.where(inside, shifted(x, top) - whole, -jnp.inf))
    own = jnp.where(inside, jnp.take_along_axis(slope, labels[..., None], axis=-1), 0)
    return (whole - less)[..., 0], jnp.sum(p * slope, axis=-1) - own[..., 0]


# ---- where infinity is a logit, too: it shares the probability 1 with others of its row


def _infinities(x: Array) -> Float32[Array, "*rows 1"]:
    return jnp.sum(x == jnp.inf, axis=-1, keepdims=True, dtype=jnp.int32).astype(jnp.float32)


def losses(
    logits: Float32[Array, "rows classes"],
    labels: Int32[Array, "rows"],
    taken: Bool[Array, "rows"],
) -> Float32[Array, "rows 1"]:
    """As above, of logits that may be infinite."""
    of_finite = finite_losses(logits, labels, taken)[:, None]
    x = lax.stop_gradient(logits)
    some = _infinities(x)
    of_infinite = jnp.where(_look_up(x, labels) == jnp.inf, jnp.log(some), jnp.inf)
    return jnp.where(some > 0, of_infinite, of_finite)


@jax.custom_jvp
def softmax(
    logits: Float32[Array, "rows classes"], taken: Bool[Array, "rows"]
) -> Float32[Array, "rows classes"]:
    """The probabilities, and 0 in a row that isn't taken."""
    top, some = largest(logits), _infinities(logits)
    whole = sum_of_exponentials(logits, top)
    parts = jnp.where(whole == 0, 1, jnp.exp(shifted(logits, top)))
    whole = jnp.where(whole == 0, jnp.float32(logits.shape[-1]), whole)
    parts = jnp.where(some > 0, (logits == jnp.inf).astype(jnp.float32), parts)
    return jnp.where(taken[:, None], parts / jnp.where(some > 0, some, whole), 0)


@softmax.defjvp
def _(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    x, taken = primals
    p = softmax(x, taken)
    # Where the largest is infinite, a step moves nothing.
    moved = jnp.where(jnp.abs(largest(x)) < jnp.inf, p, 0)
    slope = tangents[0]
    return p, moved * (slope - jnp.sum(moved * slope, axis=-1, keepdims=True))
