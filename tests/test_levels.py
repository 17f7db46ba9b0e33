"""Which values are of single rows: each rule once where it holds, and once where rows mix."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from eqmetrics._onepass.apart import _evaluate
from eqmetrics._onepass.levels import leading


ROWS = 6
X = jnp.asarray(np.random.default_rng(0).normal(size=(ROWS, 4)), jnp.float32)
TABLE = jnp.arange(24.0).reshape(4, 6) % 5
best = lambda x: jnp.argmax(x, axis=1)

# Of each rule: what is of the rows, and what isn't.
CASES = {
    "elementwise": (lambda x: jnp.tanh(x) * x + 1, lambda x: x + x.mean()),
    "select": (lambda x: jnp.where(x > 0, x, 0), lambda x: jnp.where(x > x.mean(), x, 0)),
    "of constants": (lambda x: x * jnp.arange(4.0)[None], lambda x: x * jnp.max(x)),
    "barrier": (
        lambda x: lax.optimization_barrier((x, x + 1))[1],
        lambda x: lax.optimization_barrier((x, x + x.mean(0)[None]))[1],
    ),
    "sum": (lambda x: x.sum(1), lambda x: x.sum(0)),
    "argmax": (best, lambda x: jnp.argmax(x, 0)),
    "cumulative": (lambda x: jnp.cumsum(x, 1), lambda x: jnp.cumsum(x, 0)),
    "sort": (lambda x: jnp.sort(x, 1), lambda x: jnp.sort(x, 0)),
    "argsort": (lambda x: jnp.argsort(x, 1), lambda x: jnp.argsort(x, 0)),
    "top_k": (lambda x: lax.top_k(x, 2)[0], lambda x: lax.top_k(x.T, 6)[0].T),
    "broadcast": (
        lambda x: jnp.broadcast_to(x[:, None], (6, 3, 4)),
        lambda x: jnp.broadcast_to(x[None], (6, 6, 4)),
    ),
    "squeeze": (
        lambda x: lax.squeeze(lax.slice_in_dim(x, 0, 1, axis=1), [1]),
        lambda x: lax.squeeze(lax.slice_in_dim(x, 0, 1, axis=0), [0]),
    ),
    "reshape": (lambda x: x.reshape(12, 2), lambda x: x.T.reshape(6, 4)),
    "joined rows": (lambda x: x.reshape(24) + 1, lambda x: x.reshape(24)[::-1]),
    "concatenate": (lambda x: jnp.concatenate([x, x], 1), lambda x: jnp.concatenate([x, x])),
    "split": (lambda x: jnp.split(x, 2, 1)[1], lambda x: jnp.split(x, 2)[1]),
    "stack": (lambda x: jnp.stack([x, 2 * x], 1), lambda x: jnp.stack([x, 2 * x])),
    "slice": (lambda x: x[:, 1:], lambda x: jnp.concatenate([x[1:], x[:1]])),
    "slice from a place": (
        lambda x: lax.dynamic_slice_in_dim(x, jnp.argmax(jnp.arange(3)), 2, 1),
        lambda x: lax.dynamic_slice_in_dim(
            jnp.concatenate([x, x], 1).reshape(12, 4), jnp.argmax(jnp.arange(3)), 6, 0
        ),
    ),
    "stride": (
        lambda x: lax.slice(x, (0, 0), (6, 4), (1, 2)),
        lambda x: lax.slice(x, (0, 0), (6, 4), (2, 1)),
    ),
    "pad": (
        lambda x: jnp.pad(x, ((0, 0), (1, 2))),
        lambda x: lax.pad(x, jnp.float32(0), ((1, -1, 0), (0, 0, 0))),
    ),
    "transpose": (
        lambda x: x.reshape(6, 2, 2).swapaxes(1, 2),
        lambda x: jnp.concatenate([x, x[:, :2]], 1).T,
    ),
    "reverse": (lambda x: lax.rev(x, [1]), lambda x: lax.rev(x, [0])),
    "factors of matrices": (
        lambda x: lax.linalg.cholesky(jnp.eye(2)[None] * 99 + x.reshape(6, 2, 2)),
        lambda x: lax.linalg.cholesky(jnp.eye(6) * 99 + jnp.concatenate([x, x[:, :2]], 1)),
    ),
    "fourier": (lambda x: jnp.fft.rfft(x).imag, lambda x: jnp.fft.fft2(x).real),
    "matrix product": (lambda x: x @ TABLE, lambda x: (TABLE.T @ TABLE) @ x),
    "batched product": (lambda x: jnp.einsum("ij,ij->i", x, x), lambda x: x @ x.T),
    "look up in a row": (
        lambda x: jnp.take_along_axis(x, best(x)[:, None], 1),
        lambda x: jnp.take_along_axis(x, jnp.argsort(x, 0), 0),
    ),
    "look up in a table": (lambda x: TABLE[best(x)], lambda x: x[best(x)]),
    "look up by a constant": (lambda x: TABLE[best(x)][:, 0], lambda x: x[jnp.array([1] * 6)]),
    "a function": (lambda x: jax.nn.softmax(x, 1), lambda x: jax.nn.softmax(x, 0)),
    "a rule of its own": (jax.nn.relu, lambda x: jax.nn.relu(x - x.mean())),
    "a nested jit": (jax.jit(lambda x: jnp.exp(x)), jax.jit(lambda x: jnp.exp(x - x.mean()))),
    "cond": (
        lambda x: lax.cond(True, jnp.exp, jnp.sin, x),
        lambda x: lax.cond(True, lambda x: x - x.max(), jnp.exp, x),
    ),
}


def level(f) -> str | None:
    closed = jax.make_jaxpr(f)(X)
    env = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
    env[closed.jaxpr.invars[0]] = X
    levels = {closed.jaxpr.invars[0]: "rows"}
    _evaluate(closed.jaxpr, env, levels, ROWS, lambda *_: ())
    return levels.get(closed.jaxpr.outvars[0])


def sees_rows_apart(f) -> bool:
    """Tried: another row in the place of one changes that row of the result, and no other."""
    for i in range(ROWS):
        both = f(X), f(X.at[i].set(jnp.array([3.0, -7.0, 5.0, -1.0])))
        if both[0].size % ROWS:
            return False
        old, new = (np.asarray(x).reshape(ROWS, -1) for x in both)
        if set(np.flatnonzero((old != new).any(1))) - {i}:
            return False
    return True


@pytest.mark.parametrize("rule", CASES)
def test_a_rule(rule):
    alone, mixes = CASES[rule]
    assert level(alone) == "rows" and sees_rows_apart(alone)
    assert level(mixes) == "batch" and not sees_rows_apart(mixes)


def test_what_has_no_rule_mixes():
    assert level(lambda x: lax.map(jnp.exp, x)) == "batch"
    assert level(lambda x: lax.scan(lambda c, r: (c + r.sum(), c), jnp.zeros(()), x)[1]) == "batch"
    assert level(lambda x: lax.cond(x.sum() > 0, jnp.exp, jnp.sin, x)) == "batch"
    assert level(lambda x: lax.cond(x[0, 0] > 0, jnp.exp, jnp.sin, x)) == "batch"


def test_a_constant_has_no_level():
    assert level(lambda x: jnp.arange(ROWS)) is None


def test_the_axes_of_the_rows():
    assert leading((6, 4), 6) == 1 and leading((2, 3, 4), 6) == 2
    assert leading((12, 2), 6) == 1  # each row has become two
    assert leading((4, 6), 6) is None and leading((), 6) is None
    assert leading((0, 3), 0) == 1
