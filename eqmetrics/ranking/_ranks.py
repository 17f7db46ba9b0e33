"""The places of the documents of each list.

Lists are the rows of arrays of shape `(rows, documents)`. Each function is a `jit` of its own,
whose jaxpr jax caches: metrics of a `MetricDict` that need the same places then have equal
equations, which are computed once.
"""

import functools as ft
from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32

from .._metric.node import vary_like
from .._rows.rows import narrow


Ties = Literal["expected", "worst", "first"]

# In lists of up to this many documents, each is compared with all others, without a sort. On a CPU,
# 1000 lists of 1000 documents take as long as with a binary search in sorted lists, and shorter
# lists take far less.
COUNTED = 1024
# In lists longer than this, finding only the best documents is cheaper.
SELECTED = 256
_STEP = 8  # the number of columns that one step of the loop compares
_NOWHERE = -(2**31)  # the key where there is no document; no float has it
_BLOCK = 64


class Places(NamedTuple):
    """The places of each document; the documents may be in any order. Tied documents share `tied`
    places, of which the first is `above`. If only the best documents were searched, the others are
    missing."""

    relevance: Float32[Array, "rows documents"]  # 0 where there is no document
    above: Int32[Array, "rows documents"]  # documents before it
    tied: Int32[Array, "rows documents"]  # documents of its tie, itself included
    hits_above: Int32[Array, "rows documents"]  # relevant documents before it
    hits_tied: Int32[Array, "rows documents"]  # relevant documents of its tie


def as_float(count: Int32[Array, "*shape"]) -> Float32[Array, "*shape"]:
    return count.astype(jnp.float32)


def keys_of(
    scores: Array, real: Bool[Array, "rows documents"]
) -> Int32[Array, "rows documents"]:
    """Integers that are ordered like the scores. -0.0 and 0.0 have the same integer."""
    if jnp.issubdtype(scores.dtype, jnp.floating):
        x = scores.astype(jnp.float32)
        bits = lax.bitcast_convert_type(jnp.where(x == 0, 0, x), jnp.int32)
        keys = _flipped(bits)
    elif scores.dtype == jnp.uint32:
        keys = lax.bitcast_convert_type(scores ^ jnp.uint32(2**31), jnp.int32)
    else:
        keys = narrow(scores)
    return jnp.where(real, jnp.maximum(keys, _NOWHERE + 1), _NOWHERE)


def _flipped(bits: Array) -> Array:
    """From the bits of a float to an integer that is ordered like the float, and back."""
    return jnp.where(bits < 0, bits ^ jnp.int32(2**31 - 1), bits)


@ft.partial(jax.jit, static_argnames=("ties", "most"))
def places(
    keys: Int32[Array, "rows documents"],
    relevance: Float32[Array, "rows documents"],
    ties: Ties = "expected",
    most: int | None = None,
) -> Places:
    """The places of the documents. If the keys are those of floats, and if that is cheaper, only
    the places of the `most` best documents."""
    documents = keys.shape[1]
    if documents == 0:
        return ranked(relevance)  # there is nothing to compare
    if ties == "first" and most is not None and documents > max(SELECTED, most):
        return _best(keys, relevance, most)
    if documents <= COUNTED:
        return _counted(keys, relevance, ties)
    if ties == "expected":
        return _searched(keys, relevance)
    # Of equal keys the less relevant comes first, or the one that was given first.
    by = 2 if ties == "worst" else 1
    _, relevance = lax.sort((~keys, relevance), dimension=1, is_stable=True, num_keys=by)
    return ranked(relevance)


def ranked(relevance: Float32[Array, "rows documents"]) -> Places:
    """The places of documents that are already in order."""
    hit = (relevance > 0).astype(jnp.int32)
    above = lax.broadcasted_iota(jnp.int32, hit.shape, 1)
    return Places(relevance, above, jnp.ones_like(hit), jnp.cumsum(hit, axis=1) - hit, hit)


def _best(keys: Array, relevance: Array, most: int) -> Places:
    # XLA selects floats far faster than integers. Documents come before places without one.
    x = lax.bitcast_convert_type(_flipped(keys), jnp.float32)
    lowest = jnp.finfo(jnp.float32).min
    x = jnp.where(keys == _NOWHERE, -jnp.inf, jnp.maximum(x, lowest))
    _, which = lax.top_k(x, most)
    return ranked(jnp.take_along_axis(relevance, which, axis=1))


def _columns(x: Array, fill: int, width: int) -> Array:
    return jnp.pad(x, ((0, 0), (0, width - x.shape[1])), constant_values=fill)


