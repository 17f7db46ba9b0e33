"""Notes on where an error was raised, and shorter tracebacks for errors of a user's code."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import jax


_HERE = f"{Path(__file__).parents[1]}{os.sep}"
# Libraries that call a user's code for this one: to check arguments, and for bound methods.
_CALLERS = "jaxtyping", "equinox", "beartype"
_NOTE = (
    "eqmetrics has left out its own frames, since the error is not from it. "
    "JAX_TRACEBACK_FILTERING=off shows them."
)


def _is_ours(tb: TracebackType) -> bool:
    return tb.tb_frame.f_code.co_filename.startswith(_HERE)


def _is_caller(tb: TracebackType) -> bool:
    module = tb.tb_frame.f_globals.get("__name__", "")
    return module.split(".")[0] in _CALLERS or tb.tb_frame.f_code.co_filename.startswith("<@beart")


def _is_library(tb: TracebackType) -> bool:
    """Code that both users and this package call, so it doesn't show whose error it is."""
    return "site-packages" in tb.tb_frame.f_code.co_filename or _is_caller(tb)


@contextlib.contextmanager
def noting(where: str) -> Iterator[None]:
    """Adds a note to an error: where it was raised."""
    try:
        yield
    except Exception as e:
        e.add_note(where)
        raise


def leave_out_ours(error: Exception) -> None:
    """Removes the frames of this package from the traceback of an error that was raised in a user's
    code: in the `update` of a user's metric in a collection, or in a function of `from_fun`. If the
    error was raised by this package, or by a library that it called, all frames stay, since they
    are needed to understand it. They also stay if jax's own filter is off
    (`jax_traceback_filtering`)."""
    if jax.config.jax_traceback_filtering == "off":  # pyright: ignore[reportAttributeAccessIssue]
        return
    frames, tb = [], error.__traceback__
    while tb is not None:
        frames.append(tb)
        tb = tb.tb_next
    whose = [tb for tb in frames if _is_ours(tb) or not _is_library(tb)]
    if not whose or _is_ours(whose[-1]):
        return
    first = frames.index(whose[-1])
    kept = [tb for tb in frames[:first] if not (_is_ours(tb) or _is_caller(tb))] + frames[first:]
    chain = None
    for tb in reversed(kept):
        chain = TracebackType(chain, tb.tb_frame, tb.tb_lasti, tb.tb_lineno)
    error.__traceback__ = chain
    if _NOTE not in getattr(error, "__notes__", ()):
        error.add_note(_NOTE)
