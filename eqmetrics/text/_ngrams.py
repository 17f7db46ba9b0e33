"""How many n-grams of the predictions stand in the references. Exact: n-grams are numbered by
their rank among those of their row, by one sort and one binary search for each order."""

import functools as ft

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Int32, UInt32

from ._tokens import Sequences


_NONE = 0xFFFFFFFF  # the key of what is no n-gram, behind all others


def _check_size(places: int, sources: int) -> None:
    if (places * places + 1) * sources >= 2**32:
        raise ValueError(
            f"A row of {places} places, of the prediction and its references, is too long for the "
            "n-grams of 32 bits: cut the sequences, or give fewer references at once."
        )


# Of the sorted keys that are no smaller, the first. Its steps are written out: as a loop they are
# slower, and in `shard_map` they say that what they carry doesn't vary.
_place = jax.vmap(ft.partial(jnp.searchsorted, method="scan_unrolled"))


def _begins(x: Array) -> Bool[Array, "rows places"]:
    """Where another entry stands than in the place before."""
    first = jnp.ones((x.shape[0], 1), bool)
    return jnp.concatenate([first, x[:, 1:] != x[:, :-1]], axis=1)


def _matched(keys: UInt32[Array, "rows places"], sources: int) -> Int32[Array, "rows"]:
    """Of sorted keys `n-gram * sources + source`, how many n-grams of source 0, the prediction,
    are matched: as often as they are in the reference that has them most often."""
    places = keys.shape[1]
    number = jnp.arange(places, dtype=jnp.int32)[None]
    gram = keys // jnp.uint32(sources)
    source = keys - gram * jnp.uint32(sources)
    begins = _begins(gram)
    latest = lambda x: lax.cummax(x, axis=1)
    start = latest(jnp.where(begins, number, 0))
    # Those of the prediction stand first.
    end = latest(jnp.where(source == 0, number + 1, jnp.where(begins, number, 0)))
    # The references follow one by one; an entry is the q-th of its own, from 0.
    q = number - latest(jnp.where(_begins(keys), number, 0))
    right = (source > 0) & (keys != jnp.uint32(_NONE)) & (q < end - start)
    if sources > 2:
        # It counts if no reference before it had as many.
        most = start * (places + 1) + jnp.where(source > 0, q + 1, 0)
        before = jnp.concatenate([jnp.full_like(most[:, :1], -1), latest(most)[:, :-1]], axis=1)
        right = right & (most > before)
    return jnp.sum(right, axis=1, dtype=jnp.int32)


def matched_ngrams(
    predicted: Sequences, references: Sequences, orders: range
) -> Int32[Array, "rows orders"]:
    """Of each order of n-grams, how many of a row's prediction are matched, each as often as it
    stands in one of the references."""
    (length, rows), (other, _, count) = predicted.ids.shape, references.ids.shape
    places, sources = length + count * other, count + 1
    _check_size(places, sources)
    if length == 0 or other == 0 or rows == 0:
        return jnp.zeros((rows, len(orders)), jnp.int32)
    meant = jnp.moveaxis(references.ids, 0, 2).reshape(rows, count * other)
    ids = jnp.concatenate([predicted.ids.T, meant], axis=1)
    place = np.concatenate([np.arange(length), np.tile(np.arange(other), count)])
    source = jnp.asarray(np.repeat(np.arange(sources), [length] + [other] * count), jnp.uint32)
    lengths = jnp.concatenate([predicted.lengths[:, None], references.lengths], axis=1)
    left = lengths[:, source] - jnp.asarray(place, jnp.int32)[None]  # from here to the end
    first = _place(jnp.sort(ids, axis=1), ids).astype(jnp.uint32)
    found, rank = [], first
    for n in range(1, orders.stop):
        if n > 1:
            # The n-gram is that of one token less, and its last token.
            last = jnp.pad(first[:, n - 1 :], ((0, 0), (0, min(n - 1, places))))
            gram = rank * jnp.uint32(places) + last
        else:
            gram = rank
        there = left >= n
        key = gram * jnp.uint32(sources)
        keys = jnp.sort(jnp.where(there, key + source[None], jnp.uint32(_NONE)), axis=1)
        if n in orders:
            found.append(_matched(keys, sources))
        if n < orders.stop - 1:
            rank = jnp.minimum(_place(keys, key), places - 1).astype(jnp.uint32)
    return jnp.stack(found, axis=1)


def ngrams_of(lengths: Int32[Array, "*rows"], orders: range) -> Int32[Array, "*rows orders"]:
    """How many n-grams of each order a sequence has."""
    less = jnp.asarray([n - 1 for n in orders], jnp.int32)
    return jnp.maximum(lengths[..., None] - less.reshape((1,) * lengths.ndim + (-1,)), 0)
