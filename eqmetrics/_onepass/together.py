"""One pass over the rows for a whole collection: the operations that its members ask for are done
at once (`operations.py`)."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
from jax.core import Tracer
from jax.extend.core import Literal

from .operations import gathering, is_gathering, operation_of


def in_one_pass(update: Callable[[Any, Any], Any], metric: Any, outputs: Any) -> Any:
    """`update(metric, outputs)` with all its operations done together; in eager code as one
    compiled program."""
    if is_gathering():
        return update(metric, outputs)  # a part of what is gathered already
    leaves = jax.tree.leaves((metric, outputs))
    if any(isinstance(x, Tracer) for x in leaves):
        return together(update, metric, outputs)
    if all(map(_is_array, leaves)):
        return _compiled(update, metric, outputs)
    return update(metric, outputs)


def together(update: Callable[[Any, Any], Any], metric: Any, outputs: Any) -> Any:
    """`update(metric, outputs)`, which must be traced, with its operations done together."""
    dynamic, static = eqx.partition((metric, outputs), _is_array)
    leaves, treedef = jax.tree.flatten(dynamic)
    made: list[Any] = []

    def flat(*leaves):
        m, o = eqx.combine(jax.tree.unflatten(treedef, leaves), static)
        with gathering():
            new = update(m, o)
        arrays, rest = eqx.partition(new, _is_array)
        out, out_treedef = jax.tree.flatten(arrays)
        made[:] = [out_treedef, rest]
        return out

    closed = jax.make_jaxpr(flat)(*leaves)
    out = evaluate(closed.jaxpr, closed.consts, leaves)
    return eqx.combine(jax.tree.unflatten(made[0], out), made[1])


_compiled = jax.jit(together, static_argnums=0)


def _is_array(x: Any) -> bool:
    return isinstance(x, jax.Array)


def evaluate(jaxpr: Any, consts: Any, args: Any) -> list[Any]:
    """The results of a jaxpr. What several of its equations say is computed once, and an operation
    waits for all others that don't need its results."""
    env: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
    env.update(zip(jaxpr.invars, args, strict=True))
    known: dict[Any, Any] = {}
    eqns = jaxpr.eqns
    while eqns:
        later, blocked, asked = [], set(), {}
        for eqn in eqns:
            if any(not isinstance(v, Literal) and v in blocked for v in eqn.invars):
                later.append(eqn)
                blocked.update(eqn.outvars)
            elif (operation := operation_of(eqn)) is not None:
                asked.setdefault(type(operation), []).append((operation, eqn))
                blocked.update(eqn.outvars)
            else:
                env.update(zip(eqn.outvars, _results(eqn, env, known), strict=True))
        for kind, each in asked.items():
            operands = [(op, [read(v, env) for v in eqn.invars]) for op, eqn in each]
            for (_, eqn), results in zip(each, kind.together(operands), strict=True):
                env.update(zip(eqn.outvars, results, strict=True))
        eqns = later
    return [read(v, env) for v in jaxpr.outvars]


def read(v: Any, env: dict[Any, Any]) -> Any:
    return v.val if isinstance(v, Literal) else env[v]


def bind(eqn: Any, operands: list[Any]) -> list[Any]:
    """The results of one equation."""
    found = eqn.primitive.get_bind_params(eqn.params)
    functions, params = found if isinstance(found, tuple) else ((), found)  # before jax 0.10
    with eqn.ctx.manager:
        results = eqn.primitive.bind(*functions, *operands, **params)
    return results if eqn.primitive.multiple_results else [results]


def _results(eqn: Any, env: dict[Any, Any], known: dict[Any, Any]) -> list[Any]:
    """Those of one equation, or of an equal one before it."""
    # By the identity of the operands, which `env` keeps alive.
    whose = tuple(
        (str(v.val), str(v.aval)) if isinstance(v, Literal) else id(env[v]) for v in eqn.invars
    )
    key = eqn.primitive.name, whose, tuple(eqn.params.items())
    try:
        if not eqn.effects and key in known:
            return known[key]
    except TypeError:  # a parameter that has no hash
        key = None
    results = bind(eqn, [read(v, env) for v in eqn.invars])
    if key is not None:
        known[key] = results
    return results
