"""One pass over the rows for many states of one metric: for each group with only its rows, for each
replicate with its own weights, or for each row.

The `update` of one state is traced, and its jaxpr is evaluated on all states at once. Values of
rows are computed once, values of the state for each state (`vmap`), and operations lead from the
former to the latter. If an `update` combines rows and state in another way, it isn't a sum over
rows.
"""

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.extend.core import Literal
from jaxtyping import Array, Float32

from .levels import leading, of_rows
from .operation import AbstractOperation, gathering, Groups, operation_of
from .together import bind, read, varying_as_marked


class NotASum(Exception):
    """An `update` doesn't treat each row separately."""


def update_groups(
    update: Callable[[Any, Any], Any], stack: Any, outputs: Any, groups: Groups
) -> Any:
    """`update(metric, outputs)` of a stack of metrics, each with the rows of its own group."""
    rows = groups.group.shape[0]

    def do(operation: AbstractOperation, operands: list[Array]) -> tuple[Array, ...]:
        times = _multiple(operation, operands, rows)
        group, taken = (_repeated(x, times) for x in (groups.group, groups.taken))
        return operation.by_group(Groups(group, taken, groups.num_groups), *operands)

    return _apart(update, stack, outputs, rows, do)


def update_replicates(
    update: Callable[[Any, Any], Any],
    stack: Any,
    outputs: Any,
    weights: Float32[Array, "samples rows"],
) -> Any:
    """`update(metric, outputs)` of a stack of metrics, each with its own weights of the rows."""
    rows = weights.shape[1]

    def do(operation: AbstractOperation, operands: list[Array]) -> tuple[Array, ...]:
        times = _multiple(operation, operands, rows)
        return operation.by_replicate(_repeated(weights.T, times).T, *operands)

    return _apart(update, stack, outputs, rows, do)


def update_rows(update: Callable[[Any, Any], Any], stack: Any, outputs: Any) -> Any:
    """`update(metric, outputs)` of a stack of empty metrics, each with one row."""
    rows = jax.tree.leaves(stack)[0].shape[0]
    do = lambda operation, operands: operation.by_row(rows, *operands)
    return _apart(update, stack, outputs, rows, do)


def _multiple(operation: AbstractOperation, operands: list[Array], rows: int) -> int:
    """The number of rows that the `update` has made of each row, for example by joining axes."""
    of_rows = [x.shape[0] for i, x in enumerate(operands) if operation.level(i) == "rows"]
    count = of_rows[0] if of_rows else getattr(operation, "rows", rows)
    return count // max(rows, 1)


def _repeated(x: Array, times: int) -> Array:
    return x if times == 1 else jnp.repeat(x, times, axis=0, total_repeat_length=len(x) * times)


_Do = Callable[[AbstractOperation, list[Array]], tuple[Array, ...]]


def _apart(update: Callable[[Any, Any], Any], stack: Any, outputs: Any, rows: int, do: _Do) -> Any:
    arrays, treedef = jax.tree.flatten(stack)
    given, static = eqx.partition(outputs, lambda x: isinstance(x, jax.Array))
    inputs, inputs_treedef = jax.tree.flatten(given)
    built: list[Any] = []

    def flat(arrays, inputs):
        metric = jax.tree.unflatten(treedef, arrays)
        whole = eqx.combine(jax.tree.unflatten(inputs_treedef, inputs), static)
        with gathering():
            new = update(metric, whole)
        out, out_treedef = jax.tree.flatten(new)
        built[:] = [out_treedef]
        return out

    one = [jax.ShapeDtypeStruct(x.shape[1:], x.dtype) for x in arrays]
    closed = jax.make_jaxpr(flat)(one, inputs)
    states = dict.fromkeys(closed.jaxpr.invars[: len(arrays)])
    env = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
    env.update(zip(closed.jaxpr.invars, [*arrays, *inputs], strict=True))
    # The level of a value: "state", "rows", or "batch" if it mixes rows. A value without a level is
    # the same for all states.
    levels = dict.fromkeys(states, "state")
    for v in closed.jaxpr.invars[len(arrays) :]:
        # If an output has a multiple of the rows, it isn't known which belong to which row.
        lead = leading(v.aval.shape, rows)
        exact = lead is not None and math.prod(v.aval.shape[:lead]) == rows
        levels[v] = "rows" if exact else "batch"
    _evaluate(closed.jaxpr, env, levels, rows, do)
    out = []
    for v, old in zip(closed.jaxpr.outvars, arrays, strict=True):
        level = None if isinstance(v, Literal) else levels.get(v)
        if level in ("rows", "batch"):
            raise NotASum(f"a state of shape {old.shape[1:]} is read from the rows themselves")
        x = read(v, env)
        out.append(x if level == "state" else jnp.broadcast_to(x, old.shape))
    return jax.tree.unflatten(built[0], out)


