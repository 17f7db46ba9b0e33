"""What both forms of a collection have in common: errors that name the member."""

import contextlib
from collections.abc import Mapping
from typing import Any

import jax

from .._metric.frames import noting
from .._metric.metric import Metric
from .._metric.node import is_metric


def naming(name: str, member: Metric) -> contextlib.AbstractContextManager[None]:
    return noting(f"In the metric `{name}` ({type(member).__name__}).")


def computed(members: Mapping[str, Metric]) -> dict[str, Any]:
    values = {}
    for name, member in members.items():
        with naming(name, member):
            values[name] = member.compute()
    return values


def an(x: Any) -> str:
    """Describes an argument that isn't a metric, with its article, for an error message."""
    if isinstance(x, type):
        return f"the class `{x.__name__}`"
    if x is None:
        return "None"
    name = type(x).__name__
    article = "an" if name[0] in "AEIOUaeiou" else "a"
    return f"{article} `{name}`" if is_metric(x) else f"{article} {name}"


def holds_metrics(x: Any) -> bool:
    """Whether this is a list, tuple or dict that contains metrics."""
    is_plain = isinstance(x, (list, tuple, dict))
    return is_plain and any(map(is_metric, jax.tree.leaves(x, is_leaf=is_metric)))


def as_mapping(metrics: Any) -> dict[str, Any]:
    try:
        return dict(metrics)
    except (TypeError, ValueError):
        raise TypeError(
            f"`MetricDict` takes metrics by name, not {an(metrics)}: "
            "`MetricDict(accuracy=eqm.Accuracy())`."
        ) from None


def refuse_class(collection: str, name: str, member: Any) -> None:
    if isinstance(member, type):
        raise TypeError(
            f"`{collection}`: `{name}` is {an(member)}, expected a metric. "
            f"Build it: `{name}={member.__name__}()`."
        )
