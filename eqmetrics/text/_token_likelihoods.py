"""Negative log-likelihoods of target tokens, in nats: the statistic of the perplexities."""

from typing import Any, ClassVar, final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Float32

from .._custom_types import Input, Labels, Mask, Values, Weights
from .._decisions.softmax import losses_of
from .._metric.messages import describe
from .._metric.metric import AbstractExact
from .._metric.readout import AbstractPartialStatistic, AbstractStatistic
from .._onepass.sums import Sums
from .._reduction.pair import Pair
from .._rows.rows import flat, narrow, Rows, rows


# No token has a probability above 1, but rounding may make its logarithm positive: in bfloat16, by
# at most 0.1. A larger number is probably a loss whose sign should have been changed.
MOST = 0.1


def labels_of(labels: Any, given: Array, name: str, axes: tuple[int, ...]) -> Array:
    if jnp.issubdtype(labels.dtype, jnp.floating):
        raise TypeError(f"`labels` is {describe(labels)}, expected integers: a token each.")
    if labels.shape != axes:
        last = f"{(*labels.shape, 'vocabulary')}".replace("'", "")
        way_out = (
            "Where each position tells the next token, leave out the last: `logits[:, :-1]` with "
            "`labels=tokens[:, 1:]`."
        )
        if labels.shape == (*axes[:-1], *given.shape[-1:]):
            way_out = "The vocabulary is the last axis: `jnp.moveaxis(logits, -2, -1)`."
        raise TypeError(
            f"`{name}` is {describe(given)} and `labels` is {describe(labels)}: "
            + (
                f"expected the shape {last} for `logits`. {way_out}"
                if name == "logits"
                else f"expected the shape {labels.shape} for both: what the model said of each "
                "label."
            )
        )
    return narrow(labels)


def token_losses(
    labels: Any,
    logits: Any,
    log_probabilities: Any,
    mask: Any,
    weights: Any,
    ignore_index: int | None,
) -> tuple[Float32[Array, "rows"], Rows]:
    """The loss of each token, in nats, and the rows; the values of the rows are the labels."""
    if (logits is None) == (log_probabilities is None):
        raise TypeError(
            "Exactly one of `logits`, with `labels`, and `log_probabilities`, of the labels, says "
            f"what the model predicted; got {'neither' if logits is None else 'both'}. Leave one "
            "out: `metric.from_output(log_probabilities=None)`."
        )
    if labels is None and (logits is not None or ignore_index is not None):
        why = "with `logits`" if logits is not None else f"with ignore_index={ignore_index}"
        raise TypeError(f"`labels` says which tokens came, and is needed {why}.")
    if logits is not None:
        if logits.ndim == 0 or logits.shape[-1] == 0:
            raise TypeError(f"`logits` is {describe(logits)}: it has no vocabulary.")
        labels = labels_of(labels, logits, "logits", logits.shape[:-1])
    elif labels is None:
        labels = jnp.zeros(log_probabilities.shape, jnp.int32)
    else:
        name = "log_probabilities"
        labels = labels_of(labels, log_probabilities, name, log_probabilities.shape)
    batch = rows(labels, mask, weights, name="labels")
    if ignore_index is not None:
        batch = batch.only(batch.values != ignore_index)
    good = batch.values >= 0
    if logits is None:
        losses = -flat(log_probabilities).astype(jnp.float32)
        good &= losses >= -MOST
    else:
        good &= batch.values < logits.shape[-1]
        taken = good if batch.mask is None else good & batch.mask
        index = jnp.where(taken, batch.values, 0)
        # The logits keep their axes: flattening logits of bfloat16 would copy them.
        index, taken = index.reshape(labels.shape), taken.reshape(labels.shape)
        losses = flat(losses_of(logits, index, taken, jnp.zeros((), jnp.float32)))
        good &= ~jnp.isnan(losses)
    batch = batch.without(~good)
    assert batch.mask is not None
    return jnp.where(batch.mask, losses, 0), batch