def _level(v: Any, levels: dict[Any, str]) -> str | None:
    return None if isinstance(v, Literal) else levels.get(v)


def _evaluate(jaxpr: Any, env: dict[Any, Any], levels: dict[Any, str], rows: int, do: _Do) -> None:
    for eqn in jaxpr.eqns:
        own = [_level(v, levels) for v in eqn.invars]
        operands = [read(v, env) for v in eqn.invars]
        operation = operation_of(eqn)
        if operation is not None:
            results, found = _done(operation, own, operands, do, env, levels)
            results = varying_as_marked(eqn, results)
        elif "state" in own:
            if "rows" in own or "batch" in own:
                raise NotASum(f"`{eqn.primitive.name}` of rows and of the state")
            results, found = _mapped(eqn, own, operands), ["state"] * len(eqn.outvars)
        else:
            results = bind(eqn, operands)
            if "batch" in own:
                kind: str | None = "batch"
            elif "rows" in own:
                kind = "rows" if _of_rows(eqn, own, rows) else "batch"
            else:
                kind = None
            found = [kind] * len(eqn.outvars)
        for v, x, level in zip(eqn.outvars, results, found, strict=True):
            env[v] = x
            if level is not None:
                levels[v] = level


def _done(
    operation: AbstractOperation, own: list, operands: list, do: _Do, env: Any, levels: Any
) -> tuple[Any, list[str]]:
    stack = next(x.shape[0] for v, x in env.items() if levels.get(v) == "state")
    for i, level in enumerate(own):
        if operation.level(i) == "state" and level is None:
            operands[i] = jnp.broadcast_to(operands[i], (stack, *jnp.shape(operands[i])))
        elif operation.level(i) == "state" and level != "state":
            raise NotASum("rows in the place of a state")
        elif operation.level(i) == "rows" and level in ("state", "batch"):
            raise NotASum("what a row adds depends on the state or on other rows")
    return do(operation, operands), list(operation.results)


def _mapped(eqn: Any, own: list, operands: list) -> list[Any]:
    axes = [0 if level == "state" else None for level in own]
    return jax.vmap(lambda *x: bind(eqn, list(x)), in_axes=axes)(*operands)


def _of_rows(eqn: Any, own: list, rows: int) -> bool:
    inner = eqn.params.get("jaxpr", eqn.params.get("call_jaxpr"))
    if eqn.primitive.name == "call_hi_primitive":
        # Since jax 0.12, `searchsorted` and `einsum` are such: they say what they consist of.
        inner = jax.make_jaxpr(eqn.params["_prim"].expand)(*(v.aval for v in eqn.invars))
    if eqn.primitive.name == "scan":
        return _scan_of_rows(eqn, own, rows)
    if eqn.primitive.name == "cond" and own[0] is None:
        # The choice is the same for all rows: that of a platform, for example.
        found = [_within(branch.jaxpr, own[1:], rows) for branch in eqn.params["branches"]]
        return all(each is not None and set(each) == {"rows"} for each in found)
    if inner is None or eqn.primitive.name in ("while", "cond", "reduce"):
        return of_rows(eqn, [level == "rows" for level in own], rows)
    found = _within(getattr(inner, "jaxpr", inner), own, rows)
    return found is not None and all(level == "rows" for level in found)


def _within(jaxpr: Any, own: list, rows: int) -> list | None:
    """The levels of the results of a jaxpr; `None` if it mixes rows."""
    levels = {v: level for v, level in zip(jaxpr.invars, own, strict=True) if level is not None}
    for inside in jaxpr.eqns:
        given = [_level(v, levels) for v in inside.invars]
        if "rows" not in given:
            continue
        if not _of_rows(inside, given, rows):
            return None
        levels.update(dict.fromkeys(inside.outvars, "rows"))
    return [_level(v, levels) for v in jaxpr.outvars]


def _scan_of_rows(eqn: Any, own: list, rows: int) -> bool:
    """Whether a loop keeps rows separate, as a binary search does. If its carry belongs to the rows
    after one step whose input did, it does after all steps. An initial carry of constants with a
    row in each entry belongs to the rows, too."""
    consts, carried = _counts(eqn.params)
    if len(own) != consts + carried or len(eqn.outvars) != carried:
        return False  # it reads or writes slices of an array, step by step
    jaxpr = eqn.params["jaxpr"].jaxpr
    shaped = [leading(v.aval.shape, rows) is not None for v in jaxpr.invars[consts:]]
    carry = ["rows" if of else level for of, level in zip(shaped, own[consts:], strict=True)]
    return _within(jaxpr, [*own[:consts], *carry], rows) == carry


def _counts(params: Any) -> tuple[int, int]:
    """The number of constants of a scan, and of the values in its carry."""
    if "num_consts" in params:
        return params["num_consts"], params["num_carry"]
    consts, carried, _ = params["ft_in"].unpack()  # since jax 0.11
    return len(list(consts)), len(list(carried))
