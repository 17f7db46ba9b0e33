from typing import get_args, Literal

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32

from .._custom_types import Values
from .._metric.checks import to_array
from .._metric.messages import describe


Kind = Literal["cosine", "dot", "l2"]


def similarity(
    queries: Values, documents: Values, kind: Kind = "cosine", *, exclude_self: bool = False
) -> Float32[Array, "queries documents"]:
    """The similarity of each query and each document, from embeddings: `scores` for ranking
    metrics.

    **Arguments:**

    - `queries`, `documents`: of shape `(queries, d)` and `(documents, d)`.
    - `kind`: `"cosine"`, `"dot"` (the dot product) or `"l2"` (the negative squared distance). A
        cosine with a vector of zeros is 0.
    - `exclude_self`: if the queries are the documents, puts each last in its own list, with a score
        of -inf. To leave it out instead, mask it: `mask=~jnp.eye(n, dtype=bool)`.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        x = jnp.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
        scores = eqm.ranking.similarity(x[:1], x)
        assert scores.tolist() == [[1.0, 1.0, 0.0]]
        ```
    """
    if kind not in get_args(Kind):
        raise ValueError(f"`kind` is {kind!r}, expected 'cosine', 'dot' or 'l2'.")
    x = to_array("queries", queries).astype(jnp.float32)
    y = to_array("documents", documents).astype(jnp.float32)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise TypeError(
            f"`queries` is {describe(x)} and `documents` is {describe(y)}, expected the shapes "
            "(queries, d) and (documents, d)."
        )
    if exclude_self and len(x) != len(y):
        raise TypeError(
            f"`exclude_self=True` takes the same vectors twice: `queries` is {describe(x)} and "
            f"`documents` is {describe(y)}."
        )
    if kind == "cosine":
        x, y = (_unit(v) for v in (x, y))
    elif kind == "l2":
        # Computed relative to the mean of the documents: far from the origin, squares would cancel.
        centre = jnp.sum(y, axis=0, keepdims=True) / max(len(y), 1)
        x, y = x - centre, y - centre
    found = jnp.matmul(x, y.T, precision=lax.Precision.HIGHEST)
    if kind == "l2":
        square = lambda v: jnp.sum(v * v, axis=1)
        found = jnp.minimum(2 * found - square(x)[:, None] - square(y)[None], 0)
    if exclude_self:
        found = jnp.where(jnp.eye(len(x), dtype=bool), -jnp.inf, found)
    return found


def _unit(x: Array) -> Array:
    # Divided by the largest entry first, since its square may overflow.
    most = jnp.max(jnp.abs(x), axis=1, keepdims=True, initial=0)
    x = x / jnp.where(most == 0, 1, most)
    size = jnp.sum(x * x, axis=1, keepdims=True)
    return x / jnp.where(size == 0, 1, jnp.sqrt(jnp.where(size == 0, 1, size)))
