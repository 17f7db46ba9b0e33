from collections.abc import Callable
from typing import Any, final, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from .._collection.route import arguments_of, update_of
from .._metric.metric import AbstractRelay
from .._metric.node import rebuild
from .._metric.numbers import check_whole
from .._wrap.bootstrap import key_of, static_key
from ._improvement import ProbabilityOfImprovement
from ._run_scores import AbstractRunScore, Table


_AT_ONCE = 2**22  # how many scores are drawn at once


def _drawn(key: Array, table: Table) -> Table:
    """For each task as many runs, drawn with replacement from those of the task."""
    most = jnp.maximum(table.runs, 1)
    index = jax.random.randint(key, table.scores.shape, 0, most, jnp.int32)
    scores = jnp.take_along_axis(table.scores, index, axis=0)
    return Table(jnp.where(table.there(), scores, jnp.inf), table.runs)


@final
class StratifiedBootstrap(AbstractRelay):
    """A score of runs on tasks with its standard error and a confidence interval, by the stratified
    bootstrap: replicates draw runs for each task separately, so that each has all tasks.

    **Arguments:**

    - `metric`: an `eqm.rl.IQM`, `MedianOfMeans`, `OptimalityGap`, `PerformanceProfile` or
        `ProbabilityOfImprovement`, for which both sides are drawn.
    - `samples`: how many replicates there are, drawn in `compute`.
    - `key`: a `jax.random.key`; the same key gives the same bits, whatever the order of the runs.
    - `confidence`: the share of the replicates between `low` and `high`.

    With few runs the interval is too short. The gradient of `value` is that of the metric.
    State: that of the metric. Undefined when: the metric is.
    Source: rliable's `get_interval_estimates` with the method "percentile".

    !!! example

        ```python
        import eqmetrics as eqm, jax, jax.numpy as jnp
        iqm = eqm.rl.IQM(num_tasks=2, capacity=20)
        iqm = eqm.rl.StratifiedBootstrap(iqm, samples=200, key=jax.random.key(0))
        value = iqm(scores=jnp.arange(20.0).reshape(10, 2))
        assert value["low"] < value["value"] == 9.5 < value["high"]
        ```
    """

    samples: int = eqx.field(static=True)
    seed: tuple[str, tuple[int, ...]] = eqx.field(static=True)
    confidence: float = eqx.field(static=True)
    metric: AbstractRunScore | ProbabilityOfImprovement

    def __init__(
        self,
        metric: AbstractRunScore | ProbabilityOfImprovement,
        samples: int = 2000,
        *,
        key: Array,
        confidence: float = 0.95,
    ):
        if not isinstance(metric, (AbstractRunScore, ProbabilityOfImprovement)):
            raise TypeError(
                f"`StratifiedBootstrap` got {type(metric).__qualname__}, expected a score of runs "
                "on tasks, such as `eqm.rl.IQM`. Of rows, `eqm.Bootstrap` gives intervals."
            )
        check_whole("samples", samples, 2)
        if not 0 < confidence < 1:
            raise ValueError(f"confidence={confidence!r}: expected a share between 0 and 1.")
        self.samples = samples
        self.seed = static_key("StratifiedBootstrap", key)
        self.confidence = confidence
        self.metric = metric.reset()

    def arguments(self) -> dict[str, bool]:
        return arguments_of(self.metric)

    def relay(self, outputs: dict[str, Any], update: Callable[[Any, dict[str, Any]], Any]) -> Self:
        return rebuild(self, {"metric": update(self.metric, outputs)})

    def update(self, **outputs: Any) -> Self:
        return self.relay(outputs, update_of)

    def compute(self) -> dict[str, Array]:
        """A dict of `value`, `standard_error`, `low` and `high`, each of the shape of the metric's
        value."""
        metric: Any = self.metric
        tables = metric.tables()

        def one(key: Array) -> Array:
            keys = jax.random.split(key, len(tables))
            return metric.of_tables(*(_drawn(k, t) for k, t in zip(keys, tables, strict=True)))

        keys = jax.random.split(key_of(self.seed), self.samples)
        size = sum(t.scores.size for t in tables)
        if len(tables) > 1:
            size *= len(tables[0].scores)
        at_once = min(self.samples, max(1, _AT_ONCE // size))
        values = jax.lax.map(one, keys, batch_size=at_once)
        tail, value = (1 - self.confidence) / 2, metric.compute()
        hide = lambda x: jnp.where(jnp.isnan(value), jnp.nan, x)
        return {
            "value": value,
            "standard_error": hide(jnp.std(values, axis=0, ddof=1)),
            "low": hide(jnp.quantile(values, tail, axis=0)),
            "high": hide(jnp.quantile(values, 1 - tail, axis=0)),
        }
