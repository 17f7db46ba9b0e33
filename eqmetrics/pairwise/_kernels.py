import jax
import jax.numpy as jnp
from jaxtyping import Array

from .._custom_types import Values
from .._rows.quotient import over, root
from .._rows.rows import undefined_as
from ._distances import absolute, Matrix, square, summed, vectors


def _products(x: Array, y: Array) -> Matrix:
    return jnp.matmul(x, y.T, precision="highest")


def _gamma(gamma: float | None, x: Array) -> float:
    return 1 / max(x.shape[1], 1) if gamma is None else float(gamma)


def dot(x: Values, y: Values | None = None) -> Matrix:
    r"""The product of each row of `x` with each row of `y`, $\langle x_i, y_j \rangle$: the linear
    kernel.

    **Arguments:**

    - `x`, `y`: of shapes `(rows, dim)` and `(others, dim)`; `x` twice if `y` isn't given.

    **Returns:** an array of shape `(rows, others)`. Its gradient is that of the value.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        x, y = jnp.array([[1.0, 2.0]]), jnp.array([[3.0, 4.0]])
        assert eqm.pairwise.dot(x, y).tolist() == [[11.0]]
        ```
    """
    return _products(*vectors(x, y))


def _unit(x: Array) -> tuple[Array, Array]:
    # Divided by the largest entry first, so that no square leaves the range of float32.
    top = jax.lax.stop_gradient(jnp.max(jnp.abs(x), axis=1, keepdims=True, initial=0))
    x = x / jnp.where((top > 0) & (top < jnp.inf), top, 1)
    return over(x, root(jnp.sum(x * x, axis=1, keepdims=True))), top == 0


@jax.jit
def _cosine(x: Array, y: Array) -> tuple[Matrix, Array]:
    (x, of_x), (y, of_y) = _unit(x), _unit(y)
    return _products(x, y), of_x | of_y.T


def cosine_similarity(
    x: Values, y: Values | None = None, *, undefined: float | None = None
) -> Matrix:
    r"""The cosine of the angle between each row of `x` and each row of `y`, $\langle x_i, y_j
    \rangle / (\lVert x_i \rVert \lVert y_j \rVert)$. The cosine distance is 1 minus this.

    **Arguments:**

    - `x`, `y`: of shapes `(rows, dim)` and `(others, dim)`; `x` twice if `y` isn't given.
    - `undefined`: the cosine with a vector of zeros; NaN if not given (0 in scikit-learn).

    **Returns:** an array of shape `(rows, others)`. Its gradient is that of the value.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        x = jnp.array([[1.0, 0.0], [5.0, 5.0]])
        assert abs(eqm.pairwise.cosine_similarity(x)[0, 1] - 0.5**0.5) < 1e-6
        ```
    """
    value, none = _cosine(*vectors(x, y))
    return undefined_as(value, none, undefined)


def rbf(x: Values, y: Values | None = None, *, gamma: float | None = None) -> Matrix:
    r"""The Gaussian kernel of each row of `x` and each row of `y`, $\exp(-\gamma \lVert x_i - y_j
    \rVert^2)$, from differences: see [`eqmetrics.pairwise.squared_euclidean`][].

    **Arguments:**

    - `x`, `y`: of shapes `(rows, dim)` and `(others, dim)`; `x` twice if `y` isn't given.
    - `gamma`: $1 / \text{dim}$ if not given, as in scikit-learn.

    **Returns:** an array of shape `(rows, others)`. Its gradient is that of the value.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        x, y = jnp.array([[0.0, 0.0]]), jnp.array([[1.0, 1.0]])
        assert abs(eqm.pairwise.rbf(x, y)[0, 0] - jnp.exp(-1.0)) < 1e-6
        ```
    """
    x, y = vectors(x, y)
    return jnp.exp(-_gamma(gamma, x) * summed(square, x, y))


