"""Padded arrays of ids, and their tokens without the gaps."""

import dataclasses
import math
from typing import Any, ClassVar, final, NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int32, Integer

from .._custom_types import Input, Mask, Weights
from .._metric.messages import describe
from .._metric.numbers import plain_numbers
from .._rows.inner import split_mask
from .._rows.rows import flat, narrow, Rows, rows


Ids = Integer[Input, "..."]


@final
@plain_numbers
@dataclasses.dataclass(frozen=True)
class Tokens:
    """Which id of a padded sequence means padding, and which id ends it: static, hashable.

    A sequence is the last axis of an array of integers. Ids equal to `padding` are left out at any
    position, and their neighbours move together. The first `stop` and all ids after it are left
    out, too. So more padding doesn't change a value, and neither do ids that a decoder wrote after
    `stop`.

    **Arguments:**

    - `padding`: the id that means "no token".
    - `stop`: the id that ends a sequence and isn't part of it; `None`: there is no such id.

    If both are the same id, a ValueError is raised.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        wer = eqm.text.WordErrorRate(eqm.text.Tokens(padding=0, stop=9))
        predicted, reference = jnp.array([[1, 0, 3, 9, 7]]), jnp.array([[1, 2, 3, 0]])
        assert abs(wer(predicted_tokens=predicted, tokens=reference) - 1 / 3) < 1e-6
        ```
    """

    built_as: ClassVar[str] = "what ids are, as `eqm.text.Tokens(padding=0)`"
    padding: int = -1
    stop: int | None = None

    def __post_init__(self) -> None:
        for name, x in (("padding", self.padding), ("stop", self.stop)):
            if x is not None and not -(2**31) <= x < 2**31:
                raise ValueError(f"Tokens({name}={x}): expected an id of 32 bits.")
        if self.padding == self.stop:
            raise ValueError(
                f"`padding` and `stop` are both {self.stop}. Where one id pads and ends, all that "
                f"follows it is padding anyway: `Tokens(padding=-1, stop={self.stop})`."
            )

    def exist(self, ids: Int32[Array, "length ..."], given: Bool[Array, "length ..."]) -> Array:
        """Which of the ids that a mask keeps exist."""
        real = (ids != self.padding) & given
        if self.stop is None:
            return real
        return real & (jnp.cumsum(real & (ids == self.stop), axis=0, dtype=jnp.int32) == 0)


VALID = "ids of 32 bits, weights >= 0 and finite"


class Sequences(NamedTuple):
    """Sequences without gaps, one per column. Ids beyond the length of a sequence are arbitrary."""

    ids: Int32[Array, "length *rows"]
    lengths: Int32[Array, "*rows"]


def _moved(ids: Array, keep: Array, length: Array) -> Array:
    """The ids that are kept, moved together."""
    where = jnp.where(keep, jnp.cumsum(keep, axis=0, dtype=jnp.int32) - 1, ids.shape[0])
    columns = jnp.arange(ids.shape[1], dtype=jnp.int32)[None]
    return jnp.zeros_like(ids).at[where, columns].set(ids, mode="drop")


def compact(ids: Int32[Array, "length rows"], keep: Bool[Array, "length rows"]) -> Sequences:
    """The ids that are kept, without the gaps."""
    length = jnp.sum(keep, axis=0, dtype=jnp.int32)
    if ids.size == 0:
        return Sequences(ids, length)
    # Usually all padding is at the end, and nothing has to move.
    whole = keep == (jnp.arange(ids.shape[0], dtype=jnp.int32)[:, None] < length[None])
    as_it_is = lambda ids, keep, length: ids
    return Sequences(lax.cond(jnp.all(whole), as_it_is, _moved, ids, keep, length), length)


class TokenRows(NamedTuple):
    """The rows of a batch, each with a prediction and one reference or several."""

    batch: Rows
    predicted: Sequences  # (length, rows)
    references: Sequences  # (length, rows), or (length, rows, references)


def _columns(tokens: Tokens, ids: Array, given: Array) -> Sequences:
    """The sequences of an array of shape `(rows, *inner, length)`, with the rows last."""
    columns = jnp.moveaxis(narrow(ids), -1, 0)
    shape = columns.shape
    pieces = columns.reshape(shape[0], math.prod(shape[1:]))
    kept = tokens.exist(pieces, jnp.moveaxis(given, -1, 0).reshape(pieces.shape))
    found = compact(pieces, kept)
    return Sequences(found.ids.reshape(shape), found.lengths.reshape(shape[1:]))


