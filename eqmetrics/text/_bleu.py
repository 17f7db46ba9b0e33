from typing import final, get_args, Literal, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Weights
from .._metric.metric import AbstractExact
from .._metric.readout import AbstractReadout, AbstractStatistic
from .._onepass.sums import Sums
from .._reduction.pair import Pair
from .._rows.nearest_quotient import quotient
from .._rows.rows import undefined_as
from ._ngrams import matched_ngrams, ngrams_of
from ._tokens import given_references, Ids, reference_rows, Tokens, VALID


Smoothing = Literal["none", "exp", "floor", "add-k"]
_VALUES = {"floor": 0.1, "add-k": 1.0}  # as in the paper of Chen and Cherry


@final
class NgramCounts(AbstractStatistic, AbstractExact):
    """How many n-grams the predictions have, how many of them match the references, and the lengths
    of both: the statistic of [`eqmetrics.text.BLEU`][].

    If a row has several references, an n-gram matches at most as often as it occurs in the one that
    contains it most often. The reference length of a row is the length closest to that of the
    prediction; of two that are equally close, the shorter. The counts are the same integers as
    sacrebleu's.

    **Arguments:**

    - `tokens`: [`eqmetrics.text.Tokens`][], the padding and the stop id.
    - `max_order`: the largest order of the n-grams.

    State: `4 * max_order + 6` floats. Undefined when: never; empty sums are 0. The gradient is 0:
    the inputs are ids.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        counts = eqm.text.NgramCounts(max_order=2)
        value = counts(predicted_tokens=jnp.array([[1, 2, 3]]), tokens=jnp.array([[1, 2, 4]]))
        assert value["matches"].tolist() == [2, 1] and value["totals"].tolist() == [3, 2]
        ```
    """

    tokens: Tokens = eqx.field(static=True)
    max_order: int = eqx.field(static=True)
    sums: Sums

    def __init__(self, tokens: Tokens = Tokens(), *, max_order: int = 4):  # noqa: B008 - frozen
        if max_order < 1:
            raise ValueError(f"`max_order` is {max_order}, expected 1 or more.")
        self.tokens = tokens
        self.max_order = max_order
        self.sums = Sums(
            VALID, matches=max_order, totals=max_order, length=(), reference_length=()
        )

    def update(
        self,
        *,
        predicted_tokens: Ids,
        tokens: Ids | None = None,
        references: Ids | None = None,
        mask: Mask = None,
        predicted_mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """Takes `tokens` of shape `(*rows, length)`, one reference per row, or `references` of
        shape `(*rows, references, length)`, several per row. A reference without a token is
        ignored. A `mask` with the shape of the rows removes rows; one with the shape of `tokens` or
        `references` removes tokens. `predicted_mask` removes tokens of the prediction. `weights`
        has the shape of the rows."""
        t = reference_rows(
            self.tokens, predicted_tokens, tokens, references, mask, predicted_mask, weights
        )
        orders = range(1, self.max_order + 1)
        length, others = t.predicted.lengths, t.references.lengths
        # The shortest of the closest lengths. References that don't exist get a huge distance.
        distance = jnp.where(
            given_references(t.references), jnp.abs(others - length[:, None]), 2**30
        )
        nearest = distance == jnp.min(distance, axis=1, keepdims=True)
        closest = jnp.min(jnp.where(nearest, others, 2**30), axis=1)
        counts = {
            "matches": matched_ngrams(t.predicted, t.references, orders),
            "totals": ngrams_of(length, orders),
            "length": length,
            "reference_length": closest,
        }
        each = {name: x.astype(jnp.float32) for name, x in counts.items()}
        return self.replace(sums=self.sums.add(t.batch, **each))

    def exact(self) -> dict[str, Pair]:
        return {name: self.sums.pair(name) for name, _ in self.sums.shapes}

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """`matches` and `totals`, of shape `(max_order,)`, `length` and `reference_length`."""
        return self.sums.compute()


@final
class BLEU(AbstractReadout):
    r"""BLEU of a corpus, between 0 and 100: the geometric mean of the n-gram precisions, times the
    brevity penalty $e^{1 - r/c}$ if the predictions, of length $c$, are shorter than the
    references, of length $r$.

    The counts are the same integers as sacrebleu's, and so is the value if the ids come from the
    same tokenizer. BLEU isn't the mean of the scores of the sentences; `per_row` gives those.

    **Arguments:**

    - `tokens`: [`eqmetrics.text.Tokens`][], the padding and the stop id.
    - `max_order`: the largest order of the n-grams.
    - `smoothing`: what replaces the number of matches of an order in which nothing matches.
        `"none"`: 0, so the value is 0. `"exp"`: half a match, then a quarter in the next such
        order, and so on (sacrebleu's default). `"floor"`: `smoothing_value` matches. `"add-k"`
        instead adds `smoothing_value` to the matches and totals of all orders but the first.
    - `smoothing_value`: 0.1 for `"floor"`, 1 for `"add-k"`, if not given.
    - `effective_order`: if `True`, the mean leaves out the orders in which the predictions have no
        n-gram, as in sentences shorter than `max_order`. If `False`, such an order makes the value
        0, except with `smoothing="add-k"`.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.text.NgramCounts`][], shared. Undefined when: neither predictions nor
    references have a token. If no token matches at all, the value is 0 with any smoothing, as
    in sacrebleu. The gradient is 0: the inputs are ids.
    Source: Papineni, Roukos, Ward and Zhu, "BLEU: a method for automatic evaluation of machine
    translation", 2002; Chen and Cherry, "A systematic comparison of smoothing techniques for
    sentence-level BLEU", 2014; Post, "A call for clarity in reporting BLEU scores", 2018.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        predicted, reference = jnp.array([[1, 2, 3, 4, 5]]), jnp.array([[1, 2, 3, 4, 6]])
        value = eqm.text.BLEU()(predicted_tokens=predicted, tokens=reference)
        assert abs(value - 100 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** (1 / 4)) < 1e-3
        ```
    """

    smoothing: Smoothing = eqx.field(static=True)
    smoothing_value: float | None = eqx.field(static=True)
    effective_order: bool = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: NgramCounts

    def __init__(
        self,
        tokens: Tokens = Tokens(),  # noqa: B008 - frozen
        *,
        max_order: int = 4,
        smoothing: Smoothing = "none",
        smoothing_value: float | None = None,
        effective_order: bool = False,
        undefined: float | None = None,
    ):
        if smoothing not in get_args(Smoothing):
            raise ValueError(
                f"`smoothing` is {smoothing!r}, expected 'none', 'exp', 'floor' or 'add-k'."
            )
        if smoothing_value is not None and (smoothing not in _VALUES or smoothing_value <= 0):
            raise ValueError(
                f"`smoothing_value` is {smoothing_value}, and `smoothing` {smoothing!r}: it is a "
                "number above 0, of 'floor' and 'add-k' alone."
            )
        self.smoothing = smoothing
        self.smoothing_value = smoothing_value
        self.effective_order = effective_order
        self.undefined = undefined
        self.statistic = NgramCounts(tokens, max_order=max_order)

    def compute(self) -> Float32[Array, ""]:
        """A scalar, between 0 and 100."""
        matches, totals, length, reference = self.statistic.sums.read(
            "matches", "totals", "length", "reference_length"
        )
        any_match = jnp.any(matches > 0)
        value = self.smoothing_value or _VALUES.get(self.smoothing, 0.0)
        if self.smoothing == "add-k":
            later = jnp.arange(matches.size, dtype=jnp.int32) > 0
            matches, totals = (jnp.where(later, x + value, x) for x in (matches, totals))
        none = matches == 0
        if self.smoothing == "exp":
            instead = jnp.exp2(-jnp.cumsum(none & (totals > 0), dtype=jnp.float32))
        else:
            instead = jnp.full_like(matches, value if self.smoothing == "floor" else 0.0)
        precisions = quotient(jnp.where(none, instead, matches), totals)
        # With `effective_order` the mean leaves out orders without n-grams; else they make it 0.
        taken = totals > 0 if self.effective_order else jnp.ones_like(none)
        logs = jnp.log(jnp.where(precisions > 0, precisions, 1))
        count = jnp.maximum(jnp.sum(taken, dtype=jnp.float32), 1)
        mean = jnp.exp(jnp.sum(jnp.where(taken, logs, 0)) / count)
        short = jnp.exp(1 - jnp.maximum(quotient(reference, length), 1))
        is_zero = jnp.any(taken & (precisions == 0)) | ~any_match
        bleu = jnp.where(is_zero, 0, 100 * mean * short)
        return undefined_as(bleu, (length == 0) & (reference == 0), self.undefined)
