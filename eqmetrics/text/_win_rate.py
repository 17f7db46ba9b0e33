from typing import Any, final, Self

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Integer

from .._custom_types import Input, Labels, Mask, Weights
from .._metric.messages import describe
from .._rows.inner import split_mask
from .._rows.row_mean import AbstractRowMean
from .._rows.rows import flat, narrow, Rows, rows


@final
class WinRate(AbstractRowMean):
    """The share of games that were won; a tie counts half.

    A game is a comparison of two answers by a person or a judge. If both answers have scores, its
    outcome is `jnp.sign(ours - theirs).astype(int)`.

    **Arguments:**

    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: 6 floats. Undefined when: no game was seen.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        wins = eqm.text.WinRate()
        assert wins(outcomes=jnp.array([1, 1, 0, -1])) == 0.625
        ```
    """

    def __init__(self, *, undefined: float | None = None):
        valid = "outcomes of -1, 0 or 1, weights >= 0 and finite"
        AbstractRowMean.__init__(self, valid, undefined=undefined)

    def update(
        self, *, outcomes: Integer[Input, "..."], mask: Mask = None, weights: Weights = None
    ) -> Self:
        """Takes `outcomes` of any axes: 1 where a game was won, 0 for a tie, -1 where it was
        lost. `mask` and `weights` have the same axes, or the leading ones."""
        batch = rows(narrow(jnp.asarray(outcomes)), mask, weights, name="outcomes")
        outcome = batch.values
        batch = batch.without((outcome < -1) | (outcome > 1))
        return self.plus(batch, outcome.astype(jnp.float32) / 2 + 0.5)


@final
class MajorityVote(AbstractRowMean):
    """The share of problems that are solved by the most frequent answer of several samples:
    self-consistency.

    If several answers are equally frequent, each is chosen with the same probability. So if one of
    two such answers is right, the problem counts 1/2.

    **Arguments:**

    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: 6 floats. Undefined when: no problem with a sample was seen. An update compares all
    pairs of samples of a problem.
    Source: Wang et al., "Self-consistency improves chain of thought reasoning in language models",
    2023.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        vote = eqm.text.MajorityVote()
        answers = jnp.array([[42, 7, 42], [3, 5, 8]])
        assert abs(vote(answers=answers, labels=jnp.array([42, 8])) - (1 + 1 / 3) / 2) < 1e-6
        ```
    """

    def __init__(self, *, undefined: float | None = None):
        AbstractRowMean.__init__(self, undefined=undefined)

    def update(
        self,
        *,
        answers: Integer[Input, "..."],
        labels: Labels,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """Takes `answers` of shape `(*problems, samples)`, and `labels` of shape `(*problems,)`,
        the right answers. Both are integers, equal if the answers are equal. `weights` has the
        shape of the problems. A `mask` of that shape removes problems; one with the shape of the
        answers removes samples."""
        batch, scores, defined = _voted(answers, labels, mask, weights)
        return self.plus(batch, scores, defined)


def _voted(
    answers: Any, labels: Any, mask: Any, weights: Any
) -> tuple[Rows, Float32[Array, "rows"], Bool[Array, "rows"]]:
    if answers.shape[:-1] != labels.shape or answers.ndim == 0:
        raise TypeError(
            f"`answers` is {describe(answers)} and `labels` is {describe(labels)}: expected "
            "(*problems, samples), and the right answer of each problem."
        )
    of_rows, exists = split_mask(mask, answers, 1, "answers")
    batch = rows(answers, of_rows, weights, answers.shape[-1:], "answers")
    own = batch.values
    same = (own[:, :, None] == own[:, None, :]) & exists[:, None, :] & exists[:, :, None]
    votes = jnp.sum(same, axis=-1, dtype=jnp.int32)
    most = jnp.max(votes, axis=-1, keepdims=True, initial=0)
    # The most frequent answers occur equally often, so a share of their samples is a share of them.
    best = exists & (votes == most)
    right = best & (own == flat(labels.astype(own.dtype))[:, None])
    share = lambda x: jnp.sum(x, axis=-1).astype(jnp.float32)
    scores = share(right) / jnp.maximum(share(best), 1)
    return batch, scores, jnp.any(exists, axis=-1)
