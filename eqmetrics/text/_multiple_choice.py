from typing import Any, final, get_args, Literal, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32

from .._custom_types import Labels, Mask, Values, Weights
from .._decisions.softmax import softmax
from .._metric.messages import describe
from .._metric.metric import Metric
from .._onepass.sums import Sums
from .._rows.inner import split_mask
from .._rows.nearest_quotient import quotient_or
from .._rows.rows import flat, narrow, rows
from ._token_likelihoods import MOST


Normalization = Literal["tokens", "characters", "bytes", "unconditional"] | None
KINDS = get_args(get_args(Normalization)[0])


def _right(
    labels: Any, choices: Array, exists: Bool[Array, "rows choices"]
) -> tuple[Bool[Array, "rows choices"], Bool[Array, "rows"]]:
    """Which choices are right, and which rows have a right choice among those that exist."""
    if jnp.issubdtype(labels.dtype, jnp.floating):
        raise TypeError(f"`labels` is {describe(labels)}, expected integers or booleans.")
    if labels.shape == choices.shape:
        given = flat(narrow(labels), choices.shape[-1:])
        right = (given == 1) & exists
        known = jnp.all(~exists | (given == 0) | (given == 1), axis=-1)
        return right, known & jnp.any(right, axis=-1)
    if labels.shape != choices.shape[:-1]:
        raise TypeError(
            f"`log_likelihoods` is {describe(choices)} and `labels` is {describe(labels)}: "
            f"expected the shape {choices.shape[:-1]} for `labels`, the right choice of each row, "
            f"or {choices.shape}, whether each choice is right."
        )
    places: Int32[Array, "1 choices"] = jnp.arange(choices.shape[-1], dtype=jnp.int32)[None]
    right = (flat(narrow(labels))[:, None] == places) & exists
    return right, jnp.any(right, axis=-1)


