"""Hits, substitutions, deletions and insertions of the best alignment of predictions and
references, and rates computed from them."""

from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Weights
from .._metric.metric import AbstractExact
from .._metric.readout import AbstractReadout, AbstractStatistic
from .._onepass.sums import Sums
from .._reduction.pair import add, Pair
from .._rows.nearest_quotient import quotient, quotient_or
from .._rows.rows import undefined_as
from ._edit import alignment
from ._tokens import Ids, token_rows, Tokens, VALID


@final
class AlignmentCounts(AbstractStatistic, AbstractExact):
    """The sums of hits, substitutions, deletions and insertions when each prediction is aligned
    with its reference so that there are as few edits as possible.

    If several alignments have the fewest edits, the one with the most hits counts. So the counts
    don't depend on how an implementation searches. (jiwer takes the first alignment that it finds.
    In torchmetrics the number of hits is the larger length minus the edits: 0 for "a b" and "b a".)

    **Arguments:**

    - `tokens`: [`eqmetrics.text.Tokens`][], the padding and the stop id.

    An update fills a table with a cell for each predicted token and each token of the reference. It
    takes four to eight times as long as an update of [`eqmetrics.text.EditCounts`][], which doesn't
    count hits.

    State: 10 floats. Undefined when: never; empty sums are 0. The gradient is 0: the inputs are
    ids.
    Source: Morris, Maier and Green, "From WER and RIL to MER and WIL: improved evaluation measures
    for connected speech recognition", 2004.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        counts = eqm.text.AlignmentCounts()
        value = counts(predicted_tokens=jnp.array([[2, 1]]), tokens=jnp.array([[1, 2]]))
        assert value == {"hits": 1, "substitutions": 0, "deletions": 1, "insertions": 1}
        ```
    """

    tokens: Tokens = eqx.field(static=True)
    sums: Sums

    def __init__(self, tokens: Tokens = Tokens()):  # noqa: B008 - frozen
        self.tokens = tokens
        self.sums = Sums(VALID, hits=(), substitutions=(), deletions=(), insertions=())

    def update(
        self,
        *,
        predicted_tokens: Ids,
        tokens: Ids,
        mask: Mask = None,
        predicted_mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`predicted_tokens` and `tokens` are ids of shape `(*rows, length)`; the two lengths may
        differ. A `mask` with the shape of the rows removes rows; one with the shape of `tokens`
        removes tokens. `predicted_mask` removes tokens of the prediction. `weights` has the shape
        of the rows."""
        t = token_rows(self.tokens, predicted_tokens, tokens, mask, predicted_mask, weights)
        distance, hits = alignment(t.references, t.predicted)
        missed, extra = t.references.lengths - hits, t.predicted.lengths - hits
        substituted = missed + extra - distance
        counts = {
            "hits": hits,
            "substitutions": substituted,
            "deletions": missed - substituted,
            "insertions": extra - substituted,
        }
        each = {name: x.astype(jnp.float32) for name, x in counts.items()}
        return self.replace(sums=self.sums.add(t.batch, **each))

    def total(self, *names: str) -> Pair:
        """The sum of the named counts."""
        pair = self.sums.pair(names[0])
        for name in names[1:]:
            pair = add(pair, self.sums.pair(name))
        return pair

    def floats(self) -> tuple[Array, Array, Array]:
        """The number of hits, of reference tokens and of predicted tokens."""
        hits, substitutions, deletions, insertions = self.sums.read(
            "hits", "substitutions", "deletions", "insertions"
        )
        return hits, hits + substitutions + deletions, hits + substitutions + insertions

    def exact(self) -> dict[str, Pair]:
        return {name: self.sums.pair(name) for name, _ in self.sums.shapes}

    def compute(self) -> dict[str, Float32[Array, ""]]:
        """`hits`, `substitutions`, `deletions` and `insertions`."""
        return self.sums.compute()


class _AbstractRate(AbstractReadout):
    """A rate computed from the counts of alignments."""

    undefined: float | None = eqx.field(static=True)
    statistic: AlignmentCounts

    def __init__(
        self,
        tokens: Tokens = Tokens(),  # noqa: B008 - frozen
        *,
        undefined: float | None = None,
    ):
        self.undefined = undefined
        self.statistic = AlignmentCounts(tokens)


@final
class MatchErrorRate(_AbstractRate, init=False):
    r"""The number of edits divided by that of edits and hits: $(S + D + I) / (H + S + D + I)$ for
    substitutions, deletions, insertions and hits. It is between 0 and 1.

    **Arguments:**

    - `tokens`: [`eqmetrics.text.Tokens`][], the padding and the stop id.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.text.AlignmentCounts`][], shared. Undefined when: neither predictions
    nor references have a token. The gradient is 0: the inputs are ids.
    Source: Morris, Maier and Green, "From WER and RIL to MER and WIL", 2004.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        mer = eqm.text.MatchErrorRate()
        value = mer(predicted_tokens=jnp.array([[2, 1]]), tokens=jnp.array([[1, 2]]))
        assert abs(value - 2 / 3) < 1e-6
        ```
    """

    def compute(self) -> Float32[Array, ""]:
        """A scalar."""
        hits, substitutions, deletions, insertions = self.statistic.sums.read(
            "hits", "substitutions", "deletions", "insertions"
        )
        edits = substitutions + deletions + insertions
        return quotient_or(edits, edits + hits, self.undefined)


@final
class WordInformationPreserved(_AbstractRate, init=False):
    r"""The share of hits in the references times the share of hits in the predictions:
    $H^2 / (N_r N_p)$ for $H$ hits, $N_r$ tokens of references and $N_p$ of predictions.

    If the predictions have no token, the value is 0.

    **Arguments:**

    - `tokens`: [`eqmetrics.text.Tokens`][], the padding and the stop id.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.text.AlignmentCounts`][], shared. Undefined when: the references
    have no token. The gradient is 0: the inputs are ids.
    Source: Morris, Maier and Green, "From WER and RIL to MER and WIL", 2004.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        preserved = eqm.text.WordInformationPreserved()
        value = preserved(predicted_tokens=jnp.array([[2, 1]]), tokens=jnp.array([[1, 2]]))
        assert value == 0.25
        ```
    """

    def compute(self) -> Float32[Array, ""]:
        """A scalar."""
        hits, reference, predicted = self.statistic.floats()
        both = quotient(hits, reference) * quotient(hits, predicted)
        return undefined_as(both, reference == 0, self.undefined)


@final
class WordInformationLost(_AbstractRate, init=False):
    r"""The share of word information that is lost: $1 - H^2 / (N_r N_p)$, which is 1 minus
    [`eqmetrics.text.WordInformationPreserved`][].

    **Arguments:**

    - `tokens`: [`eqmetrics.text.Tokens`][], the padding and the stop id.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.text.AlignmentCounts`][], shared. Undefined when: the references
    have no token. The gradient is 0: the inputs are ids.
    Source: Morris, Maier and Green, "From WER and RIL to MER and WIL", 2004.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        lost = eqm.text.WordInformationLost()
        value = lost(predicted_tokens=jnp.array([[2, 1]]), tokens=jnp.array([[1, 2]]))
        assert value == 0.75
        ```
    """

    def compute(self) -> Float32[Array, ""]:
        """A scalar."""
        hits, reference, predicted = self.statistic.floats()
        lost = 1 - quotient(hits, reference) * quotient(hits, predicted)
        return undefined_as(lost, reference == 0, self.undefined)
