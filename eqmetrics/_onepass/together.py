"""One pass over the rows for a whole collection: the operations of its members are executed
together (`operation.py`)."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
from jax.core import Tracer
from jax.extend.core import Literal

from .._metric.checks import to_array
from .._metric.field import layout
from .._metric.node import axes_in_type, vary_over, walk
from .operation import gathering, is_gathering, operation_of


_Update = Callable[[Any, Any, Any], Any]


def in_one_pass(update: _Update, metric: Any, args: Any, kwargs: Any) -> Any:
    """`update(metric, args, kwargs)` with all its operations executed together; in eager code as
    one compiled program."""
    # Part of an update that is already being gathered; or the user wants to see each step.
    if is_gathering() or jax.config.jax_disable_jit:  # pyright: ignore[reportAttributeAccessIssue]
        return update(metric, args, kwargs)
    leaves, treedef = jax.tree.flatten(metric)
    several, compiles = kind_of(metric, treedef)
    if any(isinstance(x, Tracer) for x in [*leaves, *jax.tree.leaves((args, kwargs))]):
        return (together if several else _call)(update, metric, args, kwargs)
    if compiles:
        args = tuple(to_array("values", x) for x in args)
        kwargs = {name: to_array(name, x) for name, x in kwargs.items()}
        if all(map(_is_array, leaves)) and all(map(_is_array, jax.tree.leaves((args, kwargs)))):
            # Passed as a dict, whose keys jax sorts: so the order of the arguments doesn't matter.
            return as_plain(_compiled, update, metric, args, kwargs)
    return update(metric, args, kwargs)


def as_plain(program: Callable[..., Any], *args: Any) -> Any:
    """`program(*args)`; its errors look like those of code that isn't compiled."""
    try:
        return program(*args)
    except Exception as e:
        # The caller used no jax transformation, so jax's note about its frames would only confuse.
        notes = [n for n in getattr(e, "__notes__", []) if "JAX has removed its internal" not in n]
        e.__notes__ = notes
        raise


_kinds: dict[Any, tuple[bool, bool]] = {}


def kind_of(metric: Any, treedef: Any) -> tuple[bool, bool]:
    """Whether there are several states to update, and whether eager code may compile the update:
    not for a user's class, which may look at values, nor for a metric that grows."""
    if treedef not in _kinds:
        nodes = [node for _, node, _ in walk(metric)]
        states = [node for node in nodes if layout(type(node)).arrays]
        fixed = all(
            _is_array(getattr(node, name)) for node in states for name in layout(type(node)).arrays
        )
        own = __name__.split(".")[0]
        ours = all(type(node).__module__.split(".")[0] == own for node in nodes)
        _kinds[treedef] = len(states) > 1, ours and fixed and bool(states)
    return _kinds[treedef]


def _call(update: _Update, metric: Any, args: Any, kwargs: Any) -> Any:
    return update(metric, args, kwargs)


def together(update: _Update, metric: Any, args: Any, kwargs: Any) -> Any:
    """`update(metric, args, kwargs)`, under a trace, with its operations executed together."""
    inputs = metric, args, tuple(kwargs.values())  # one by one: jax sorts the keys of a dict
    dynamic, static = eqx.partition(inputs, _is_array)
    leaves, treedef = jax.tree.flatten(dynamic)
    built: list[Any] = []

    def flat(*leaves):
        metric, args, values = eqx.combine(jax.tree.unflatten(treedef, leaves), static)
        with gathering():
            new = update(metric, args, dict(zip(kwargs, values, strict=True)))
        arrays, rest = eqx.partition(new, _is_array)
        out, out_treedef = jax.tree.flatten(arrays)
        built[:] = [out_treedef, rest]
        return out

    closed = jax.make_jaxpr(flat)(*leaves)
    out = evaluate(closed.jaxpr, closed.consts, leaves)
    return eqx.combine(jax.tree.unflatten(built[0], out), built[1])


def _compile(update: _Update, metric: Any, args: Any, kwargs: Any) -> Any:
    several, _ = kind_of(metric, jax.tree.structure(metric))
    return (together if several else _call)(update, metric, args, kwargs)


_compiled = jax.jit(_compile, static_argnums=0)


def _is_array(x: Any) -> bool:
    return isinstance(x, jax.Array)


def evaluate(jaxpr: Any, consts: Any, args: Any) -> list[Any]:
    """The results of a jaxpr. Equal equations are computed once, and an operation waits for all
    others that don't need its results."""
    env: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
    env.update(zip(jaxpr.invars, args, strict=True))
    known: dict[Any, Any] = {}
    eqns = jaxpr.eqns
    while eqns:
        later, blocked, waiting = [], set(), {}
        for eqn in eqns:
            if any(not isinstance(v, Literal) and v in blocked for v in eqn.invars):
                later.append(eqn)
                blocked.update(eqn.outvars)
            elif (operation := operation_of(eqn)) is not None:
                waiting.setdefault(type(operation), []).append((operation, eqn))
                blocked.update(eqn.outvars)
            else:
                env.update(zip(eqn.outvars, _results(eqn, env, known), strict=True))
        first = {kind: each for kind, each in waiting.items() if not kind.last}
        for kind, each in (first or waiting).items():
            operands = [(op, [read(v, env) for v in eqn.invars]) for op, eqn in each]
            for (_, eqn), results in zip(each, kind.together(operands), strict=True):
                env.update(zip(eqn.outvars, varying_as_marked(eqn, results), strict=True))
        if first:
            last = [eqn for kind, each in waiting.items() if kind.last for _, eqn in each]
            later = last + later
        eqns = later
    return [read(v, env) for v in jaxpr.outvars]


def read(v: Any, env: dict[Any, Any]) -> Any:
    return v.val if isinstance(v, Literal) else env[v]


def varying_as_marked(eqn: Any, results: Any) -> list[Any]:
    """The results of an operation, marked as varying over the mesh axes of its mark: the rest of
    the jaxpr relies on this, while a count of rows, for example, is the same on all devices."""
    return [vary_over(x, axes_in_type(v.aval)) for v, x in zip(eqn.outvars, results, strict=True)]


def bind(eqn: Any, operands: list[Any]) -> list[Any]:
    """The results of one equation."""
    if eqn.primitive.name in ("pvary", "pcast"):
        # A value that was computed together with others may already vary over these axes.
        return [vary_over(operands[0], eqn.params["axes"])]
    found = eqn.primitive.get_bind_params(eqn.params)
    functions, params = found if isinstance(found, tuple) else ((), found)  # before jax 0.10
    with eqn.ctx.manager:
        results = eqn.primitive.bind(*functions, *operands, **params)
    return results if eqn.primitive.multiple_results else [results]


def _results(eqn: Any, env: dict[Any, Any], known: dict[Any, Any]) -> list[Any]:
    """The results of one equation, taken from an equal earlier one if there is one."""
    # Compared by the identity of the operands, which `env` keeps alive.
    whose = tuple(
        (str(v.val), str(v.aval)) if isinstance(v, Literal) else id(env[v]) for v in eqn.invars
    )
    key = eqn.primitive.name, whose, tuple(eqn.params.items())
    try:
        if not eqn.effects and key in known:
            return known[key]
    except TypeError:  # an unhashable parameter
        key = None
    results = bind(eqn, [read(v, env) for v in eqn.invars])
    if key is not None:
        known[key] = results
    return results
