"""Norms of pytrees, of all their leaves or of groups of them."""

import functools as ft
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32

from .._metric.messages import describe, nearest
from .._rows.nearest_quotient import quotient
from .._rows.rows import Rows, rows


# From here on the sum of squares has an error of 2^-24 at most: squares that underflow, of numbers
# below 2^-63, add less than 2^-96 in a tree of 2^30 numbers.
_SMALLEST = 2.0**-72


def _paths(tree: Any) -> list[tuple[str, Any]]:
    """The float leaves, each with its path. Integers, functions and `None`, which a model may hold
    beside them, are left out, as by optimisers."""
    found = jax.tree_util.tree_flatten_with_path(tree)[0]
    name = lambda path: jax.tree_util.keystr(path, simple=True, separator=".")
    return [(name(path), x) for path, x in found if eqx.is_inexact_array(x)]


def groups_of(tree: Any, depth: int | None = None) -> tuple[str, ...]:
    """The paths of the float leaves, cut to their first `depth` names: the `groups` of
    [`eqmetrics.training.TreeNorm`][] and [`eqmetrics.training.UpdateRatio`][].

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        params = {"encoder": {"bias": jnp.ones(2), "kernel": jnp.ones(4)}, "head": [jnp.ones(3)]}
        assert eqm.training.groups_of(params, 1) == ("encoder", "head")
        assert eqm.training.groups_of(params)[0] == "encoder.bias"
        ```
    """
    if depth is not None and (not isinstance(depth, int) or depth < 1):
        raise ValueError(f"depth={depth!r}: expected a whole number from 1 on, or `None`.")
    return tuple(dict.fromkeys(".".join(p.split(".")[:depth]) for p, _ in _paths(tree)))


def check_groups(groups: Sequence[str]) -> tuple[str, ...]:
    if isinstance(groups, str):  # a sequence too, of letters
        raise TypeError(f"groups={groups!r}: expected a Sequence of names, ({groups!r},).")
    return tuple(groups)


def check_axes(axes: int) -> None:
    if not isinstance(axes, int) or axes < 0:
        raise ValueError(f"axes={axes!r}: expected how many leading axes are those of the steps.")


def norms_of(tree: Any, groups: tuple[str, ...], axes: int, name: str) -> Float32[Array, "..."]:
    """The norm of each group, of shape `(*steps, max(1, groups))`; without groups, that of the
    whole tree. The first `axes` axes of all leaves are those of the steps."""
    leaves = _paths(tree)
    if not leaves:
        raise TypeError(f"`{name}` has no arrays of floats, and so no norm.")
    path, first = leaves[0]
    for there, x in leaves:
        if x.ndim < axes or x.shape[:axes] != first.shape[:axes]:
            raise TypeError(
                f"`{name}`: {path or 'the leaf'} is {describe(first)} and {there or 'the leaf'} is "
                f"{describe(x)}: with axes={axes} all leaves begin with the axes of the steps."
            )
    each = [_norm([_real(x) for _, x in leaves], axes)] if not groups else []
    for group in groups:
        inside = [_real(x) for p, x in leaves if group in ("", p) or p.startswith(f"{group}.")]
        if not inside:
            known = [p for p, _ in leaves]
            raise TypeError(
                f"No leaf of `{name}` is in the group `{group}`; there are {', '.join(known[:8])}"
                f"{', ...' if len(known) > 8 else ''}.{nearest(group, known)} "
                "`eqm.training.groups_of(params, depth)` gives the groups of a tree."
            )
        each.append(_norm(inside, axes))
    return jnp.stack(each, axis=-1)


def steps_of(norms: Array, mask: Any, weights: Any, name: str) -> Rows:
    """The norms with the mask and weights of the steps."""
    steps = norms.shape[:-1]
    for special, x in (("mask", mask), ("weights", weights)):
        if x is not None and x.ndim > len(steps):
            raise TypeError(
                f"`{special}` is {describe(x)}, and `{name}` is of {steps or 'one step'}: it says "
                f"of each step whether it counts. One of the rows of a batch is not for this "
                f"metric: `.from_output(mask=None, weights=None)`."
            )
    return rows(norms, mask, weights, norms.shape[-1:], name)


def _real(x: Array) -> Float32[Array, "..."]:
    return jnp.asarray(jnp.abs(x) if jnp.iscomplexobj(x) else x).astype(jnp.float32)


def _along(x: Array, y: Array) -> Array:
    """`x`, a number for each step, with axes to broadcast against a leaf."""
    return x.reshape(x.shape + (1,) * (y.ndim - x.ndim))


def _sums(leaves: list[Array], axes: int) -> Array:
    return sum(
        (jnp.sum(x, tuple(range(axes, x.ndim))) for x in leaves),
        start=jnp.zeros(leaves[0].shape[:axes], jnp.float32),
    )


@ft.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _norm(leaves: list[Array], axes: int) -> Float32[Array, "..."]:
    total = _sums([x**2 for x in leaves], axes)

    def scaled(leaves: list[Array]) -> Array:
        """The norm if squares leave the range of float32: of numbers divided by a power of 2."""
        most = lambda x: jnp.max(jnp.abs(x), tuple(range(axes, x.ndim)), initial=0)
        top = jnp.max(jnp.stack([most(x) for x in leaves]), axis=0)
        _, exponent = jnp.frexp(jnp.where((top > 0) & (top < jnp.inf), top, 1))
        # In two steps: the power itself may overflow. No divisions, which XLA would merge by
        # multiplying their divisors.
        half, rest = exponent // 2, exponent - exponent // 2
        one, two = (jnp.ldexp(jnp.ones_like(top), -n) for n in (half, rest))
        sums = _sums([(x * _along(one, x) * _along(two, x)) ** 2 for x in leaves], axes)
        return jnp.ldexp(jnp.ldexp(jnp.sqrt(sums), half), rest)

    usual = (total >= _SMALLEST) & (total < jnp.inf)
    return lax.cond(jnp.all(usual), lambda _: jnp.sqrt(total), scaled, leaves)


@_norm.defjvp
def _norm_jvp(axes, primals, tangents):
    # The derivative is written here since the scaling would leave the range of float32 on the way
    # back. At steps without a norm, or with a norm of 0, it is 0.
    norm = _norm(primals[0], axes)
    usual = (norm > 0) & (norm < jnp.inf)
    safe = jnp.where(usual, norm, 1)
    slopes = [quotient(jnp.where(_along(usual, x), x, 0), _along(safe, x)) for x in primals[0]]
    return norm, _sums([s * t for s, t in zip(slopes, tangents[0], strict=True)], axes)