@final
class TokenLikelihoods(AbstractPartialStatistic, AbstractExact):
    r"""The negative log-likelihood of the target tokens, in nats, and the number of tokens: the
    statistic of [`eqmetrics.text.Perplexity`][].

    **Arguments:**

    - `ignore_index`: tokens with this label are left out, as [`eqmetrics.Multiclass`][] does.

    The gradient is that of the logits or of the log-probabilities.
    State: 6 floats. In a `MetricDict` it is read from an [`eqmetrics.text.ByteLikelihoods`][], if
    there is one.
    Undefined when: never; empty sums are 0.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        likelihoods = eqm.text.TokenLikelihoods()
        sums = likelihoods(log_probabilities=jnp.log(jnp.array([0.5, 0.5])))
        assert sums["tokens"] == 2 and abs(sums["negative_log_likelihood"] - jnp.log(4)) < 1e-6
        ```
    """

    ignore_index: int | None = eqx.field(static=True)
    sums: Sums

    def __init__(self, ignore_index: int | None = None):
        self.ignore_index = ignore_index
        ignored = "" if ignore_index is None else f" or {ignore_index} to be ignored"
        self.sums = Sums(
            f"labels in [0, vocabulary){ignored}, logits without NaN and infinity, "
            "log-probabilities of at most 0, weights >= 0 and finite",
            negative_log_likelihood=(),
            tokens=(),
        )

    def update(
        self,
        *,
        labels: Labels | None = None,
        logits: Float[Input, "..."] | None = None,
        log_probabilities: Float[Input, "..."] | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """Takes `labels`, the target tokens, of any shape, and `logits`, whose last axis is the
        vocabulary and whose other axes are those of `labels`. Or takes `log_probabilities` of the
        target tokens, with or without `labels`. A row is a token: `mask` and `weights` have the
        shape of the tokens, or of their leading axes."""
        losses, batch = token_losses(
            labels, logits, log_probabilities, mask, weights, self.ignore_index
        )
        return self.plus(losses, batch)

    def plus(self, losses: Float32[Array, "rows"], batch: Rows) -> Self:
        """With these tokens added."""
        sums = self.sums.add(batch, negative_log_likelihood=losses, tokens=1)
        return self.replace(sums=sums)

    def larger(self) -> "ByteLikelihoods":
        return ByteLikelihoods(self.ignore_index)

    @classmethod
    def read(cls, larger: "ByteLikelihoods") -> Self:
        new = cls(larger.likelihoods.ignore_index)
        return new.replace(sums=larger.likelihoods.sums)

    def exact(self) -> dict[str, Pair]:
        return {name: self.sums.pair(name) for name in ("negative_log_likelihood", "tokens")}

    def compute(self) -> dict[str, Float32[Array, ""]]:
        """`negative_log_likelihood`, in nats, and `tokens`: sums over the tokens."""
        return self.sums.compute()


class AbstractUnitLikelihoods(AbstractStatistic, AbstractExact):
    """The likelihoods of tokens, and the number of their bytes or words. A subclass names this
    unit, and its `update` passes its arguments to `see`."""

    unit: eqx.AbstractClassVar[str]

    likelihoods: TokenLikelihoods
    sums: Sums

    def __init__(self, ignore_index: int | None = None):
        self.likelihoods = TokenLikelihoods(ignore_index)
        self.sums = Sums(f"{self.unit} >= 0 and finite", **{self.unit: ()})

    def see(
        self, units: Any, labels: Any, logits: Any, log_probabilities: Any, mask: Any, weights: Any
    ) -> Self:
        """With these tokens and their units added."""
        ignored = self.likelihoods.ignore_index
        losses, batch = token_losses(labels, logits, log_probabilities, mask, weights, ignored)
        axes = log_probabilities.shape if logits is None else logits.shape[:-1]
        if units.shape != axes:
            raise TypeError(
                f"`{self.unit}` is {describe(units)}, expected the shape {axes} of the tokens: "
                f"how many {self.unit} each label is, `{self.unit}=table[labels]`."
            )
        x = flat(units)
        valid = x >= jnp.zeros((), x.dtype)
        if not jnp.issubdtype(x.dtype, jnp.integer):
            x = x.astype(jnp.float32)
            valid = (x >= 0) & (x < jnp.inf)
        counted = batch._replace(invalid=None).without(~valid)
        return self.replace(
            likelihoods=self.likelihoods.plus(losses, batch),
            sums=self.sums.add(counted, **{self.unit: x}),
        )

    def exact(self) -> dict[str, Pair]:
        return self.likelihoods.exact() | {self.unit: self.sums.pair(self.unit)}

    def compute(self) -> dict[str, Float32[Array, ""]]:
        """Sums over the tokens: `negative_log_likelihood`, in nats, `tokens`, and their units."""
        return self.likelihoods.compute() | self.sums.compute()


@final
class ByteLikelihoods(AbstractUnitLikelihoods, init=False):
    r"""The negative log-likelihood of the target tokens, in nats, the number of tokens, and the
    number of their bytes: the statistic of [`eqmetrics.text.BitsPerByte`][].

    **Arguments:**

    - `ignore_index`: tokens with this label, and their bytes, are left out.

    The gradient is that of the logits or of the log-probabilities.
    State: 10 floats. Undefined when: never; empty sums are 0.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        likelihoods = eqm.text.ByteLikelihoods()
        log_probabilities, bytes = jnp.log(jnp.array([0.5, 0.5])), jnp.array([1, 4])
        sums = likelihoods(log_probabilities=log_probabilities, bytes=bytes)
        assert sums["tokens"] == 2 and sums["bytes"] == 5
        ```
    """

    unit: ClassVar[str] = "bytes"

    def update(
        self,
        *,
        bytes: Values,
        labels: Labels | None = None,
        logits: Float[Input, "..."] | None = None,
        log_probabilities: Float[Input, "..."] | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """Takes the arguments of [`eqmetrics.text.TokenLikelihoods`][], and `bytes`, of the shape
        of the tokens: the number of bytes of each label, from a table of the vocabulary."""
        return self.see(bytes, labels, logits, log_probabilities, mask, weights)


@final
class WordLikelihoods(AbstractUnitLikelihoods, init=False):
    r"""The negative log-likelihood of the target tokens, in nats, the number of tokens, and the
    number of their words: the statistic of [`eqmetrics.text.WordPerplexity`][].

    **Arguments:**

    - `ignore_index`: tokens with this label, and their words, are left out.

    The gradient is that of the logits or of the log-probabilities.
    State: 10 floats. Undefined when: never; empty sums are 0.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        likelihoods = eqm.text.WordLikelihoods()
        log_probabilities, words = jnp.log(jnp.array([0.5, 0.5])), jnp.array([1, 0])
        sums = likelihoods(log_probabilities=log_probabilities, words=words)
        assert sums["tokens"] == 2 and sums["words"] == 1
        ```
    """

    unit: ClassVar[str] = "words"

    def update(
        self,
        *,
        words: Values,
        labels: Labels | None = None,
        logits: Float[Input, "..."] | None = None,
        log_probabilities: Float[Input, "..."] | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """Takes the arguments of [`eqmetrics.text.TokenLikelihoods`][], and `words`, of the shape
        of the tokens: 1 where a label ends a word and 0 elsewhere, or any shares that add up to
        the number of words."""
        return self.see(words, labels, logits, log_probabilities, mask, weights)