def _counted(keys: Array, relevance: Array, ties: Ties) -> Places:
    documents = keys.shape[1]
    # One integer holds two counts: documents in its low 16 bits, relevant ones in the others.
    hit = (relevance > 0).astype(jnp.int32)
    one = jnp.where(keys == _NOWHERE, 0, 1 + (hit << 16))
    bits = lax.bitcast_convert_type(relevance, jnp.int32)  # in order, since none is negative
    step = max(1, min(_STEP, documents))
    steps = -(-documents // step)
    fills = (keys, _NOWHERE), (one, 0), (bits, 0)
    others = tuple(_columns(x, fill, steps * step) for x, fill in fills)
    index = lax.broadcasted_iota(jnp.int32, keys.shape, 1)

    def body(i: Array, counts: tuple[Array, Array]) -> tuple[Array, Array]:
        above, tied = counts
        cut = [lax.dynamic_slice_in_dim(x, i * step, step, 1) for x in others]
        for j in range(step):
            key, adds, graded = (x[:, j : j + 1] for x in cut)
            before, equal = key > keys, key == keys
            if ties == "first":
                before = before | (equal & (i * step + j < index))
            elif ties == "worst":
                before = before | (equal & (graded < bits))
                equal = equal & (graded == bits)
            above = above + jnp.where(before, adds, 0)
            tied = tied if ties == "first" else tied + jnp.where(equal, adds, 0)
        return above, tied

    none = vary_like(jnp.zeros(keys.shape, jnp.int32), (keys, relevance))
    start = none, (one if ties == "first" else none)
    above, tied = lax.fori_loop(0, steps, body, start)
    low, count = jnp.int32(2**16 - 1), jnp.maximum(tied & (2**16 - 1), 1)
    return Places(relevance, above & low, count, above >> 16, tied >> 16)


def _searched(keys: Array, relevance: Array) -> Places:
    def count(chosen: Array) -> tuple[Array, Array]:
        """For each key, how many of the chosen keys are larger, and how many are equal."""
        ordered = jnp.sort(chosen, axis=1)
        find = lambda side: jax.vmap(ft.partial(jnp.searchsorted, side=side))(ordered, keys)
        left, right = find("left").astype(jnp.int32), find("right").astype(jnp.int32)
        return keys.shape[1] - right, right - left

    above, tied = count(keys)
    hits_above, hits_tied = count(jnp.where(relevance > 0, keys, _NOWHERE))
    none = keys == _NOWHERE
    tied, hits_tied = jnp.where(none, 1, tied), jnp.where(none, 0, hits_tied)
    return Places(relevance, above, tied, hits_above, hits_tied)


@ft.partial(jax.jit, static_argnames="most")
def ideal(gains: Float32[Array, "rows documents"], most: int | None = None) -> Places:
    """The places in the best possible order; if that is cheaper, only those of the `most` best
    documents."""
    documents = gains.shape[1]
    if documents <= SELECTED:
        return places(lax.bitcast_convert_type(gains, jnp.int32), gains)
    if most is not None and most < documents:
        return ranked(lax.top_k(gains, most)[0])
    return ranked(-jnp.sort(-gains, axis=1))


@jax.jit
def total(x: Float32[Array, "*axes documents"]) -> Float32[Array, "*axes"]:
    """The sum over the last axis. Zeros at the end don't change the order of the additions, so
    padding changes no bit: first blocks are added, then halves."""
    size = x.shape[-1]
    if size == 0:
        return jnp.sum(x, axis=-1)
    width = min(_BLOCK, 1 << (size - 1).bit_length())
    blocks = -(-size // width)
    x = jnp.pad(x, ((0, 0),) * (x.ndim - 1) + ((0, blocks * width - size),))
    cut = lambda i: lax.dynamic_slice_in_dim(x, i * width, width, x.ndim - 1)
    if blocks > 1:
        x = lax.fori_loop(1, blocks, lambda i, sum_: sum_ + cut(i), cut(0))
    while width > 1:
        width //= 2
        x = x[..., :width] + x[..., width:]
    return x[..., 0]


class Table(NamedTuple):
    """The cumulative worth of the first places, as pairs: so differences are also accurate far down
    the list."""

    high: Float32[Array, "places"]
    low: Float32[Array, "places"]


def table(worth: Callable[[np.ndarray], np.ndarray], documents: int, k: int | None) -> Table:
    """`worth(place)` of the places 0, 1, ..., cumulated; those from `k` on are worth nothing."""
    each = worth(np.arange(documents, dtype=np.float64))
    each = np.where(np.arange(documents) < (documents if k is None else k), each, 0)
    sums = np.concatenate([[0], np.cumsum(each)])
    high = sums.astype(np.float32)
    return Table(jnp.asarray(high), jnp.asarray((sums - high).astype(np.float32)))


def shared(at: Places, worth: Table) -> Float32[Array, "rows documents"]:
    """The total worth of all places of a document's tie."""
    last = len(worth.high) - 1
    first, end = jnp.minimum(at.above, last), jnp.minimum(at.above + at.tied, last)
    difference = lambda x: jnp.take(x, end, mode="clip") - jnp.take(x, first, mode="clip")
    return difference(worth.high) + difference(worth.low)


def inside(at: Places, k: int | Array | None) -> Int32[Array, "rows documents"]:
    """How many places of a document's tie are among the first `k`."""
    if k is None:
        return at.tied
    first = jnp.full(at.above.shape[:1], k, jnp.int32) if isinstance(k, int) else k
    return jnp.clip(first[:, None] - at.above, 0, at.tied)
