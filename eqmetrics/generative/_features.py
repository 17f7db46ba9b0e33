"""Features that a network computed from samples: real ones, generated ones, or both."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._metric.messages import describe
from .._rows.rows import Rows, rows


VALID = "features that are finite, weights >= 0 and finite"
SIDES = "real", "generated"


def check_dim(dim: int) -> None:
    if dim < 1:
        raise ValueError(f"dim={dim}: expected at least one feature.")


def features_of(x: Any, dim: int, mask: Any, weights: Any, name: str = "features") -> Rows:
    """Flattened rows of shape `(*rows, dim)`. A row with NaN or infinity is invalid."""
    batch = rows(x, mask, weights, (dim,), name)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return batch
    return batch.without(~jnp.all(jnp.isfinite(batch.values), axis=1))


def sides_of(
    real: Any, generated: Any, dim: int, mask: Any, weights: Any
) -> dict[str, Rows]:
    """The rows of each side that was given."""
    given = {k: x for k, x in zip(SIDES, (real, generated), strict=True) if x is not None}
    if not given:
        raise TypeError(
            "Neither `real_features` nor `generated_features` was given: pass one of them, or both."
        )
    if len(given) == 2 and real.shape[:-1] != generated.shape[:-1]:
        raise TypeError(
            f"`real_features` is {describe(real)} and `generated_features` is "
            f"{describe(generated)}: in one update their rows must agree, so that a mask means "
            "the same for both. Update twice, with one of them each."
        )
    return {k: features_of(x, dim, mask, weights, f"{k}_features") for k, x in given.items()}


def clean(batch: Rows) -> tuple[Float32[Array, "rows dim"], Bool[Array, "rows"] | None]:
    """The features as floats, 0 where a row doesn't take part; and which rows do."""
    x = batch.values.astype(jnp.float32)
    return (x if batch.mask is None else jnp.where(batch.mask[:, None], x, 0)), batch.mask
