"""Groups of rows of the table. A test runs the metrics of a group as one program, which compiles in
half the time of one program for each. A row joins a group automatically, if its metric gets the
same arguments from the group's batches as from its own."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import jax
import numpy as np
import pytest

import eqmetrics as eqm
from eqmetrics._collection.route import arguments_of
from eqmetrics._metric.node import walk

from .table import ROWS, SLOW


# Larger programs would keep one of the two test processes busy while the other waits.
MOST = 12
SPECIAL = {"mask", "weights"}


@dataclasses.dataclass
class Group:
    """Metrics by the names of their rows, and batches with the arguments of all of them."""

    metrics: dict[str, eqm.Metric]
    batches: list[dict[str, Any]]

    def together(self) -> eqm.MetricDict:
        """All metrics in one collection: they share statistics and passes over the rows, as in a
        user's. `test_sharing.py` and `test_one_pass.py` check that the values are those of each
        alone; the session `slow` also runs each alone."""
        return eqm.MetricDict(self.metrics)

    def __str__(self) -> str:
        return ", ".join(self.metrics)

    def alone(self) -> "list[Group]":
        return [Group({n: m}, self.of(m)) for n, m in self.metrics.items()]

    def of(self, metric: eqm.Metric) -> list[dict[str, Any]]:
        """The batches as the collection would pass them to one member."""
        takes = arguments_of(metric)
        return [{k: v for k, v in b.items() if k in takes} for b in self.batches]

    def takes_in(self, metric: eqm.Metric, batches: list[dict[str, Any]]) -> bool:
        """Whether each member would still get the arguments of its own row, bit for bit, if this
        one joined."""
        if kind(metric) != kind(next(iter(self.metrics.values()))):
            return False
        if len(batches) != len(self.batches):
            return False
        for mine, theirs in zip(batches, self.batches, strict=True):
            if rows_of(mine) != rows_of(theirs):
                return False
            if not all(same(mine[k], theirs[k]) for k in mine.keys() & theirs.keys()):
                return False
            for m, own in [(metric, mine), *((m, self.of(m)[0]) for m in self.metrics.values())]:
                if (mine.keys() | theirs.keys()) & arguments_of(m).keys() != own.keys():
                    return False
        return True


def rows_of(batch: dict[str, Any]) -> int:
    return len(next(iter(batch.values())))


def same(x: Any, y: Any) -> bool:
    x, y = np.asarray(x), np.asarray(y)
    return (x.dtype, x.shape) == (y.dtype, y.shape) and x.tobytes() == y.tobytes()


def kind(metric: eqm.Metric) -> tuple:
    """The properties that the members of a group must have in common. A law demands less of a
    collection if one member is ordered or takes no mask or weights; and eager code isn't compiled
    if one member is a user's class."""
    nodes = [node for _, node, _ in walk(metric)]
    ordered = any(type(node).ordered for node in nodes)
    ours = all(type(node).__module__.startswith("eqmetrics.") for node in nodes)
    return ordered, ours, frozenset(SPECIAL & arguments_of(metric).keys())


def grouped(names: Iterable[str] | None = None, most: int = MOST) -> list[Group]:
    """The groups of all rows except the slow ones, or of the named rows; each row joins the first
    group that it can."""
    found: list[Group] = []
    for name in (n for n in ROWS if n not in SLOW) if names is None else names:
        metric, batches = ROWS[name]
        for group in found:
            if len(group.metrics) < most and group.takes_in(metric, batches):
                group.metrics[name] = metric
                for all_of, mine in zip(group.batches, batches, strict=True):
                    all_of.update(mine)
                break
        else:
            found.append(Group({name: metric}, [dict(b) for b in batches]))
    return found


def params(groups: list[Group]) -> list:
    """Parameters of a test. The id contains the names of all members, so that `-k` finds the group
    of a metric."""
    return [pytest.param(group, id=str(group), marks=pytest.mark.long) for group in groups]


def every_alone(names: Iterable[str] = ROWS) -> list:
    """Each row as a group of its own; marked slow, for tests that have run larger groups
    already."""
    return [
        pytest.param(Group({n: ROWS[n][0]}, ROWS[n][1]), id=n, marks=pytest.mark.slow)
        for n in names
    ]


def narrowed(test: Callable[[Group], None], group: Group) -> None:
    """Runs a test on a group and, if it fails, on each member alone, to find those that fail."""
    try:
        return test(group)
    except Exception as together:
        if len(group.metrics) == 1:
            raise
        failed: dict[str, Exception] = {}
        for one in group.alone():
            try:
                test(one)
            except Exception as e:
                failed[str(one)] = e
        if not failed:
            raise AssertionError(f"None of {group} fails alone, only together.") from together
        told = "".join(f"\n{name}: {e}" for name, e in failed.items())
        raise AssertionError(f"In a group of {len(group.metrics)} fail:{told}") from together


def in_tens(names: Iterable[str]) -> list:
    """Names in lists of ten, for tests that run metrics side by side in one program, each on its
    own batches; the slow rows separately."""
    given, found = list(names), []
    for marks in ((), (pytest.mark.slow,)):
        some = [name for name in given if (name in SLOW) == bool(marks)]
        tens = [some[i : i + 10] for i in range(0, len(some), 10)]
        found += [
            pytest.param(ten, id=", ".join(ten), marks=marks or pytest.mark.long) for ten in tens
        ]
    return found


def narrow(test: Callable[[list[str]], None], names: list[str]) -> None:
    """The same as `narrowed`, for a list of names."""
    group = Group({name: ROWS[name][0] for name in names}, [])
    narrowed(lambda group: test(list(group.metrics)), group)


def all_nan(value: Any) -> bool:
    return all(np.all(x != x) for x in map(np.asarray, jax.tree.leaves(value)))