def laplacian(x: Values, y: Values | None = None, *, gamma: float | None = None) -> Matrix:
    r"""The Laplacian kernel of each row of `x` and each row of `y`, $\exp(-\gamma \sum_k |x_{ik} -
    y_{jk}|)$.

    **Arguments:**

    - `x`, `y`: of shapes `(rows, dim)` and `(others, dim)`; `x` twice if `y` isn't given.
    - `gamma`: $1 / \text{dim}$ if not given, as in scikit-learn.

    **Returns:** an array of shape `(rows, others)`. Its gradient is that of the value; 0 where
    entries are equal.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        x, y = jnp.array([[0.0, 0.0]]), jnp.array([[1.0, 1.0]])
        assert abs(eqm.pairwise.laplacian(x, y)[0, 0] - jnp.exp(-1.0)) < 1e-6
        ```
    """
    x, y = vectors(x, y)
    return jnp.exp(-_gamma(gamma, x) * summed(absolute, x, y))


def polynomial(
    x: Values,
    y: Values | None = None,
    *,
    degree: int = 3,
    gamma: float | None = None,
    offset: float = 1.0,
) -> Matrix:
    r"""The polynomial kernel of each row of `x` and each row of `y`, $(\gamma \langle x_i, y_j
    \rangle + c)^d$.

    **Arguments:**

    - `x`, `y`: of shapes `(rows, dim)` and `(others, dim)`; `x` twice if `y` isn't given.
    - `degree`: $d$, at least 1.
    - `gamma`: $1 / \text{dim}$ if not given, as in scikit-learn.
    - `offset`: $c$, scikit-learn's `coef0`.

    **Returns:** an array of shape `(rows, others)`. Its gradient is that of the value.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        x = jnp.array([[1.0, 1.0]])
        assert eqm.pairwise.polynomial(x, degree=2).tolist() == [[4.0]]
        ```
    """
    if degree < 1:
        raise ValueError(f"degree={degree}: expected a whole number of at least 1.")
    x, y = vectors(x, y)
    return (_gamma(gamma, x) * _products(x, y) + offset) ** degree


def sigmoid(
    x: Values, y: Values | None = None, *, gamma: float | None = None, offset: float = 1.0
) -> Matrix:
    r"""The sigmoid kernel of each row of `x` and each row of `y`, $\tanh(\gamma \langle x_i, y_j
    \rangle + c)$.

    **Arguments:**

    - `x`, `y`: of shapes `(rows, dim)` and `(others, dim)`; `x` twice if `y` isn't given.
    - `gamma`: $1 / \text{dim}$ if not given, as in scikit-learn.
    - `offset`: $c$, scikit-learn's `coef0`.

    **Returns:** an array of shape `(rows, others)`. Its gradient is that of the value.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        x = jnp.array([[1.0, 1.0]])
        assert abs(eqm.pairwise.sigmoid(x, offset=0.0)[0, 0] - jnp.tanh(1.0)) < 1e-6
        ```
    """
    x, y = vectors(x, y)
    return jnp.tanh(_gamma(gamma, x) * _products(x, y) + offset)


def _chi2(x: Array, y: Array) -> Array:
    d = x - y
    return over(d * d, x + y)


def chi2(x: Values, y: Values | None = None, *, gamma: float = 1.0) -> Matrix:
    r"""The chi-squared kernel of each row of `x` and each row of `y`, $\exp(-\gamma \sum_k (x_{ik}
    - y_{jk})^2 / (x_{ik} + y_{jk}))$, for numbers of at least 0, such as those of histograms. A
    term of 0/0 is 0.

    **Arguments:**

    - `x`, `y`: of shapes `(rows, dim)` and `(others, dim)`; `x` twice if `y` isn't given. A pair
        with a number below 0 is NaN.
    - `gamma`: 1 if not given, as in scikit-learn.

    **Returns:** an array of shape `(rows, others)`. Its gradient is that of the value.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        x, y = jnp.array([[1.0, 0.0]]), jnp.array([[3.0, 0.0]])
        assert abs(eqm.pairwise.chi2(x, y)[0, 0] - jnp.exp(-1.0)) < 1e-6
        ```
    """
    x, y = vectors(x, y)
    below = [jnp.any(v < 0, axis=1) for v in (x, y)]
    value = jnp.exp(-float(gamma) * summed(_chi2, x, y))
    return undefined_as(value, below[0][:, None] | below[1][None], None)
