"""The longest common subsequences of all pairs of sentences of two texts, from one table."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int32

from ._ngrams import matched_ngrams
from ._tokens import compact, Sequences


def _words(text: Sequences, separator: int) -> Bool[Array, "length rows"]:
    place = jnp.arange(text.ids.shape[0], dtype=jnp.int32)[:, None]
    return (place < text.lengths[None]) & (text.ids != separator)


def _last(words: Bool[Array, "length rows"]) -> Bool[Array, "length rows"]:
    """Which words end a sentence."""
    return words & ~jnp.concatenate([words[1:], jnp.zeros_like(words[:1])])


def _before(x: Array) -> Array:
    """Moves each entry to the next place; the first place becomes 0."""
    return jnp.concatenate([jnp.zeros_like(x[:1]), x[:-1]])


def _after(x: Array) -> Array:
    return jnp.concatenate([x[1:], jnp.zeros_like(x[:1])])


def _in_common(said: Sequences, meant: Sequences, separator: int) -> Bool[Array, "length rows"]:
    """Which words of `meant` are in the longest common subsequence of their sentence and a sentence
    of `said`. Of several such subsequences, rouge-score's is taken: when it traces back through its
    table, it goes left only if the entry on the left is larger than the one above."""
    mine, theirs = _words(meant, separator), _words(said, separator)
    count, rows = theirs.shape
    place = jnp.arange(count, dtype=jnp.int32)[:, None]
    # An offset that grows with each sentence, so that the maximum starts anew at a separator.
    sentence = jnp.cumsum(~theirs, axis=0, dtype=jnp.int32) * (meant.ids.shape[0] + 1)

    def down(above, x):
        token, word = x
        equal = (said.ids == token[None]) & theirs & word[None]
        longest = jnp.where(equal, _before(above) + 1, above)
        longest = jnp.where(theirs & word[None], longest, 0)
        longest = lax.cummax(longest + sentence, axis=0) - sentence
        left = ~equal & (_before(longest) > above) & theirs & word[None]
        return jnp.where(word[None], longest, 0), (equal, left)

    def up(going, x):
        equal, left, word, last = x
        # Where tracing back begins in this sentence, or where it arrives from the word below.
        here = (going | (last[None] & ends)) & theirs & word[None]
        # From there, tracing goes left until a cell stops it.
        source = lax.cummin(jnp.where(here, place, count + 1), axis=0, reverse=True)
        stop = lax.cummin(jnp.where(left, count + 1, place), axis=0, reverse=True)
        stop = jnp.concatenate([stop[1:], jnp.full_like(stop[:1], count + 1)])
        here = source < stop
        found = here & equal
        return _after(found) | (here & ~equal & ~left), jnp.any(found, axis=0)

    # Computed from the lengths, so that in `shard_map` it varies over the same devices.
    none = jnp.broadcast_to((said.lengths + meant.lengths)[None] * 0, (count, rows))
    ends = _last(theirs)
    _, (equal, left) = lax.scan(down, none, (meant.ids, mine))
    start = none > 0
    return lax.scan(up, start, (equal, left, mine, _last(mine)), reverse=True)[1]


def summary_counts(
    said: Sequences, meant: Sequences, separator: int
) -> tuple[Int32[Array, "rows"], Int32[Array, "rows"], Int32[Array, "rows"]]:
    """For each two texts: how many words of `meant` are in common subsequences, and how many words
    each text has. A word counts at most as often as it occurs in `said`."""
    own, others = (_words(x, separator) for x in (said, meant))
    number = lambda words: jnp.sum(words, axis=0, dtype=jnp.int32)
    if 0 in (*said.ids.shape, *meant.ids.shape):
        return jnp.zeros_like(said.lengths), number(own), number(others)
    found = compact(meant.ids, _in_common(said, meant, separator))
    reference = Sequences(found.ids[:, :, None], found.lengths[:, None])
    both = matched_ngrams(compact(said.ids, own), reference, range(1, 2))[:, 0]
    return both, number(own), number(others)
