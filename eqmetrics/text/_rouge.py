from typing import final, get_args, Literal, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Weights
from .._metric.readout import AbstractReadout, AbstractStatistic
from .._onepass.sums import Sums
from .._rows.quotient import over, ratio
from .._rows.rows import undefined_as
from ._edit import longest_common
from ._ngrams import matched_ngrams, ngrams_of
from ._tokens import given_references, Ids, pairs_of, reference_rows, Sequences, Tokens, VALID


Score = Literal["f1", "precision", "recall"]


@final
class RougeScores(AbstractStatistic):
    """ROUGE's precision, recall and F1, each the mean over rows: what [`eqmetrics.text.Rouge`][]
    reads, and three of them share in a `MetricDict`.

    **Arguments:**

    - `order`: 1 to 9 for n-grams of this order, `"L"` for the longest common subsequence.
    - `tokens`: [`eqmetrics.text.Tokens`][], what the ids mean.

    State: 10 floats. Undefined when: no row was seen. The gradient is 0: ids have none.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        scores = eqm.text.RougeScores("L")
        said, meant = jnp.array([[1, 2, 3, 4]]), jnp.array([[1, 3, 4, 5, 6]])
        value = scores(predicted_tokens=said, tokens=meant)
        assert value["precision"] == 0.75 and abs(value["recall"] - 0.6) < 1e-6
        ```
    """

    order: int | str = eqx.field(static=True)
    tokens: Tokens = eqx.field(static=True)
    sums: Sums

    def __init__(self, order: int | Literal["L"], tokens: Tokens = Tokens()):  # noqa: B008
        if order != "L" and order not in range(1, 10):
            raise ValueError(f"`order` is {order!r}, expected 1 to 9, or 'L'.")
        self.order = order
        self.tokens = tokens
        self.sums = Sums(VALID, precision=(), recall=(), f1=(), weight=())

    def _counts(self, said: Sequences, meant: Sequences) -> tuple[Array, Array, Array]:
        """Of pairs: what both have, and what each has."""
        if isinstance(self.order, str):
            return longest_common(said, meant), said.lengths, meant.lengths
        orders = range(self.order, self.order + 1)
        one = Sequences(meant.ids[:, :, None], meant.lengths[:, None])
        own, others = (ngrams_of(x.lengths, orders)[:, 0] for x in (said, meant))
        return matched_ngrams(said, one, orders)[:, 0], own, others

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
        """Takes one reference a row, `tokens` of shape `(*rows, length)`, or several, `references`
        of shape `(*rows, references, length)`, of which those without a token don't exist. A
        `mask` of the rows removes rows; one of all axes of `tokens` or `references` removes
        tokens, and `predicted_mask` those of the prediction. `weights` has the shape of the
        rows."""
        t = reference_rows(
            self.tokens, predicted_tokens, tokens, references, mask, predicted_mask, weights
        )
        both, said, meant = (
            x.astype(jnp.float32).reshape(t.references.lengths.shape)
            for x in self._counts(*pairs_of(t.predicted, t.references))
        )
        # The reference of the best F1, and of those the first.
        f1 = jnp.where(given_references(t.references), ratio(2 * both, said + meant), -1)
        best = jnp.argmax(f1, axis=1)[:, None]
        of_best = lambda x: jnp.take_along_axis(x, best, axis=1)[:, 0]
        scores = {"precision": ratio(both, said), "recall": ratio(both, meant), "f1": f1}
        each = {name: of_best(x) for name, x in scores.items()}
        return self.replace(sums=self.sums.add(t.batch, **each, weight=1))

    def compute(self) -> dict[str, Float32[Array, ""]]:
        """`precision`, `recall` and `f1`."""
        *totals, weight = self.sums.read("precision", "recall", "f1", "weight")
        means = (undefined_as(over(x, weight), weight == 0, None) for x in totals)
        return dict(zip(("precision", "recall", "f1"), means, strict=True))


@final
class Rouge(AbstractReadout):
    r"""ROUGE-N or ROUGE-L: the n-grams, or the longest common subsequence, that prediction and
    reference share, over those that they have, on average over the rows.

    With $m$ shared of $p$ in the prediction and $r$ in the reference, precision is $m / p$, recall
    $m / r$, and $F_1 = 2 m / (p + r)$; each is 0 where it would be 0/0. Of several references the
    one of the best $F_1$ counts. All is as in rouge-score, but for its stemmer, which is work for
    the host. ROUGE-Lsum needs sentences, and is left to [`eqmetrics.Collect`][].

    **Arguments:**

    - `order`: 1 to 9 for n-grams of this order, `"L"` for the longest common subsequence.
    - `tokens`: [`eqmetrics.text.Tokens`][], what the ids mean.
    - `score`: `"f1"`, `"precision"` or `"recall"`.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.text.RougeScores`][], shared. Undefined when: no row was seen. A row
    without tokens counts 0. The gradient is 0: ids have none.
    Source: Lin, "ROUGE: a package for automatic evaluation of summaries", 2004.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        rouge = eqm.MetricDict(one=eqm.text.Rouge(1), longest=eqm.text.Rouge("L"))
        said, meant = jnp.array([[1, 2, 3, 4]]), jnp.array([[1, 3, 4, 5, 6]])
        value = rouge(predicted_tokens=said, tokens=meant)
        assert abs(value["longest"] - 2 / 3) < 1e-6
        ```
    """

    score: Score = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: RougeScores

    def __init__(
        self,
        order: int | Literal["L"],
        tokens: Tokens = Tokens(),  # noqa: B008 - frozen
        *,
        score: Score = "f1",
        undefined: float | None = None,
    ):
        if score not in get_args(Score):
            raise ValueError(f"`score` is {score!r}, expected 'f1', 'precision' or 'recall'.")
        self.score = score
        self.undefined = undefined
        self.statistic = RougeScores(order, tokens)

    def compute(self) -> Float32[Array, ""]:
        """A scalar."""
        total, weight = self.statistic.sums.read(self.score, "weight")
        return undefined_as(over(total, weight), weight == 0, self.undefined)