def _too_wide(ids: Array) -> Bool[Array, "rows"] | None:
    """Rows with ids that don't fit in 32 bits."""
    if jnp.iinfo(ids.dtype).max <= 2**31 - 1:
        return None
    narrowed = narrow(ids)
    wrong = (narrowed.astype(ids.dtype) != ids) | ((narrowed < 0) & (ids > 0))
    return jnp.any(wrong, axis=tuple(range(1, ids.ndim)))


def token_rows(
    tokens: Tokens,
    predicted: Any,
    references: Any,
    mask: Mask,
    predicted_mask: Any,
    weights: Weights,
    *,
    name: str = "tokens",
    inner: int = 1,
) -> TokenRows:
    """Checks shapes and flattens the rows. `inner` is how many of the last axes of the references
    belong to one row: 2 if a row has several references. A mask with all axes removes tokens."""
    leading = references.ndim - inner
    if leading < 0 or predicted.ndim < 1 or references.shape[:leading] != predicted.shape[:-1]:
        axes = "(*rows, length)" if inner == 1 else "(*rows, references, length)"
        raise TypeError(
            f"`predicted_tokens` is {describe(predicted)} and `{name}` is {describe(references)}: "
            f"expected (*rows, length) and {axes} with the same rows. Sequences of other lengths "
            f"are padded with {tokens.padding}."
        )
    mask, given = split_mask(mask, references, inner, name)
    shape = references.shape[leading:]
    batch = rows(references, mask, weights, shape, name)
    if predicted_mask is not None and predicted_mask.shape != predicted.shape:
        raise TypeError(
            f"`predicted_mask` is {describe(predicted_mask)} and `predicted_tokens` is "
            f"{describe(predicted)}: it removes predicted tokens, so it has their shape. What "
            "removes rows is the `mask`."
        )
    own = flat(predicted, predicted.shape[-1:])
    if predicted_mask is None:
        own_given = jnp.ones(own.shape, bool)
    else:
        own_given = flat(predicted_mask, predicted.shape[-1:])
    for wrong in (_too_wide(own), _too_wide(batch.values)):
        batch = batch if wrong is None else batch.without(wrong)
    return TokenRows(
        batch, _columns(tokens, own, own_given), _columns(tokens, batch.values, given)
    )


def reference_rows(
    tokens: Tokens,
    predicted: Any,
    one: Any,
    several: Any,
    mask: Mask,
    predicted_mask: Any,
    weights: Weights,
) -> TokenRows:
    """Like `token_rows`, for exactly one of `tokens` and `references`. The result has an axis of
    references, of length 1 for `tokens`."""
    if (one is None) == (several is None):
        raise TypeError(
            "Expected `tokens`, one reference a row, of shape (*rows, length), or `references`, "
            f"several, of shape (*rows, references, length); {'none' if one is None else 'both'} "
            "came."
        )
    if several is not None:
        found = token_rows(
            tokens, predicted, several, mask, predicted_mask, weights, name="references", inner=2
        )
        if several.shape[-2] == 0:
            raise TypeError(f"`references` is {describe(several)}: a row has no reference at all.")
        return found
    found = token_rows(tokens, predicted, one, mask, predicted_mask, weights)
    ids, lengths = found.references
    return found._replace(references=Sequences(ids[:, :, None], lengths[:, None]))


def given_references(references: Sequences) -> Bool[Array, "rows references"]:
    """Which references exist: those with a token, since a row may have fewer than others. If no
    reference of a row has a token, its first reference exists and is empty."""
    some = references.lengths > 0
    none = ~jnp.any(some, axis=1)
    first = jnp.arange(some.shape[1], dtype=jnp.int32) == 0
    return some | (none[:, None] & first[None])


def pairs_of(predicted: Sequences, references: Sequences) -> tuple[Sequences, Sequences]:
    """Two arrays of columns, one column per reference: the prediction of its row, and the
    reference."""
    count = references.lengths.shape[1]
    flat_ids = references.ids.reshape(references.ids.shape[0], references.lengths.size)
    each = Sequences(flat_ids, references.lengths.reshape(-1))
    if count == 1:
        return predicted, each
    repeat = lambda x, axis: jnp.repeat(x, count, axis=axis)
    return Sequences(repeat(predicted.ids, 1), repeat(predicted.lengths, 0)), each
