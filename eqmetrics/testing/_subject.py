import functools as ft
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from .._collection.route import arguments_of
from .._metric.metric import Metric
from .._metric.node import is_fresh, walk


Batch = Mapping[str, Any]


class Broken(Exception):
    """A law that a metric breaks; `check_metric` adds the names of the law and the metric."""


def updated(metric: Metric, batch: Batch) -> Metric:
    return type(metric).update(metric, **batch)


class Subject:
    """A metric and its batches. States that several laws need are cached, and the batches are cut
    so that all laws share a few shapes, and so a few compilations."""

    def __init__(self, metric: Metric, batches: Sequence[Batch], rtol: float):
        self.empty = metric if is_fresh(metric) else metric.reset()
        self.ordered = any(type(node).ordered for _, node, _ in walk(metric))
        self.takes = arguments_of(metric)
        self.batches = [{k: np.asarray(v) for k, v in b.items()} for b in batches]
        self.whole = {k: np.concatenate([b[k] for b in self.batches]) for k in self.batches[0]}
        self.rows = len(next(iter(self.whole.values())))
        self.rtol = rtol
        self.traces = 0
        # One program for three laws. It donates its first argument: pass a copy.
        self.jitted = jax.jit(self._traced, donate_argnums=0)

    def _traced(self, metric: Metric, batch: Batch) -> Metric:
        self.traces += 1
        return updated(metric, batch)

    @ft.cached_property
    def parts(self) -> list[Metric]:
        """One metric for each batch."""
        return [updated(self.empty, b) for b in self.batches]

    @ft.cached_property
    def after(self) -> Metric:
        """The metric that was updated with each batch in turn."""
        return self.run(self.batches[1:], self.parts[0])

    @ft.cached_property
    def at_once(self) -> Metric:
        return self.run([self.whole])

    @ft.cached_property
    def both(self) -> Metric:
        """Two states of the first batch, stacked by `vmap`."""
        return jax.jit(jax.vmap(updated, in_axes=(None, 0)))(self.empty, self.twice)

    @property
    def twice(self) -> dict[str, np.ndarray]:
        return {k: np.stack([v, v]) for k, v in self.batches[0].items()}

    def run(self, batches: Sequence[Batch], metric: Metric | None = None) -> Metric:
        # `device_put`, since jax itself would compile a conversion for each shape.
        start = self.empty if metric is None else metric
        return ft.reduce(updated, map(jax.device_put, batches), start)

    def part(self, rows: Any) -> dict[str, np.ndarray]:
        return {k: v[rows] for k, v in self.whole.items()}

    def equal(self, got: Metric, want: Metric, what: str = "the value") -> None:
        self.near(got.compute(), want.compute(), what)

    def near(self, got: Any, want: Any, what: str = "the value") -> None:
        """Integers and booleans are compared exactly, floats relative to the largest."""
        found, wanted = ([np.asarray(x) for x in jax.tree.leaves(v)] for v in (got, want))
        if [x.shape for x in found] != [x.shape for x in wanted]:
            shapes = [x.shape for x in wanted]
            raise Broken(f"{what} has shapes {[x.shape for x in found]}, expected {shapes}")
        for x, y in zip(found, wanted, strict=True):
            if y.dtype.kind in "iub":
                same = np.array_equal(x, y)
            else:
                x, y = (np.asarray(v, np.result_type(v.dtype, np.float64)) for v in (x, y))
                scale = np.max(np.abs(np.where(np.isfinite(y), y, 0)), initial=0)
                same = np.allclose(x, y, self.rtol, self.rtol * scale, equal_nan=True)
            if not same:
                raise Broken(f"{what} is {x}, expected {y}")
