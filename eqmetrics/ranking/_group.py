from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int32

from .._custom_types import Labels, Mask, Values
from .._metric.checks import to_array
from .._metric.messages import describe


class Grouped(NamedTuple):
    """Lists of the documents of each query."""

    arrays: tuple[Array, ...]  # each of shape (max_queries, max_documents)
    mask: Bool[Array, "max_queries max_documents"]
    lost: Int32[Array, ""]  # the number of documents without room


def group_queries(
    query: Labels, *arrays: Values, max_queries: int, max_documents: int, mask: Mask = None
) -> Grouped:
    """Turns documents with the ids of their queries into padded lists, one per query, with a mask.

    The queries are in the order of their ids, which may be any integers; the documents of a query
    keep their order. Documents beyond `max_documents` of a query, and queries beyond `max_queries`,
    are lost: `lost` counts these documents. If a list lost documents, its floats become NaN; if
    queries were lost, those of the last list do. So a metric counts the list as invalid, instead of
    giving a value that seems to be of all documents.

    **Arguments:**

    - `query`: integers of shape `(rows,)`. All documents of a query must be in one call.
    - `arrays`: of the same shape, such as scores and relevance.
    - `max_queries`, `max_documents`: the number of lists, and of documents in each.
    - `mask`: which rows are documents; of the same shape.

    **Returns:** `arrays`, of shape `(max_queries, max_documents)`, their `mask`, and `lost`.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        query, scores = jnp.array([7, 3, 7]), jnp.array([0.1, 0.2, 0.3])
        lists = eqm.ranking.group_queries(query, scores, max_queries=2, max_documents=2)
        assert lists.mask.tolist() == [[True, False], [True, True]] and lists.lost == 0
        ```
    """
    ids = to_array("query", query)
    given = [to_array("arrays", x) for x in arrays]
    if ids.ndim != 1 or not jnp.issubdtype(ids.dtype, jnp.integer):
        raise TypeError(f"`query` is {describe(ids)}, expected integers of shape (rows,).")
    taken = jnp.ones(ids.shape, bool) if mask is None else to_array("mask", mask)
    for name, x in [*(("an array", x) for x in given), ("`mask`", taken)]:
        if x.shape != ids.shape:
            raise TypeError(
                f"`query` is {describe(ids)} and {name} is {describe(x)}: they must have the same "
                "shape."
            )
    if min(max_queries, max_documents) < 1:
        raise ValueError(
            f"max_queries={max_queries}, max_documents={max_documents}: expected numbers from 1 on."
        )
    rows = jnp.arange(len(ids), dtype=jnp.int32)
    # Rows that aren't documents come last, whatever their id.
    absent, ids, order = lax.sort((~taken, ids, rows), num_keys=2, is_stable=True)
    starts = jnp.concatenate([jnp.ones(min(len(ids), 1), bool), ids[1:] != ids[:-1]]) & ~absent
    place = rows - lax.cummax(jnp.where(starts, rows, 0))
    which = jnp.cumsum(starts, dtype=jnp.int32) - 1
    fits = ~absent & (place < max_documents) & (which < max_queries)
    to = jnp.where(fits, which * max_documents + place, max_queries * max_documents)
    cells, shape = max_queries * max_documents, (max_queries, max_documents)
    put = lambda x: jnp.zeros(cells, x.dtype).at[to].set(x, mode="drop").reshape(shape)
    left = ~absent & ~fits
    spoilt = jnp.zeros(max_queries, bool)
    spoilt = spoilt.at[jnp.clip(which, 0, max_queries - 1)].max(left)[:, None]
    found = [put(x[order]) for x in given]
    is_float = lambda x: jnp.issubdtype(x.dtype, jnp.floating)
    marked = tuple(jnp.where(spoilt, jnp.nan, x) if is_float(x) else x for x in found)
    return Grouped(marked, put(fits), jnp.sum(left, dtype=jnp.int32))
