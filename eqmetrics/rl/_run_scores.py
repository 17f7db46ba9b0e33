import abc
from typing import Any, final, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32

from .._custom_types import Mask, Values
from .._metric.field import state
from .._metric.numbers import check_whole
from .._metric.readout import AbstractReadout, AbstractStatistic
from .._onepass.sums import plus_invalid
from .._reduction import EXACT_SUM
from .._rows.rows import rows, undefined_as
from .._wrap.buffer import Buffer


class Table(NamedTuple):
    """Scores of runs on tasks, each column in ascending order; the first `runs` rows are runs, and
    the others infinity."""

    scores: Float32[Array, "capacity tasks"]
    runs: Int32[Array, ""]

    def there(self) -> Bool[Array, "capacity 1"]:
        return jnp.arange(len(self.scores), dtype=jnp.int32)[:, None] < self.runs

    def of_tasks(self, each: Array) -> Float32[Array, "tasks"]:
        """The mean of `each` over the runs, for each task."""
        number = jnp.maximum(self.runs, 1).astype(jnp.float32)
        return jnp.sum(jnp.where(self.there(), each, 0), axis=0) / number


@final
class RunScores(AbstractStatistic):
    """The scores of up to `capacity` runs on several tasks: the statistic that
    [`eqmetrics.rl.IQM`][] and other scores of runs read, and share in a `MetricDict`. See
    [`eqmetrics.Buffer`][].

    **Arguments:**

    - `num_tasks`: the size of the last axis of `scores`.
    - `capacity`: how many runs there is room for.

    State: `capacity * num_tasks + 7` numbers. Undefined when: there were more than `capacity` runs.
    Runs with NaN are invalid.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        runs = eqm.rl.RunScores(2, 10).update(scores=jnp.array([[1.0, 2.0], [3.0, 4.0]]))
        assert runs.compute() == 2.0
        ```
    """

    num_tasks: int = eqx.field(static=True)
    capacity: int = eqx.field(static=True)
    kept: Buffer
    invalid: Float32[Array, "2"] = state(reduce=EXACT_SUM, valid="scores without NaN")

    def __init__(self, num_tasks: int, capacity: int):
        check_whole("num_tasks", num_tasks)
        self.num_tasks = num_tasks
        self.capacity = capacity
        self.kept = Buffer(capacity, scores=jax.ShapeDtypeStruct((num_tasks,), jnp.float32))
        self.invalid = jnp.zeros(2, jnp.float32)

    def update(self, *, scores: Values, mask: Mask = None) -> Self:
        """`scores` have the shape `(*runs, num_tasks)`; `mask` has the shape of the runs."""
        batch = rows(scores, mask, None, (self.num_tasks,), "scores")
        batch = batch.without(jnp.any(jnp.isnan(batch.values), axis=1))
        return self.replace(
            kept=self.kept.update(scores=batch.values, mask=batch.mask),
            invalid=plus_invalid(self.invalid, batch),
        )

    def table(self) -> Table:
        columns, there = self.kept.rows()
        # In order, so that nothing depends on which runs came first.
        scores = jnp.where(there[:, None], columns["scores"], jnp.inf)
        return Table(jnp.sort(scores, axis=0), self.kept.count)

    def compute(self) -> Float32[Array, ""]:
        """The number of runs."""
        return self.kept.count.astype(jnp.float32)


class AbstractRunScore(AbstractReadout):
    """A value of the scores of runs on tasks. A subclass writes `of_tables`."""

    undefined: float | None = eqx.field(static=True)
    statistic: RunScores

    def __init__(self, num_tasks: int, capacity: int, *, undefined: float | None = None):
        self.undefined = undefined
        self.statistic = RunScores(num_tasks, capacity)

    def tables(self) -> tuple[Table, ...]:
        return (self.statistic.table(),)

    @abc.abstractmethod
    def of_tables(self, table: Table, /) -> Array:
        """The value of a table that has at least one run."""

    def compute(self) -> Any:
        (table,) = self.tables()
        return undefined_as(self.of_tables(table), table.runs == 0, self.undefined)
