"""Edit distances of many pairs at once. A row of the dynamic program's table is stored as two bit
vectors, 32 cells per machine word (Myers, 1999; Hyyrö, 2003). The rows of the batch are the last
axis, along which the processor vectorises."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32, Int32, UInt32

from ._tokens import Sequences


_BLOCK = 64  # how many tokens of a text have their match words in memory at once
_FULL = 0xFFFFFFFF


def _carries(made: Array, passed: Array) -> Array:
    """The carry into each word of an addition, in logarithmically many steps (Kogge and Stone)."""
    words, step = made.shape[0], 1
    below = lambda x, n: jnp.concatenate([jnp.zeros((n, *x.shape[1:]), bool), x[:-n]])
    while step < words:
        made, passed = made | (passed & below(made, step)), passed & below(passed, step)
        step *= 2
    return below(made, 1)


def _add(x: UInt32[Array, "words rows"], y: UInt32[Array, "words rows"]) -> Array:
    """The sum of numbers of many words, the lowest word first."""
    total = x + y
    if x.shape[0] == 1:
        return total
    return total + _carries(total < x, total == jnp.uint32(_FULL)).astype(jnp.uint32)


def _shifted(x: UInt32[Array, "words rows"], low: int) -> Array:
    """Shifted up by one bit, with `low` as the new lowest bit."""
    bottom = jnp.full((1, *x.shape[1:]), low, jnp.uint32)
    return (x << jnp.uint32(1)) | jnp.concatenate([bottom, x[:-1] >> jnp.uint32(31)])


def _matches(pattern: Int32[Array, "words 32 rows"], token: Int32[Array, "rows"]) -> Array:
    """A bit for each place of the pattern: whether this token is there."""
    found = jnp.zeros((pattern.shape[0], pattern.shape[2]), jnp.uint32)
    for place in range(32):
        equal = pattern[:, place] == token[None]
        found = found | (equal.astype(jnp.uint32) << jnp.uint32(place))
    return found


def _low_bits(lengths: Int32[Array, "rows"], words: int) -> UInt32[Array, "words rows"]:
    """Bit vectors in which as many of the lowest bits are set as the pattern has tokens."""
    before = 32 * jnp.arange(words, dtype=jnp.int32)[:, None]
    bits = jnp.clip(lengths[None] - before, 0, 32)
    ones = (jnp.uint32(1) << jnp.minimum(bits, 31).astype(jnp.uint32)) - jnp.uint32(1)
    return jnp.where(bits == 32, jnp.uint32(_FULL), ones)


def _count(x: UInt32[Array, "words rows"]) -> Int32[Array, "rows"]:
    return jnp.sum(lax.population_count(x).astype(jnp.int32), axis=0, dtype=jnp.int32)


def _along(step, state, pattern: Sequences, text: Sequences):
    """The state after `step(state, matches, real)` for each token of the text. Match words are
    made for a block of tokens at a time: all of them at once wouldn't fit into memory."""
    places = -(-max(pattern.ids.shape[0], 1) // 32) * 32
    filled = jnp.pad(pattern.ids, ((0, places - pattern.ids.shape[0]), (0, 0)))
    patterns = filled.reshape(-1, 32, filled.shape[1])
    count = text.ids.shape[0]
    block = min(_BLOCK, count)
    blocks = -(-count // block)
    ids = jnp.pad(text.ids, ((0, blocks * block - count), (0, 0))).reshape(blocks, block, -1)
    numbers = jnp.arange(blocks * block, dtype=jnp.int32).reshape(blocks, block)

    def one(state, x):
        number, matches = x
        return step(state, matches, (number < text.lengths)[None]), None

    def many(state, x):
        number, ids = x
        words = jax.vmap(_matches, in_axes=(None, 0))(patterns, ids)
        return lax.scan(one, state, (number, words))[0], None

    if blocks == 1:
        return many(state, (numbers[0], ids[0]))[0]
    return lax.scan(many, state, (numbers, ids))[0]


def _shorter_scan(a: Sequences, b: Sequences) -> tuple[Sequences, Sequences]:
    """The two sequences as pattern and text, in the order that computes fewer machine words."""
    work = lambda pattern, text: -(-pattern.ids.shape[0] // 32) * text.ids.shape[0]
    return (a, b) if work(a, b) <= work(b, a) else (b, a)


def _distance(state, matches, real):
    up, down = state  # where a cell is one more, or one less, than the one above it
    diagonal = (_add(matches & up, up) ^ up) | matches | down
    less, more = up & diagonal, down | ~(up | diagonal)
    more = _shifted(more, 1)
    new = _shifted(less, 0) | ~(more | diagonal)
    return jnp.where(real, new, up), jnp.where(real, more & diagonal, down)


def _common(state, matches, real):
    return jnp.where(real, _add(state, state & matches) | (state & ~matches), state)


def _ones(pattern: Sequences, text: Sequences) -> tuple[int, UInt32[Array, "words rows"]]:
    """The number of words of the pattern, and for each row this many words of ones."""
    words = -(-pattern.ids.shape[0] // 32)
    # Computed from the lengths, so that in `shard_map` it varies over the same devices.
    none = ((pattern.lengths + text.lengths) * 0).astype(jnp.uint32)
    return words, jnp.broadcast_to(~none, (words, *none.shape))


def _empty(a: Sequences, b: Sequences) -> bool:
    return 0 in (*a.ids.shape, *b.ids.shape)


def edit_distance(a: Sequences, b: Sequences) -> Int32[Array, "rows"]:
    """The least number of insertions, deletions and substitutions that turn one sequence into the
    other."""
    if _empty(a, b):
        return jnp.maximum(a.lengths, b.lengths)
    pattern, text = _shorter_scan(a, b)
    words, full = _ones(pattern, text)
    up, down = _along(_distance, (full, ~full), pattern, text)
    low = _low_bits(pattern.lengths, words)
    return text.lengths + _count(up & low) - _count(down & low)


def longest_common(a: Sequences, b: Sequences) -> Int32[Array, "rows"]:
    """The length of the longest common subsequence."""
    if _empty(a, b):
        return jnp.zeros_like(a.lengths)
    pattern, text = _shorter_scan(a, b)
    words, full = _ones(pattern, text)
    left = _along(_common, full, pattern, text)
    return _count(~left & _low_bits(pattern.lengths, words))


def _most_saved(a: Sequences, b: Sequences, hit: Array, other: Array) -> Array:
    """The most that an alignment saves. Two aligned tokens save `hit` if they are equal, and
    `other` if they aren't.

    The table is filled diagonal by diagonal, since the cells of a diagonal don't depend on each
    other. In a row of the table each cell depends on the one before it."""
    a, b = (a, b) if a.ids.shape[0] <= b.ids.shape[0] else (b, a)
    places, count = a.ids.shape[0], b.ids.shape[0]
    end = a.lengths + b.lengths
    # Computed from the lengths, so that in `shard_map` it varies over the same devices.
    none = (end * 0).astype(hit.dtype)
    start = jnp.broadcast_to(none, (places + 1, *none.shape))
    # Reversed, so that the tokens that are compared with those of `a` on a diagonal are contiguous.
    upwards = jnp.pad(b.ids[::-1], ((places, places), (0, 0)))
    place = jnp.arange(1, places + 1, dtype=jnp.int32)[:, None]

    def step(carry, diagonal):
        before, saved = carry
        met = lax.dynamic_slice_in_dim(upwards, places + count + 1 - diagonal, places)
        pair = jnp.where(a.ids == met, hit, other)
        new = jnp.maximum(jnp.maximum(saved[1:], saved[:-1]), before[:-1] + pair)
        new = jnp.concatenate([none[None], jnp.where(place < diagonal, new, 0)])
        real = (diagonal <= end)[None]
        return (jnp.where(real, saved, before), jnp.where(real, new, saved)), None

    diagonals = jnp.arange(2, places + count + 1, dtype=jnp.int32)
    saved = lax.scan(step, (start, start), diagonals)[0][1]
    return jnp.take_along_axis(saved, a.lengths[None], axis=0)[0]


def weighted_distance(a: Sequences, b: Sequences, cost: float) -> Float32[Array, "rows"]:
    """The least cost to turn one sequence into the other, if a substitution costs `cost`, and an
    insertion or a deletion 1."""
    if cost == 0:
        return jnp.abs(a.lengths - b.lengths).astype(jnp.float32)
    if cost == 1:
        return edit_distance(a, b).astype(jnp.float32)
    every = (a.lengths + b.lengths).astype(jnp.float32)
    if cost >= 2 or _empty(a, b):  # a deletion and an insertion are as cheap
        return every - 2 * longest_common(a, b).astype(jnp.float32)
    # Aligning two tokens saves this much, compared with a deletion and an insertion.
    return every - _most_saved(a, b, jnp.float32(2), jnp.float32(2 - cost))


def alignment(a: Sequences, b: Sequences) -> tuple[Int32[Array, "rows"], Int32[Array, "rows"]]:
    """The edit distance, and the largest number of hits of an alignment with that distance. An edit
    costs `one` and a hit saves 1, so that all hits together save less than one edit costs."""
    if _empty(a, b):
        distance = jnp.maximum(a.lengths, b.lengths)
        return distance, jnp.zeros_like(distance)
    places, count = a.ids.shape[0], b.ids.shape[0]
    one = min(places, count) + 1
    if one * (places + count) >= 2**31:
        raise ValueError(
            f"Sequences of {places} and {count} places are too long to be aligned: cut them, or "
            "take `eqm.text.WordErrorRate`, which aligns nothing."
        )
    saved = _most_saved(a, b, jnp.int32(2 * one + 1), jnp.int32(one))
    cost = (a.lengths + b.lengths) * one - saved
    distance = (cost + (one - 1)) // one
    return distance, distance * one - cost
