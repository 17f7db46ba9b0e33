"""Finds the operations that make a NaN from numbers, where `jax_debug_nans` would stop."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal


# The operations that may give NaN; selecting a constant NaN, or sorting, doesn't count.
ARITHMETIC = {
    "add", "sub", "mul", "div", "sqrt", "rsqrt", "log", "log1p", "pow", "integer_pow", "exp",
    "reduce_sum", "dot_general", "sin", "cos", "acos", "rem", "erf_inv", "lgamma", "logistic",
}  # fmt: skip


CALLS = {"jit", "pjit", "custom_jvp_call", "custom_vjp_call", "closed_call"}


def has_nan(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jnp.floating) and bool(np.isnan(np.asarray(x)).any())


def nans_of(fn: Callable[..., Any], *args: Any) -> tuple[Any, list[str]]:
    """The result of `fn(*args)`, and the operations in it that gave NaN without having NaN as an
    operand. Loops and branches aren't searched."""
    closed, shape = jax.make_jaxpr(fn, return_shape=True)(*args)
    found: list[str] = []

    def run(closed: ClosedJaxpr, inputs: list) -> list:
        values: dict = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
        values |= dict(zip(closed.jaxpr.invars, inputs, strict=True))
        read = lambda x: x.val if isinstance(x, Literal) else values[x]
        for eqn in closed.jaxpr.eqns:
            given, name = [read(x) for x in eqn.invars], eqn.primitive.name
            inner = eqn.params.get("jaxpr", eqn.params.get("call_jaxpr"))
            if name in CALLS:
                out = run(inner, given)
            else:
                out = eqn.primitive.bind(*given, **eqn.params)
                out = out if eqn.primitive.multiple_results else [out]
            if name in ARITHMETIC and has_nan(out[0]) and not any(map(has_nan, given)):
                traceback = eqn.source_info.traceback
                frames = traceback.frames if traceback else []
                ours = [f for f in frames if "/eqmetrics/" in f.file_name][:3]
                at = [f"{f.file_name.split('/eqmetrics/')[-1]}:{f.line_num}" for f in ours]
                found.append(f"{name} at {', '.join(at)}")
            values |= dict(zip(eqn.outvars, out, strict=True))
        return [read(x) for x in closed.jaxpr.outvars]

    out = run(closed, jax.tree.leaves(args))
    return jax.tree.unflatten(jax.tree.structure(shape), out), found
