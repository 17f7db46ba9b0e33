"""The printed form of a collection: its members by name, their values and the outputs they read."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar

import jax
import numpy as np
from jax.core import Tracer

from .._collection.route import arguments_of
from .messages import describe
from .metric import AbstractCollection, Metric
from .node import walk


_T = TypeVar("_T")
_FEW = 4  # arrays of up to so many entries are printed in full
# Guards against recursion: an error in `compute` may contain the metric as text, and making that
# text would call `compute` again.
_showing: ContextVar[bool] = ContextVar("showing", default=False)


def doc_of(metric: AbstractCollection, **kwargs: Any) -> Any:
    """For `eqx.tree_pformat`, so also for a collection inside a training state that is printed. A
    member's state is shown only if the member itself is printed: `print(metrics["loss"])`."""
    import wadler_lindig as wl  # imported already: it calls this function

    docs = []
    for name, member in members_of(metric).items():
        inner = wl.pdoc(member, **kwargs) if isinstance(member, AbstractCollection) else None
        docs.append(wl.TextDoc(f"{name}=") + (inner or wl.TextDoc(line_of(member))))
    return wl.bracketed(
        begin=wl.TextDoc(f"{type(metric).__name__}("),
        docs=docs,
        sep=wl.comma,
        end=wl.TextDoc(")"),
        indent=kwargs["indent"],
    )


def members_of(metric: AbstractCollection) -> dict[str, Metric]:
    from .._collection.metric_dict import MetricDict

    if isinstance(metric, MetricDict):
        # If no value can be shown, no member is read from a shared statistic: reading would need
        # tracing, and stacked states can't be read.
        owners = metric.owners()
        if any(not _is_concrete(x) or _stacked(x) for x in owners.values()):
            return owners
    return metric.members()


def line_of(member: Metric) -> str:
    reads = _reads(member)
    of = f" of {' and '.join(reads)}" if reads else ""
    return f"{value_of(member, _text) or _what(member)}{of}"


def _reads(member: Metric) -> list[str]:
    """The outputs that a member reads, if `from_output` or `from_fun` named them."""
    from .._wrap.from_fun import FromFun
    from .._wrap.from_output import FromOutput

    named = [node for _, node, _ in walk(member) if isinstance(node, (FromFun, FromOutput))]
    if not named:
        return []
    outputs = [name for name, required in arguments_of(member).items() if required]
    for node in named:
        renames = node.renames if isinstance(node, FromOutput) else ()
        outputs += [output for _, output in renames if output is not None]
    taken = arguments_of(member)
    return [f'"{name}"' for name in dict.fromkeys(outputs) if name in taken]


def _name(member: Any) -> str:
    """The class of the metric inside `from_output` and `from_fun`, which the user knows."""
    from .._wrap.from_fun import FromFun
    from .._wrap.from_output import FromOutput

    while isinstance(member, (FromFun, FromOutput)):
        member = member.metric
    return type(member).__name__


def _is_concrete(metric: Metric) -> bool:
    leaves = jax.tree.leaves(metric)
    arrays = [x for x in leaves if isinstance(x, jax.Array)]
    return all(isinstance(x, (jax.Array, np.ndarray)) for x in leaves) and not any(
        isinstance(x, Tracer) or x.is_deleted() for x in arrays
    )


def _stacked(metric: Metric) -> tuple[int, ...]:
    """The leading axes that `vmap` or `pmap` added."""
    for _, node, axes in walk(metric):
        for name, shape, _ in node._specs:
            there = getattr(getattr(node, name), "shape", ())
            extra = len(there) - len(axes) - len(shape)
            if extra > 0:
                return there[:extra]
    return ()


def _what(member: Metric) -> str:
    """The text for a member without a value: under a transformation, donated, or stacked."""
    axes = _stacked(member)
    return f"{' x '.join(map(str, axes))} stacked {_name(member)}" if axes else _name(member)


def value_of(member: Metric, fn: Callable[[Any], _T]) -> _T | str | None:
    """`fn` of the value on the host; `None` if no value can be shown."""
    from .._host.to_host import to_host
    from .invalid import InvalidDataError

    if _showing.get() or not _is_concrete(member) or _stacked(member):
        return None
    token = _showing.set(True)
    try:
        return fn(to_host(member))
    except InvalidDataError:
        return "nan (invalid rows)"
    except Exception:  # printing never raises; `compute` will
        return None
    finally:
        _showing.reset(token)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{k}: {_text(v)}' for k, v in value.items())}}}"
    if isinstance(value, np.ndarray):
        few = value.ndim == 1 and value.size <= _FEW
        return f"[{', '.join(_text(x.item()) for x in value)}]" if few else describe(value)
    if isinstance(value, float):
        # A count is exact, so all its digits are printed.
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else f"{value:.4g}"
    return str(value) if isinstance(value, (bool, int, str)) else type(value).__qualname__
