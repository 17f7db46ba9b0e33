from typing import final, get_args, Literal, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Weights
from .._metric.readout import AbstractReadout, AbstractStatistic
from .._onepass.sums import Sums
from .._rows.nearest_quotient import quotient, quotient_or
from ._edit import longest_common
from ._ngrams import matched_ngrams, ngrams_of
from ._summary import summary_counts
from ._tokens import given_references, Ids, pairs_of, reference_rows, Sequences, Tokens, VALID


Score = Literal["f1", "precision", "recall"]
Order = int | Literal["L", "Lsum"]
Accumulate = Literal["best", "mean"]


@final
class RougeScores(AbstractStatistic):
    """ROUGE's precision, recall and F1, each a mean over the rows: the statistic of
    [`eqmetrics.text.Rouge`][]. In a `MetricDict` the metrics of all three scores share it.

    **Arguments:**

    - `order`: 1 to 9 for n-grams of this order, `"L"` for the longest common subsequence, `"Lsum"`
        for those of all pairs of sentences.
    - `tokens`: [`eqmetrics.text.Tokens`][], the padding and the stop id.
    - `accumulate`: of several references, `"best"` takes the one with the best $F_1$, `"mean"` the
        mean over them.
    - `separator`: for `"Lsum"`, the id between sentences.

    State: 10 floats. Undefined when: no row was seen. The gradient is 0: the inputs are ids.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        scores = eqm.text.RougeScores("L")
        predicted, reference = jnp.array([[1, 2, 3, 4]]), jnp.array([[1, 3, 4, 5, 6]])
        value = scores(predicted_tokens=predicted, tokens=reference)
        assert value["precision"] == 0.75 and abs(value["recall"] - 0.6) < 1e-6
        ```
    """

    order: int | str = eqx.field(static=True)
    tokens: Tokens = eqx.field(static=True)
    accumulate: Accumulate = eqx.field(static=True)
    separator: int | None = eqx.field(static=True)
    sums: Sums

    def __init__(
        self,
        order: Order,
        tokens: Tokens = Tokens(),  # noqa: B008 - frozen
        *,
        accumulate: Accumulate = "best",
        separator: int | None = None,
    ):
        if order not in ("L", "Lsum") and order not in range(1, 10):
            raise ValueError(f"`order` is {order!r}, expected 1 to 9, or 'L', or 'Lsum'.")
        if accumulate not in get_args(Accumulate):
            raise ValueError(f"`accumulate` is {accumulate!r}, expected 'best' or 'mean'.")
        if (order == "Lsum") != (separator is not None):
            raise ValueError(
                f"order={order!r}, separator={separator}: 'Lsum' alone, which compares sentences, "
                "needs the id that stands between them: `Rouge('Lsum', separator=0)`."
            )
        if separator is not None and separator in (tokens.padding, tokens.stop):
            raise ValueError(f"separator={separator}: that is the padding or the stop of {tokens}.")
        self.order = order
        self.tokens = tokens
        self.accumulate = accumulate
        self.separator = separator
        self.sums = Sums(VALID, precision=(), recall=(), f1=(), weight=())

    def _counts(self, predicted: Sequences, reference: Sequences) -> tuple[Array, Array, Array]:
        """For each prediction and reference: how many n-grams or words both have, and how many each
        has."""
        if self.separator is not None:
            return summary_counts(predicted, reference, self.separator)
        if isinstance(self.order, str):
            return longest_common(predicted, reference), predicted.lengths, reference.lengths
        orders = range(self.order, self.order + 1)
        one = Sequences(reference.ids[:, :, None], reference.lengths[:, None])
        own, others = (ngrams_of(x.lengths, orders)[:, 0] for x in (predicted, reference))
        return matched_ngrams(predicted, one, orders)[:, 0], own, others

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
        both, predicted, reference = (
            x.astype(jnp.float32).reshape(t.references.lengths.shape)
            for x in self._counts(*pairs_of(t.predicted, t.references))
        )
        scores = {
            "precision": quotient(both, predicted),
            "recall": quotient(both, reference),
            "f1": quotient(2 * both, predicted + reference),
        }
        real = given_references(t.references)
        if self.accumulate == "mean":
            count = jnp.sum(real.astype(jnp.float32), axis=1)
            totals = {n: jnp.sum(jnp.where(real, x, 0), 1) for n, x in scores.items()}
            each = {n: quotient(x, count) for n, x in totals.items()}
        else:
            # The reference with the best F1; of several with the same F1, the first.
            best = jnp.argmax(jnp.where(real, scores["f1"], -1), axis=1)[:, None]
            of_best = lambda x: jnp.take_along_axis(x, best, axis=1)[:, 0]
            each = {name: of_best(x) for name, x in scores.items()}
        return self.replace(sums=self.sums.add(t.batch, **each, weight=1))

    def compute(self) -> dict[str, Float32[Array, ""]]:
        """`precision`, `recall` and `f1`."""
        *totals, weight = self.sums.read("precision", "recall", "f1", "weight")
        means = (quotient_or(x, weight, None) for x in totals)
        return dict(zip(("precision", "recall", "f1"), means, strict=True))


@final
class Rouge(AbstractReadout):
    r"""ROUGE-N, ROUGE-L or ROUGE-Lsum: the share of n-grams, or of the longest common subsequence,
    that predictions and references have in common, as a mean over the rows.

    With $m$ in common, $p$ in the prediction and $r$ in the reference, precision is $m / p$, recall
    is $m / r$, and $F_1 = 2 m / (p + r)$; each is 0 where it would be 0/0. ROUGE-Lsum compares
    texts of several sentences: a word of the reference counts if it is in the longest common
    subsequence of its sentence and any sentence of the prediction. Everything is as in rouge-score,
    but stemming isn't included: do it on the host.

    **Arguments:**

    - `order`: 1 to 9 for n-grams of this order, `"L"` for the longest common subsequence, `"Lsum"`
        for those of all pairs of sentences.
    - `tokens`: [`eqmetrics.text.Tokens`][], the padding and the stop id.
    - `accumulate`: of several references, `"best"` takes the one with the best $F_1$, `"mean"` the
        mean over them.
    - `separator`: for `"Lsum"`, the id between sentences.
    - `score`: `"f1"`, `"precision"` or `"recall"`.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.text.RougeScores`][], shared. Undefined when: no row was seen. A row
    without tokens counts as 0. The gradient is 0: the inputs are ids.
    Source: Lin, "ROUGE: a package for automatic evaluation of summaries", 2004.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        rouge = eqm.MetricDict(one=eqm.text.Rouge(1), longest=eqm.text.Rouge("L"))
        predicted, reference = jnp.array([[1, 2, 3, 4]]), jnp.array([[1, 3, 4, 5, 6]])
        value = rouge(predicted_tokens=predicted, tokens=reference)
        assert abs(value["longest"] - 2 / 3) < 1e-6
        ```
    """

    score: Score = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: RougeScores

    def __init__(
        self,
        order: Order,
        tokens: Tokens = Tokens(),  # noqa: B008 - frozen
        *,
        score: Score = "f1",
        accumulate: Accumulate = "best",
        separator: int | None = None,
        undefined: float | None = None,
    ):
        if score not in get_args(Score):
            raise ValueError(f"`score` is {score!r}, expected 'f1', 'precision' or 'recall'.")
        self.score = score
        self.undefined = undefined
        self.statistic = RougeScores(order, tokens, accumulate=accumulate, separator=separator)

    def compute(self) -> Float32[Array, ""]:
        """A scalar."""
        total, weight = self.statistic.sums.read(self.score, "weight")
        return quotient_or(total, weight, self.undefined)
