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


def _in_common(
    predicted: Sequences, reference: Sequences, separator: int
) -> Bool[Array, "length rows"]:
    """Which words of `reference` are in the longest common subsequence of their sentence and a
    sentence of `predicted`. Of several such subsequences, rouge-score's is taken: when it traces
    back through its table, it goes left only if the entry on the left is larger than the one
    above."""
    in_reference, in_predicted = _words(reference, separator), _words(predicted, separator)
    count, rows = in_predicted.shape
    place = jnp.arange(count, dtype=jnp.int32)[:, None]
    # An offset that grows with each sentence, so that the maximum starts anew at a separator.
    sentence = jnp.cumsum(~in_predicted, axis=0, dtype=jnp.int32) * (reference.ids.shape[0] + 1)

    def down(above, x):
        token, word = x
        equal = (predicted.ids == token[None]) & in_predicted & word[None]
        longest = jnp.where(equal, _before(above) + 1, above)
        longest = jnp.where(in_predicted & word[None], longest, 0)
        longest = lax.cummax(longest + sentence, axis=0) - sentence
        left = ~equal & (_before(longest) > above) & in_predicted & word[None]
        return jnp.where(word[None], longest, 0), (equal, left)

    def up(going, x):
        equal, left, word, last = x
        # Where tracing back begins in this sentence, or where it arrives from the word below.
        here = (going | (last[None] & ends)) & in_predicted & word[None]
        # From there, tracing goes left until a cell stops it.
        source = lax.cummin(jnp.where(here, place, count + 1), axis=0, reverse=True)
        stop = lax.cummin(jnp.where(left, count + 1, place), axis=0, reverse=True)
        stop = jnp.concatenate([stop[1:], jnp.full_like(stop[:1], count + 1)])
        here = source < stop
        found = here & equal
        return _after(found) | (here & ~equal & ~left), jnp.any(found, axis=0)

    # Computed from the lengths, so that in `shard_map` it varies over the same devices.
    none = jnp.broadcast_to((predicted.lengths + reference.lengths)[None] * 0, (count, rows))
    ends = _last(in_predicted)
    _, (equal, left) = lax.scan(down, none, (reference.ids, in_reference))
    start = none > 0
    return lax.scan(up, start, (equal, left, in_reference, _last(in_reference)), reverse=True)[1]


def summary_counts(
    predicted: Sequences, reference: Sequences, separator: int
) -> tuple[Int32[Array, "rows"], Int32[Array, "rows"], Int32[Array, "rows"]]:
    """For each two texts: how many words of `reference` are in common subsequences, and how many
    words each text has. A word counts at most as often as it occurs in `predicted`."""
    in_predicted, in_reference = (_words(x, separator) for x in (predicted, reference))
    number = lambda words: jnp.sum(words, axis=0, dtype=jnp.int32)
    if 0 in (*predicted.ids.shape, *reference.ids.shape):
        return jnp.zeros_like(predicted.lengths), number(in_predicted), number(in_reference)
    found = compact(reference.ids, _in_common(predicted, reference, separator))
    common = Sequences(found.ids[:, :, None], found.lengths[:, None])
    both = matched_ngrams(compact(predicted.ids, in_predicted), common, range(1, 2))[:, 0]
    return both, number(in_predicted), number(in_reference)
