"""What both forms of a collection do with their members: an error names the one it is of."""

import contextlib
from collections.abc import Mapping
from typing import Any

from .._metric.frames import said
from .._metric.metric import Metric


def naming(name: str, member: Metric) -> contextlib.AbstractContextManager[None]:
    return said(f"In the metric `{name}` ({type(member).__name__}).")


def computed(members: Mapping[str, Metric]) -> dict[str, Any]:
    values = {}
    for name, member in members.items():
        with naming(name, member):
            values[name] = member.compute()
    return values


def refuse_class(collection: str, name: str, member: Any) -> None:
    if isinstance(member, type):
        raise TypeError(
            f"`{collection}`: `{name}` is the class `{member.__name__}`, expected a metric. "
            f"Build it: `{name}={member.__name__}()`."
        )
