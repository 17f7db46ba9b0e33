from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from .._custom_types import Mask, Values, Weights
from .._metric.messages import describe
from .._metric.numbers import check_whole
from .._rows.quotient import root
from .._rows.row_mean import AbstractRowMean
from .._rows.rows import flat
from ._features import features_of, VALID


@final
class Alignment(AbstractRowMean):
    r"""The mean distance of the embeddings of pairs that should be near, such as two views of one
    image: the mean of $\lVert x_i - y_i \rVert^\alpha$.

    Embeddings aren't normalised. The paper's have length 1: then the value is between 0 and
    $2^\alpha$.

    **Arguments:**

    - `dim`: how many features a row has.
    - `alpha`: the power of the distance.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the value; 0 at equal embeddings.
    State: 6 floats. Undefined when: the weights sum to 0. A feature that is NaN or infinite
    is invalid.
    Source: Wang and Isola, "Understanding contrastive representation learning through alignment
    and uniformity on the hypersphere", 2020.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        alignment = eqm.generative.Alignment(2)
        assert alignment(anchors=jnp.eye(2), positives=jnp.eye(2)[::-1]) == 2
        ```
    """

    dim: int = eqx.field(static=True)
    alpha: float = eqx.field(static=True)

    def __init__(self, dim: int, *, alpha: float = 2.0, undefined: float | None = None):
        check_whole("dim", dim)
        if not alpha > 0:
            raise ValueError(f"alpha={alpha}: expected a power above 0.")
        self.dim = dim
        self.alpha = alpha
        AbstractRowMean.__init__(self, VALID, undefined=undefined)

    def update(
        self, *, anchors: Values, positives: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`anchors` and `positives` have the shape `(*rows, dim)`, `mask` and `weights` that of the
        rows."""
        x, y = jnp.asarray(anchors), jnp.asarray(positives)
        if x.shape != y.shape:
            raise TypeError(
                f"`anchors` is {describe(x)} and `positives` is {describe(y)}: they must have the "
                "same shape. Nothing is broadcast."
            )
        batch = features_of(x, self.dim, mask, weights, "anchors")
        other = flat(y, (self.dim,)).astype(jnp.float32)
        batch = batch.without(~jnp.all(jnp.isfinite(other), axis=1))
        return self.plus(batch, self._scores(batch.values.astype(jnp.float32) - other, batch.mask))

    def _scores(self, errors: Array, mask: Array | None) -> Array:
        errors = errors if mask is None else jnp.where(mask[:, None], errors, 0)
        squares = jnp.sum(errors * errors, axis=1)
        if self.alpha == 2:
            return squares
        # The power of a distance of 0 may have an infinite gradient.
        some = squares > 0
        return jnp.where(some, root(jnp.where(some, squares, 1)) ** self.alpha, 0)
