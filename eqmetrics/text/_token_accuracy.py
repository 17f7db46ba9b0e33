from typing import Any, final, NamedTuple, Self

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int32

from .._custom_types import Input, Labels, Mask, Weights
from .._decisions.softmax import largest, shifted, sum_of_exponentials
from .._metric.messages import describe
from .._rows.inner import split_mask
from .._rows.row_mean import AbstractRowMean, Empty
from .._rows.rows import narrow, rows
from ._token_likelihoods import labels_of


def best_token(
    logits: Float[Array, "*rows vocabulary"],
) -> tuple[Int32[Array, "*rows"], Bool[Array, "*rows"]]:
    """The place of the largest logit (the first, if several are equal), and whether all are valid.

    Like the likelihoods, it is computed in forms that XLA fuses on a CPU. On a CPU an argmax over a
    vocabulary takes ten times as long, and a comparison with the largest logit writes an array of
    the size of the logits. So the difference of a logit to the largest is multiplied by nearly the
    largest float: the product is 0, or so far below 0 that its exponential is 0.
    """
    size = logits.shape[-1]
    top = largest(logits)
    whole = sum_of_exponentials(logits, top)
    # Without this barrier the two would share a difference: an array of the size of the logits.
    logits, top, whole = lax.optimization_barrier((logits, top, whole))
    is_best = jnp.exp(shifted(logits, top) * 3e38)
    from_last = jnp.float32(size) - jnp.arange(size, dtype=jnp.float32)
    code = jnp.max(is_best * lax.expand_dims(from_last, range(logits.ndim - 1)), axis=-1)
    first = jnp.where(top[..., 0] == -jnp.inf, 0, jnp.float32(size) - code)
    known = whole[..., 0] < jnp.inf
    return jnp.where(known, first, 0).astype(jnp.int32), known


class RightTokens(NamedTuple):
    """Which tokens are right, which aren't ignored, and which are valid. All have the shape of the
    labels."""

    labels: Int32[Array, "*rows"]
    right: Bool[Array, "*rows"]
    taken: Bool[Array, "*rows"]
    valid: Bool[Array, "*rows"]


def right_tokens(
    labels: Any, logits: Any, predicted_labels: Any, ignore_index: int | None
) -> RightTokens:
    if (logits is None) == (predicted_labels is None):
        raise TypeError(
            "Exactly one of `logits` and `predicted_labels` says what was predicted; got "
            f"{'neither' if logits is None else 'both'}. Leave one out: "
            "`metric.from_output(predicted_labels=None)`."
        )
    if logits is not None:
        labels = labels_of(labels, logits, "logits", logits.shape[:-1])
        predicted, valid = best_token(lax.stop_gradient(logits))
        valid &= labels < logits.shape[-1]
    else:
        labels = labels_of(labels, predicted_labels, "predicted_labels", predicted_labels.shape)
        predicted = narrow(predicted_labels)
        valid = predicted >= 0
    taken = jnp.ones(labels.shape, bool) if ignore_index is None else labels != ignore_index
    return RightTokens(labels, labels == predicted, taken, valid & (labels >= 0))


def _valid(ignore_index: int | None) -> str:
    ignored = "" if ignore_index is None else f" or {ignore_index} to be ignored"
    return (
        f"labels in [0, vocabulary){ignored}, logits without NaN and infinity, weights >= 0 and "
        "finite"
    )


@final
class TokenAccuracy(AbstractRowMean):
    """The share of tokens that are the first guess of a language model.

    It is [`eqmetrics.Accuracy`][] for vocabularies: it doesn't need their size, and makes no array
    of the size of the logits. If several tokens have the highest logit, the guess is the one with
    the lowest id.

    **Arguments:**

    - `ignore_index`: tokens with this label are left out, as [`eqmetrics.Multiclass`][] does.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: 6 floats. Undefined when: no token was seen.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        accuracy = eqm.text.TokenAccuracy(ignore_index=-100)
        logits = jnp.array([[[0.0, 2.0], [3.0, 0.0], [1.0, 0.0]]])
        assert accuracy(logits=logits, labels=jnp.array([[1, 1, -100]])) == 0.5
        ```
    """

    ignore_index: int | None = eqx.field(static=True)

    def __init__(self, ignore_index: int | None = None, *, undefined: float | None = None):
        self.ignore_index = ignore_index
        AbstractRowMean.__init__(self, _valid(ignore_index), undefined=undefined)

    def update(
        self,
        *,
        labels: Labels,
        logits: Float[Input, "..."] | None = None,
        predicted_labels: Labels | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """Takes `labels` of any shape, with `logits`, which have one more axis for the vocabulary,
        or with `predicted_labels` of the same shape. A row is a token: `mask` and `weights` have
        the shape of the tokens, or of their leading axes."""
        found = right_tokens(labels, logits, predicted_labels, self.ignore_index)
        batch = rows(found.labels, mask, weights, name="labels")
        batch = batch.only(found.taken.ravel()).without(~found.valid.ravel())
        return self.plus(batch, found.right.ravel().astype(jnp.float32))


@final
class SequenceAccuracy(AbstractRowMean):
    """The share of sequences in which every token is the first guess of the model.

    The prediction at each position is compared with the label at that position, as under teacher
    forcing. [`eqmetrics.text.SequenceExactMatch`][] compares sequences of different lengths.

    **Arguments:**

    - `ignore_index`: tokens with this label are left out.
    - `empty`: the value of a sequence without tokens: `"skip"` leaves it out, `"zero"` and
        `"one"` count it as 0 or 1.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: 6 floats. Undefined when: no sequence has a value.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        accuracy = eqm.text.SequenceAccuracy()
        predicted, labels = jnp.array([[1, 2, 3], [1, 2, 9]]), jnp.array([[1, 2, 3], [1, 2, 0]])
        assert accuracy(predicted_labels=predicted, labels=labels) == 0.5
        assert accuracy(predicted_labels=predicted, labels=labels, mask=labels > 0) == 1
        ```
    """

    ignore_index: int | None = eqx.field(static=True)

    def __init__(
        self,
        ignore_index: int | None = None,
        *,
        empty: Empty = "skip",
        undefined: float | None = None,
    ):
        self.ignore_index = ignore_index
        AbstractRowMean.__init__(self, _valid(ignore_index), empty=empty, undefined=undefined)

    def update(
        self,
        *,
        labels: Labels,
        logits: Float[Input, "..."] | None = None,
        predicted_labels: Labels | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """Takes `labels` of shape `(*rows, length)`, with `logits` of shape
        `(*rows, length, vocabulary)` or `predicted_labels` of shape `(*rows, length)`. `weights`
        has the shape of the rows. A `mask` of that shape removes rows; one with the shape of the
        labels removes tokens. A row with an invalid token is invalid."""
        found = right_tokens(labels, logits, predicted_labels, self.ignore_index)
        if found.labels.ndim == 0:
            raise TypeError(
                f"`labels` is {describe(found.labels)}, expected sequences: of shape "
                "(*rows, length)."
            )
        of_rows, given = split_mask(mask, found.labels, 1, "labels")
        length = found.labels.shape[-1:]
        batch = rows(found.labels, of_rows, weights, length, "labels")
        right, taken, valid = (x.reshape(given.shape) for x in found[1:])
        taken &= given
        batch = batch.without(jnp.any(taken & ~valid, axis=-1))
        score = jnp.all(right | ~taken, axis=-1).astype(jnp.float32)
        return self.plus(batch, score, jnp.any(taken, axis=-1))
