"""How many n-grams of the predictions match the references. The counts are exact: n-grams are
numbered by their rank among those of their row, with one sort and one binary search per order."""

import functools as ft

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int32, UInt32

from ._tokens import Sequences


# Finds the first sorted entry that isn't smaller than a key. The steps are unrolled: a loop is
# slower, and in `shard_map` it declares that its carry doesn't vary over devices.
_place = jax.vmap(ft.partial(jnp.searchsorted, method="scan_unrolled"))


def _ranks(keys: Array) -> UInt32[Array, "rows places"]:
    """For each entry a number below the number of places; equal entries of a row have equal
    numbers. (XLA's sort of two arrays would give them too, but takes three times as long on a
    CPU.)"""
    return _place(jnp.sort(keys, axis=1), keys).astype(jnp.uint32)


def matched_ngrams(
    predicted: Sequences, references: Sequences, orders: range
) -> Int32[Array, "rows orders"]:
    """For each order, how many n-grams of a row's prediction match. An n-gram matches at most as
    often as it occurs in the reference that contains it most often."""
    (length, rows), (other, _, count) = predicted.ids.shape, references.ids.shape
    places = length + count * other
    if places > 2**16:
        raise ValueError(
            f"A row of {places} places, of the prediction and its references, is too long for "
            "n-grams: 65536 are the most. Cut the sequences, or give fewer references."
        )
    if length == 0 or other == 0 or rows == 0:
        return jnp.zeros((rows, len(orders)), jnp.int32)
    reference_ids = jnp.moveaxis(references.ids, 0, 2).reshape(rows, count * other)
    place = np.concatenate([np.arange(length), np.tile(np.arange(other), count)])
    source = np.repeat(np.arange(count + 1), [length] + [other] * count)
    lengths = jnp.concatenate([predicted.lengths[:, None], references.lengths], axis=1)
    left = lengths[:, source] - jnp.asarray(place, jnp.int32)[None]  # from here to the end
    row = jnp.arange(rows, dtype=jnp.int32)[:, None]
    of = jnp.asarray(source, jnp.int32)[None]
    first = rank = _ranks(jnp.concatenate([predicted.ids.T, reference_ids], axis=1))
    found = []
    for n in range(1, orders.stop):
        if n > 1:
            # An n-gram is an (n - 1)-gram and a last token. Places too near the end to begin an
            # n-gram have an arbitrary number, and aren't counted.
            last = jnp.pad(first[:, n - 1 :], ((0, 0), (0, min(n - 1, places))))
            rank = _ranks(rank * jnp.uint32(places) + last)
        if n in orders:
            counts = jnp.zeros((rows, count + 1, places), jnp.int32)
            there = (left >= n).astype(jnp.int32)
            counts = counts.at[row, of, rank.astype(jnp.int32)].add(there)
            most = jnp.max(counts[:, 1:], axis=1)
            found.append(jnp.sum(jnp.minimum(counts[:, 0], most), axis=1, dtype=jnp.int32))
    return jnp.stack(found, axis=1)


def ngrams_of(lengths: Int32[Array, "*rows"], orders: range) -> Int32[Array, "*rows orders"]:
    """How many n-grams of each order a sequence has."""
    less = jnp.asarray([n - 1 for n in orders], jnp.int32)
    return jnp.maximum(lengths[..., None] - less.reshape((1,) * lengths.ndim + (-1,)), 0)
