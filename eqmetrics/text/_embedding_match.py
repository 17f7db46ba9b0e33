from typing import Any, final, Self

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Float32

from .._custom_types import Input, Mask, Values, Weights
from .._metric.messages import describe
from .._metric.metric import Metric
from .._onepass.sums import Sums
from .._rows.inner import split_mask
from .._rows.nearest_quotient import quotient_or
from .._rows.quotient import over
from .._rows.rows import flat, rows


@final
class EmbeddingMatch(Metric):
    r"""Precision, recall and F1 of matched token embeddings, as means over the rows. Each token
    matches the token of the other text with the largest cosine; several may match the same one.

    Let $x_i$ be the tokens of the prediction, $y_j$ those of the reference, and $w$ their weights.
    The precision of a row is $\sum_i w_i \max_j \cos(x_i, y_j) / \sum_i w_i$, the recall is the
    same with both sides exchanged, and $F_1 = 2 P R / (P + R)$. This is BERTScore, but you compute
    the embeddings. You also choose which tokens to mask, such as start and end tokens. Values
    aren't rescaled with a baseline. The F1 is the mean of the F1 of the rows, not the F1 of the
    means.

    **Arguments:**

    - `undefined`: what replaces undefined values; NaN if not given.

    If one side of a row has no token, or no token of a weight above 0, all three values of the row
    are 0. The cosine with a vector of zeros is 0. The gradient is that of the value; tokens that
    match equally well share it.
    State: 10 floats. Undefined when: no row was seen. Rows with embeddings that are NaN or
    infinite, or with an idf below 0, NaN or infinite, are invalid. An update computes the cosines
    of all pairs of tokens of a row.
    Source: Zhang, Kishore, Wu, Weinberger and Artzi, "BERTScore: evaluating text generation with
    BERT", 2020.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        match = eqm.text.EmbeddingMatch()
        predicted, reference = jnp.array([[[1.0, 0.0]]]), jnp.array([[[2.0, 0.0], [0.0, 1.0]]])
        value = match(predicted_embeddings=predicted, embeddings=reference)
        assert value["precision"] == 1 and value["recall"] == 0.5
        ```
    """

    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(self, *, undefined: float | None = None):
        self.undefined = undefined
        valid = "finite embeddings, idf >= 0 and finite, weights >= 0 and finite"
        self.sums = Sums(valid, precision=(), recall=(), f1=(), weight=())

    def update(
        self,
        *,
        predicted_embeddings: Values,
        embeddings: Values,
        mask: Mask = None,
        predicted_mask: Mask = None,
        idf: Float[Input, "..."] | None = None,
        predicted_idf: Float[Input, "..."] | None = None,
        weights: Weights = None,
    ) -> Self:
        """`predicted_embeddings` and `embeddings` have shape `(*rows, length, dim)`; the two
        lengths may differ. A `mask` with the shape of the rows removes rows; one of shape `(*rows,
        length)` removes tokens of `embeddings`. `predicted_mask` removes tokens of the prediction.
        `idf` and `predicted_idf`, of shape `(*rows, length)`, are the weights of the tokens; 1 if
        not given. `weights` has the shape of the rows."""
        x, y = jnp.asarray(predicted_embeddings), jnp.asarray(embeddings)
        if x.ndim < 2 or x.shape[:-2] != y.shape[:-2] or x.shape[-1:] != y.shape[-1:]:
            raise TypeError(
                f"`predicted_embeddings` is {describe(x)} and `embeddings` is {describe(y)}, "
                "expected the shapes (*rows, length, dim), of the same rows and dim."
            )
        own: Any = jnp.ones(x.shape[:-1], bool) if predicted_mask is None else predicted_mask
        if own.shape != x.shape[:-1]:
            raise TypeError(
                f"`predicted_mask` is {describe(own)} and `predicted_embeddings` is "
                f"{describe(x)}: it must have the shape {x.shape[:-1]} of the tokens."
            )
        mask, there = split_mask(mask, jnp.zeros(y.shape[:-1], y.dtype), 1, "embeddings[..., 0]")
        batch = rows(y, mask, weights, y.shape[-2:], "embeddings")
        if batch.mask is not None:
            there = there & batch.mask[:, None]
        x, own, bad = _side(x, flat(own, x.shape[-2:-1]), predicted_idf, "predicted_idf")
        y, known, wrong = _side(y, there, idf, "idf")
        cosines = jnp.matmul(x, y.mT, precision=lax.Precision.HIGHEST)
        precision, recall = _matched(cosines, own, known), _matched(cosines.mT, known, own)
        both = precision + recall  # may be 0 for cosines of both signs
        f1 = jnp.where(both == 0, 0, 2 * precision * recall / jnp.where(both == 0, 1, both))
        scores = {"precision": precision, "recall": recall, "f1": f1, "weight": 1}
        return self.replace(sums=self.sums.add(batch.without(bad | wrong), **scores))

    def compute(self) -> dict[str, Float32[Array, ""]]:
        """A dict of `precision`, `recall` and `f1`."""
        *scores, weight = self.sums.read("precision", "recall", "f1", "weight")
        return {
            name: quotient_or(x, weight, self.undefined)
            for name, x in zip(("precision", "recall", "f1"), scores, strict=True)
        }


def _side(
    x: Array, there: Bool[Array, "rows length"], idf: Any, name: str
) -> tuple[Array, Float32[Array, "rows length"], Bool[Array, "rows"]]:
    """Vectors of length 1, the weight of each, and which rows are invalid."""
    shape = x.shape[:-1]
    if idf is not None and idf.shape != shape:
        raise TypeError(f"`{name}` is {describe(idf)}, expected the shape {shape} of the tokens.")
    x = flat(x, x.shape[-2:]).astype(jnp.float32)
    counts = jnp.ones(there.shape, jnp.float32)
    if idf is not None:
        counts = flat(jnp.asarray(idf), shape[-1:]).astype(jnp.float32)
    valid = jnp.all(jnp.isfinite(x), axis=2) & (counts >= 0) & (counts < jnp.inf)
    good = there & valid
    x = jnp.where(good[..., None], x, 0)
    # Divided by the largest entry first, since its square may overflow.
    most = lax.stop_gradient(jnp.max(jnp.abs(x), axis=2, keepdims=True, initial=0))
    x = x / jnp.where(most == 0, 1, most)
    square = jnp.sum(x * x, axis=2, keepdims=True)
    x = jnp.where(square == 0, 0, x / jnp.sqrt(jnp.where(square == 0, 1, square)))
    return x, jnp.where(good, counts, 0), jnp.any(there & ~valid, axis=1)


def _matched(
    cosines: Float32[Array, "rows length others"],
    counts: Float32[Array, "rows length"],
    others: Float32[Array, "rows others"],
) -> Float32[Array, "rows"]:
    """The weighted mean, over the tokens, of the best cosine with a token of the other side whose
    weight isn't 0."""
    found = (others > 0)[:, None]
    best = jnp.max(jnp.where(found, cosines, -jnp.inf), axis=2, initial=-jnp.inf)
    best = jnp.where(jnp.any(found, axis=2), best, 0)
    return over(jnp.sum(counts * best, axis=1), jnp.sum(counts, axis=1))