@final
class MultipleChoice(Metric):
    r"""How well a model answers questions by the likelihood of each choice: its `accuracy`, the
    `probability` it gives to the right choice, and its `brier` score, as means over the questions.

    The answer is the choice with the highest score; of several with the same score, the first. The
    score is the log-likelihood of the choice, or the log-likelihood divided by a length, so that
    long choices aren't at a disadvantage. The probabilities are the softmax of the scores over the
    choices of a question. The Brier score of a question is $(1 - p)^2 + \sum_j p_j^2$, from 0 to 2,
    where $p$ is the probability of the right choice and $p_j$ those of the wrong ones. Several
    right choices count as one.

    | `normalization` | score | lm-evaluation-harness |
    |---|---|---|
    | `None` | log-likelihood | `acc`, and `brier_score` |
    | `"characters"` | divided by `lengths` in characters | `acc_norm` |
    | `"bytes"` | divided by `lengths` in bytes | `acc_bytes` |
    | `"tokens"` | divided by `lengths` in tokens | (`acc_per_token` elsewhere) |
    | `"unconditional"` | minus the log-likelihood without the question | `acc_mutual_info` |

    (The documentation of lm-evaluation-harness said for years that `acc_norm` divides by bytes.) If
    one `MetricDict` has several normalizations, let each metric read its lengths from an output of
    its own: `MultipleChoice("bytes").from_output(lengths="bytes")`.

    **Arguments:**

    - `normalization`: see above.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the probability and of the Brier score; that of the accuracy is 0.
    State: 10 floats. Undefined when: no question with a choice was seen.
    Source: Gao et al., "A framework for few-shot language model evaluation", 2021; Lin, Hilton and
    Evans, "TruthfulQA", 2022, whose MC1 and MC2 are `accuracy` and `probability`.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        choice = eqm.text.MultipleChoice()
        log_likelihoods = jnp.log(jnp.array([[0.5, 0.25, 0.25], [0.2, 0.6, 0.2]]))
        values = choice(log_likelihoods=log_likelihoods, labels=jnp.array([0, 2]))
        assert values["accuracy"] == 0.5 and abs(values["probability"] - 0.35) < 1e-6
        ```
    """

    normalization: Normalization = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(self, normalization: Normalization = None, *, undefined: float | None = None):
        if normalization is not None and normalization not in KINDS:
            raise ValueError(f"normalization={normalization!r}: expected one of {KINDS}, or None.")
        self.normalization = normalization
        self.undefined = undefined
        more = {None: "", "unconditional": "unconditional ones finite, "}
        lengths = more.get(normalization, "lengths above 0 and finite, ")
        self.sums = Sums(
            f"log-likelihoods of at most 0, {lengths}labels of choices that there are, weights >= "
            "0 and finite",
            right=(),
            probability=(),
            brier=(),
            questions=(),
        )

    def update(
        self,
        *,
        log_likelihoods: Values,
        labels: Labels,
        lengths: Values | None = None,
        unconditional: Values | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """Takes `log_likelihoods` of shape `(*rows, choices)`, each the sum over the tokens of a
        choice. `labels` of shape `(*rows,)` are the index of the right choice; of shape `(*rows,
        choices)`, they say of each choice whether it is right. `lengths` and `unconditional`
        log-likelihoods have the shape `(*rows, choices)`, and are read if the normalization needs
        them. `weights` has the shape of the rows. A `mask` of that shape removes rows; one with the
        shape of the choices removes choices."""
        return self._see(log_likelihoods, labels, lengths, unconditional, mask, weights)

    def _see(
        self,
        log_likelihoods: Any,
        labels: Any,
        lengths: Any,
        unconditional: Any,
        mask: Any,
        weights: Any,
    ) -> Self:
        if log_likelihoods.ndim == 0:
            raise TypeError(
                f"`log_likelihoods` is {describe(log_likelihoods)}, expected (*rows, choices)."
            )
        of_rows, exists = split_mask(mask, log_likelihoods, 1, "log_likelihoods")
        choices = log_likelihoods.shape[-1:]
        batch = rows(log_likelihoods, of_rows, weights, choices, "log_likelihoods")
        right, known = _right(labels, log_likelihoods, exists)
        x = batch.values.astype(jnp.float32)
        good = known & jnp.all(~exists | (x <= MOST), axis=-1)
        name = {None: None, "unconditional": "unconditional"}.get(self.normalization, "lengths")
        if name is not None:
            by = {"lengths": lengths, "unconditional": unconditional}[name]
            if by is None or by.shape != log_likelihoods.shape:
                raise TypeError(
                    f"`{name}` is {describe(by)} and `log_likelihoods` is "
                    f"{describe(log_likelihoods)}: normalization={self.normalization!r} reads a "
                    "number of each choice."
                )
            y = flat(by.astype(jnp.float32), choices)
            fine = (jnp.abs(y) < jnp.inf) if name == "unconditional" else (y > 0) & (y < jnp.inf)
            good &= jnp.all(~exists | fine, axis=-1)
            y = jnp.where(exists & fine, y, 1)
            x = x - y if name == "unconditional" else x / y
        some = jnp.any(exists, axis=-1)
        batch = batch.only(some).without(~good)
        assert batch.mask is not None
        # A question that is left out may contain NaN, so it gets a single choice.
        exists = jnp.where(batch.mask[:, None], exists, jnp.zeros_like(exists).at[:, 0].set(True))
        x = jnp.where(exists & batch.mask[:, None], x, jnp.where(exists, 0, -jnp.inf))
        accuracy, p, brier = _scores(x, exists, right)
        sums = self.sums.add(batch, right=accuracy, probability=p, brier=brier, questions=1)
        return self.replace(sums=sums)

    def compute(self) -> dict[str, Float32[Array, ""]]:
        """`accuracy`, `probability` and `brier`."""
        *tops, every = self.sums.read("right", "probability", "brier", "questions")
        names = "accuracy", "probability", "brier"
        mean = lambda top: quotient_or(top, every, self.undefined)
        return {name: mean(top) for name, top in zip(names, tops, strict=True)}


def _scores(
    x: Float32[Array, "rows choices"],
    exists: Bool[Array, "rows choices"],
    right: Bool[Array, "rows choices"],
) -> tuple[Bool[Array, "rows"], Float32[Array, "rows"], Float32[Array, "rows"]]:
    best = exists & (x == jnp.max(x, axis=-1, keepdims=True))
    first = best & (jnp.cumsum(best, axis=-1, dtype=jnp.int32) == 1)
    # If all choices are impossible, those that exist share the probability.
    none = jnp.max(x, axis=-1, keepdims=True) == -jnp.inf
    p = softmax(jnp.where(exists & none, 0, x), jnp.ones(x.shape[:1], bool))
    of_right = jnp.sum(jnp.where(right, p, 0), axis=-1)
    of_wrong = jnp.where(right, 0, p)
    # 1 - p of the right choice is computed as the sum of the rest: a difference would lose digits.
    rest = jnp.sum(of_wrong, axis=-1)
    return jnp.any(first & right, axis=-1), of_right, rest**2 + jnp.sum(of_wrong**2, axis=-1)
