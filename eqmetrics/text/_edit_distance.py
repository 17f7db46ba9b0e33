import math
from typing import final, get_args, Literal, Self

import equinox as eqx
import jax.numpy as jnp

from .._custom_types import Mask, Weights
from .._rows.nearest_quotient import quotient
from .._rows.row_mean import AbstractRowMean, Empty
from ._edit import weighted_distance
from ._tokens import Ids, token_rows, Tokens, VALID


Normalize = Literal["length", "max"]


@final
class EditDistance(AbstractRowMean):
    r"""The Levenshtein distance: the least number of insertions, deletions and substitutions that
    turn a prediction into its reference, as a mean over the rows.

    **Arguments:**

    - `tokens`: [`eqmetrics.text.Tokens`][], the padding and the stop id.
    - `normalize`: the number that divides the distance of a row. `"length"`: the length of its
        reference; `"max"`: the larger of both lengths; `None`: 1.
    - `substitution_cost`: the cost of a substitution; an insertion costs 1, and so does a deletion.
        At a cost of 2 or more, no substitution is needed. 0, 1, and numbers of 2 or more are
        equally fast; others take four to eight times as long.
    - `empty`: the value of a row whose distance would be divided by 0: `"skip"` leaves the row out,
        `"zero"` and `"one"` count it as 0 or 1.
    - `undefined`: what replaces an undefined value; NaN if not given.

    With `normalize="length"` the value isn't the word error rate, in which long sentences count
    more: see [`eqmetrics.text.WordErrorRate`][].

    State: 6 floats. Undefined when: no row has a value. The gradient is 0: the inputs are ids.
    Source: Levenshtein, "Binary codes capable of correcting deletions, insertions and reversals",
    1966; computed with bit vectors as in Myers, "A fast bit-vector algorithm for approximate string
    matching based on dynamic programming", 1999.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        distance = eqm.text.EditDistance()
        predicted = jnp.array([[1, 2, 3], [4, 5, -1]])
        reference = jnp.array([[1, 3, -1], [4, 5, -1]])
        assert distance(predicted_tokens=predicted, tokens=reference) == 0.5
        assert distance.per_row(predicted_tokens=predicted, tokens=reference).tolist() == [1, 0]
        ```
    """

    tokens: Tokens = eqx.field(static=True)
    normalize: Normalize | None = eqx.field(static=True)
    substitution_cost: float = eqx.field(static=True)

    def __init__(
        self,
        tokens: Tokens = Tokens(),  # noqa: B008 - frozen
        *,
        normalize: Normalize | None = None,
        substitution_cost: float = 1.0,
        empty: Empty = "skip",
        undefined: float | None = None,
    ):
        if normalize is not None and normalize not in get_args(Normalize):
            raise ValueError(f"`normalize` is {normalize!r}, expected 'length', 'max' or None.")
        if not 0 <= substitution_cost < math.inf:
            raise ValueError(
                f"substitution_cost={substitution_cost}: expected a number from 0 on; a deletion "
                "and an insertion cost 1 each."
            )
        self.tokens = tokens
        self.normalize = normalize
        self.substitution_cost = substitution_cost
        AbstractRowMean.__init__(self, VALID, empty=empty, undefined=undefined)

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
        edits = weighted_distance(t.predicted, t.references, self.substitution_cost)
        if self.normalize is None:
            return self.plus(t.batch, edits)
        length = t.references.lengths
        if self.normalize == "max":
            length = jnp.maximum(length, t.predicted.lengths)
        return self.plus(t.batch, quotient(edits, length.astype(jnp.float32)), length > 0)
