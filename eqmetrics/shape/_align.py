"""The rotation and scale that align one shape with another."""

import functools as ft
from typing import get_args, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._rows.quotient import over
from ._points import Places, Points


Align = Literal["none", "translation", "rigid", "similarity"]
Square = Float32[Array, "rows axes axes"]

product = ft.partial(jnp.einsum, precision="highest")


def check_align(align: str) -> None:
    if align not in get_args(Align):
        raise ValueError(
            f"`align` is {align!r}, expected 'none', 'translation' (the means of the points), "
            "'rigid' (and a rotation) or 'similarity' (and a scale)."
        )


def _factors(m: Square, reflect: bool) -> tuple[Square, Float32[Array, "rows axes"], Square]:
    """`m` as `u @ diag(s) @ v`, where `u @ v` is a rotation: the last of `s` may be negative."""
    u, s, v = jnp.linalg.svd(m)
    if reflect:
        return u, s, v
    sign = jnp.sign(jnp.linalg.det(product("rij,rjk->rik", u, v)))
    sign = jnp.where(sign < 0, -1, 1).astype(s.dtype)
    return u.at[:, :, -1].multiply(sign[:, None]), s.at[:, -1].multiply(sign), v


@ft.partial(jax.custom_jvp, nondiff_argnums=(1,))
def rotation(m: Square, reflect: bool) -> Square:
    """The orthogonal matrix nearest to `m`; a rotation unless it may `reflect`."""
    u, _, v = _factors(m, reflect)
    return product("rij,rjk->rik", u, v)


@rotation.defjvp
def _rotation_jvp(reflect: bool, primals: tuple[Square], tangents: tuple[Square]):
    # The derivative of the polar factor needs sums of singular values; that of the singular
    # vectors, which `jnp.linalg.svd` has, needs their differences, which may be 0.
    u, s, v = _factors(primals[0], reflect)
    turn = product("rij,rjk->rik", u, v)
    x = product("rji,rjk,rlk->ril", u, tangents[0], v)
    both = s[:, :, None] + s[:, None, :]
    none = both == 0  # any rotation there is equally near
    x = jnp.where(none, 0, (x - x.mT) / jnp.where(none, 1, both))
    return turn, product("rij,rjk,rkl->ril", u, x, v)


def aligned(view: Points, align: Align, reflect: bool = False) -> tuple[Places, Places]:
    """The predictions aligned with the targets so that the sum of squared distances is least, and
    the targets; both are relative to the mean of the targets, unless `align` is "none"."""
    if align == "none":
        return view.predictions, view.targets
    p, t = view.centred(view.predictions), view.centred(view.targets)
    if align == "translation":
        return p, t
    # Scaled to 1: powers of coordinates could leave the range of float32.
    (p, own), (scaled, size) = unit(p), unit(t)
    m = product("rpi,rpj->rij", scaled, p)
    turn = rotation(m, reflect)
    turned = product("rij,rpj->rpi", turn, p)
    if align == "rigid":
        return turned * own, t
    scale = over(jnp.sum(turn * m, axis=(1, 2)), jnp.sum(p * p, axis=(1, 2)))
    return turned * (scale[:, None, None] * size), t


def unit(x: Places) -> tuple[Places, Float32[Array, "rows 1 1"]]:
    """The points divided by their largest absolute coordinate, and this number; 1 if all are 0."""
    top = jax.lax.stop_gradient(jnp.max(jnp.abs(x), axis=(1, 2), keepdims=True, initial=0))
    size = jnp.where((top > 0) & (top < jnp.inf), top, 1)
    return x / size, size
