"""The words of errors: what came, what is no number, and which name was meant."""

import difflib
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np


def nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.7)
    return f" Did you mean `{close[0]}`?" if close else ""


def describe(x: Any) -> str:
    if isinstance(x, (jax.Array, np.ndarray, np.generic, jax.ShapeDtypeStruct)):
        return f"{x.dtype}[{', '.join(map(str, x.shape))}]"
    return f"{type(x).__name__} {x!r}"


def no_number(name: str, what: str) -> str:
    return (
        f"`{name}` is {what}, expected numbers or booleans. Number the classes first, and hash "
        "words by `eqm.text.host_ids`. `eqm.Collect` also keeps values that aren't numbers."
    )


def not_real(name: str, x: Any) -> TypeError:
    return TypeError(
        f"`{name}` is {describe(x)}, expected real numbers: give the real part, the imaginary part "
        "or the absolute value."
    )
