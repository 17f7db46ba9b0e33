"""Ensembles beside targets: samples of equally likely members, some of which may be missing."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._metric.messages import describe
from .._reduction.pair import minus
from .._rows.rows import flat, Rows, rows


class Ensemble(NamedTuple):
    batch: Rows
    x: Float32[Array, "rows members *vector"]  # samples less the target; 0 where missing
    real: Bool[Array, "rows members"] | None  # which members are there; `None` if all are
    many: Float32[Array, "rows"] | int  # how many are there, but no fewer than `least`
    enough: Bool[Array, "rows"] | None  # which rows have at least `least`; `None` if all have

    def of_members(self, each: Float32[Array, "rows members"]) -> Float32[Array, "rows"]:
        """The mean over the members that are there."""
        if self.real is not None:
            each = jnp.where(self.real, each, 0)
        return jnp.sum(each, axis=1) / self.many

    def valid(self) -> Rows:
        return self.batch if self.enough is None else self.batch.without(~self.enough)


def member_mask(
    members: Any, shape: tuple[int, ...], name: str = "samples"
) -> Bool[Array, "rows members"] | None:
    """Which members are there; `shape` is that of the rows and members of the samples."""
    if members is None:
        return None
    members = jnp.asarray(members)
    if members.shape not in (shape, shape[-1:]):
        raise TypeError(
            f"`members` is {describe(members)} and `{name}` has the shape {shape}: "
            "`members` has the shape of the samples, or that of their last axis."
        )
    return flat(jnp.broadcast_to(members, shape), shape[-1:])


def ensemble(
    samples: Any,
    targets: Any,
    members: Any,
    mask: Any,
    weights: Any,
    *,
    least: int = 1,
    vectors: bool = False,
) -> Ensemble:
    """The ensembles of samples of shape `(*rows, members)` and targets of shape `(*rows,)`; with
    `vectors`, both have one axis more, the last."""
    s, t = jnp.asarray(samples), jnp.asarray(targets)
    inner = 2 if vectors else 1
    vector = t.shape[-1:] if vectors else ()
    head = s.ndim - inner
    wrong = t.ndim < inner - 1 or head < 0 or (*s.shape[:head], *s.shape[head + 1 :]) != t.shape
    if wrong or s.shape[head] == 0:
        where = ", the members, before their last." if vectors else ", the members."
        raise TypeError(
            f"`samples` is {describe(s)} and `targets` is {describe(t)}: the "
            f"samples must have the shape of the targets and one more axis{where}"
        )
    size = s.shape[head]
    if size < least:
        raise TypeError(
            f"`samples` is {describe(s)}, with {size} member(s), expected at least {least}."
        )
    batch = rows(t, mask, weights, vector, "targets")
    rows(s, None, None, (size, *vector), "samples")  # real numbers
    # Less the target, so that a large offset costs no digits.
    x = flat(minus(s, jnp.broadcast_to(jnp.expand_dims(t, head), s.shape)), (size, *vector))
    real = member_mask(members, s.shape[: head + 1])
    if real is None:
        return Ensemble(batch, x, None, size, None)
    count = jnp.sum(real, axis=1, dtype=jnp.int32)
    x = jnp.where(real.reshape(*real.shape, *(1,) * len(vector)), x, 0)
    count, enough = jnp.maximum(count, least).astype(jnp.float32), count >= least
    return Ensemble(batch, x, real, count, enough)
