"""What an error says of its place, and the tracebacks of those that a user's code raised."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import jax


_HERE = f"{Path(__file__).parents[1]}{os.sep}"
# What calls a user's code on behalf of ours: the checks of its arguments, and bound methods.
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
    """Code that users and we call alike, so that it doesn't tell whose error it is."""
    return "site-packages" in tb.tb_frame.f_code.co_filename or _is_caller(tb)


@contextlib.contextmanager
def said(where: str) -> Iterator[None]:
    """An error says where it was raised."""
    try:
        yield
    except Exception as e:
        e.add_note(where)
        raise


def leave_out_ours(error: Exception) -> None:
    """Leaves the frames of this package out of the traceback of an error that a user's code
    raised below them: an `update` of their own in a collection, a function of `from_fun`. An
    error that this package or what it calls raised keeps all: there they are what one looks
    for. So does each where jax is told not to filter (`jax_traceback_filtering`)."""
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
