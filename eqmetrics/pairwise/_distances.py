import functools as ft
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Values
from .._metric.checks import to_array
from .._metric.messages import describe
from .._rows.quotient import root


Matrix = Float32[Array, "rows others"]


def vectors(x: Any, y: Any) -> tuple[Array, Array]:
    """Both as float32, of shapes `(rows, dim)` and `(others, dim)`; `x` twice if `y` is `None`."""
    x = to_array("x", x)
    y = x if y is None else to_array("y", y)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise TypeError(
            f"`x` is {describe(x)} and `y` is {describe(y)}, expected vectors of one size, of "
            "shapes (rows, dim) and (others, dim). One vector is `x[None]`."
        )
    for name, v in (("x", x), ("y", y)):
        if jnp.issubdtype(v.dtype, jnp.complexfloating):
            raise TypeError(f"`{name}` is {describe(v)}, expected real numbers.")
    return x.astype(jnp.float32), y.astype(jnp.float32)


# From differences, not products, which lose digits to an offset. Compiled, so that they are summed
# where they are computed, and no array of all differences is made.
@ft.partial(jax.jit, static_argnums=0)
def summed(of: Callable[[Array, Array], Array], x: Array, y: Array) -> Matrix:
    """The sum over the last axis of a function of each pair of entries."""
    return jnp.sum(of(x[:, None, :], y[None, :, :]), axis=-1)


def square(x: Array, y: Array) -> Array:
    d = x - y
    return d * d


def absolute(x: Array, y: Array) -> Array:
    d = x - y
    return d * jnp.sign(d)  # |d| with a derivative of 0 at 0


def squared_euclidean(x: Values, y: Values | None = None) -> Matrix:
    r"""The squared Euclidean distance of each row of `x` to each row of `y`, $\sum_k (x_{ik} -
    y_{jk})^2$.

    It is summed from differences. The form $\lVert x \rVert^2 + \lVert y \rVert^2 - 2 \langle x, y
    \rangle$ of other libraries is faster for long vectors, but in float32 loses all digits where
    vectors are far from the origin compared with their distance.

    **Arguments:**

    - `x`, `y`: of shapes `(rows, dim)` and `(others, dim)`; `x` twice if `y` isn't given.

    **Returns:** an array of shape `(rows, others)`. Its gradient is that of the value.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        x, y = jnp.array([[1e4, 1e4]]), jnp.array([[1e4 + 3, 1e4 + 4]])
        assert eqm.pairwise.squared_euclidean(x, y).tolist() == [[25.0]]
        ```
    """
    return summed(square, *vectors(x, y))


def euclidean(x: Values, y: Values | None = None) -> Matrix:
    r"""The Euclidean distance of each row of `x` to each row of `y`, $\lVert x_i - y_j \rVert$,
    from differences: see [`eqmetrics.pairwise.squared_euclidean`][].

    **Arguments:**

    - `x`, `y`: of shapes `(rows, dim)` and `(others, dim)`; `x` twice if `y` isn't given.

    **Returns:** an array of shape `(rows, others)`. Its gradient is that of the value; 0 where the
    distance is 0.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        points = jnp.array([[0.0, 0.0], [3.0, 4.0]])
        assert eqm.pairwise.euclidean(points).tolist() == [[0.0, 5.0], [5.0, 0.0]]
        ```
    """
    return root(squared_euclidean(x, y))


def manhattan(x: Values, y: Values | None = None) -> Matrix:
    r"""The Manhattan distance of each row of `x` to each row of `y`, $\sum_k |x_{ik} - y_{jk}|$.

    **Arguments:**

    - `x`, `y`: of shapes `(rows, dim)` and `(others, dim)`; `x` twice if `y` isn't given.

    **Returns:** an array of shape `(rows, others)`. Its gradient is that of the value; 0 where
    entries are equal.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        x, y = jnp.array([[0.0, 0.0]]), jnp.array([[3.0, 4.0]])
        assert eqm.pairwise.manhattan(x, y).tolist() == [[7.0]]
        ```
    """
    return summed(absolute, *vectors(x, y))


@ft.partial(jax.jit, static_argnums=2)
def _minkowski(x: Array, y: Array, p: float) -> Matrix:
    d = jnp.abs(x[:, None, :] - y[None, :, :])
    # Divided by the largest, so that no power leaves the range of float32.
    top = jax.lax.stop_gradient(jnp.max(d, axis=-1, initial=0))
    parts = d / jnp.where(top == 0, 1, top)[..., None]
    some = parts > 0
    powers = jnp.where(some, jnp.where(some, parts, 1) ** p, 0)
    total = jnp.sum(jnp.where(jnp.isnan(parts), jnp.nan, powers), axis=-1)
    safe = jnp.where(top == 0, 1, total)
    return jnp.where(top == 0, total, top * safe ** (1 / p))


def minkowski(x: Values, y: Values | None = None, *, p: float) -> Matrix:
    r"""The Minkowski distance of each row of `x` to each row of `y`, $(\sum_k |x_{ik} -
    y_{jk}|^p)^{1/p}$.

    **Arguments:**

    - `x`, `y`: of shapes `(rows, dim)` and `(others, dim)`; `x` twice if `y` isn't given.
    - `p`: at least 1, and finite.

    **Returns:** an array of shape `(rows, others)`. Its gradient is that of the value; 0 where
    entries are equal.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        x, y = jnp.array([[0.0, 0.0]]), jnp.array([[3.0, 4.0]])
        assert abs(eqm.pairwise.minkowski(x, y, p=3)[0, 0] - 91 ** (1 / 3)) < 1e-5
        ```
    """
    if not 1 <= p < float("inf"):
        raise ValueError(f"p={p}: expected a number of at least 1, and finite.")
    return _minkowski(*vectors(x, y), float(p))


@jax.jit
def _haversine(x: Array, y: Array) -> Matrix:
    half = (x[:, None] - y[None]) / 2
    middle = (x[:, None, 0] + y[None, :, 0]) / 2
    turned = jnp.sin(half[..., 1]) ** 2
    # Squared sine and cosine of half the angle, each as a sum of squares: a small one keeps all
    # its digits, for points that nearly meet or are nearly opposite.
    near = jnp.sin(half[..., 0]) ** 2 * jnp.cos(half[..., 1]) ** 2 + jnp.cos(middle) ** 2 * turned
    far = jnp.cos(half[..., 0]) ** 2 * jnp.cos(half[..., 1]) ** 2 + jnp.sin(middle) ** 2 * turned
    return 2 * jnp.arctan2(root(near), root(far))


def haversine(x: Values, y: Values | None = None) -> Matrix:
    r"""The angle on a sphere between each place of `x` and each of `y`, in radians. Multiplied by
    6371 km it is a distance on Earth. It is accurate for places that nearly meet, and for nearly
    opposite ones.

    **Arguments:**

    - `x`, `y`: latitude and longitude in radians, of shapes `(rows, 2)` and `(others, 2)`; `x`
        twice if `y` isn't given.

    **Returns:** an array of shape `(rows, others)`. Its gradient is that of the value; 0 where the
    angle is 0.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        pole, equator = jnp.array([[jnp.pi / 2, 0.0]]), jnp.array([[0.0, 1.0]])
        assert abs(eqm.pairwise.haversine(pole, equator)[0, 0] - jnp.pi / 2) < 1e-6
        ```
    """
    x, y = vectors(x, y)
    if x.shape[1] != 2:
        raise TypeError(f"`x` is {describe(x)}, expected latitude and longitude: (rows, 2).")
    return _haversine(x, y)
