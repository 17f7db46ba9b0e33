from typing import Any, final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._custom_types import Input, Mask, Values
from .._metric.messages import describe
from .._metric.metric import Metric
from .._rows.rows import undefined_as
from ._run_scores import RunScores, Table


def _apart(scores: Any, reference: Any, mask: Any) -> tuple[Array, Array]:
    shape = scores.shape[:-1]
    for name, x in (("reference", reference), ("mask", mask)):
        if x is not None and x.shape != shape:
            raise TypeError(
                f"`{name}` is {describe(x)} and `scores` is {describe(scores)}: expected the shape "
                f"{shape} of the runs."
            )
    mask = jnp.ones(shape, bool) if mask is None else mask
    return mask & ~reference, mask & reference


@final
class ProbabilityOfImprovement(Metric):
    """The probability that a run scores higher than a run of a reference on a random task: the
    share of all pairs of a run and a reference run in which the run scores higher (ties count one
    half), averaged over the tasks.

    It says how likely a run is better, not by how much. Both sides may have different numbers of
    runs.

    **Arguments:**

    - `num_tasks`: the size of the last axis of `scores`.
    - `capacity`: how many runs there is room for on each side.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: `2 * capacity * num_tasks + 14` numbers. Undefined when: one side has no run, or more
    than `capacity`. Runs with NaN are invalid.
    Source: rliable; Mann and Whitney, 1947 (the U statistic).

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        improvement = eqm.rl.ProbabilityOfImprovement(num_tasks=1, capacity=10)
        scores = jnp.array([[1.0], [3.0], [2.0], [3.0]])
        reference = jnp.array([False, False, True, True])
        assert improvement(scores=scores, reference=reference) == 0.375
        ```
    """

    undefined: float | None = eqx.field(static=True)
    runs: RunScores
    others: RunScores

    def __init__(self, num_tasks: int, capacity: int, *, undefined: float | None = None):
        self.undefined = undefined
        self.runs = RunScores(num_tasks, capacity)
        self.others = RunScores(num_tasks, capacity)

    def update(
        self, *, scores: Values, reference: Bool[Input, "..."], mask: Mask = None
    ) -> Self:
        """`scores` have the shape `(*runs, num_tasks)`; `reference`, booleans of the shape of the
        runs, says which runs are those of the reference."""
        runs, others = _apart(scores, reference, mask)
        return self.replace(
            runs=self.runs.update(scores=scores, mask=runs),
            others=self.others.update(scores=scores, mask=others),
        )

    def tables(self) -> tuple[Table, ...]:
        return self.runs.table(), self.others.table()

    def of_tables(self, runs: Table, others: Table, /) -> Float32[Array, ""]:
        x, y = runs.scores[:, None], others.scores[None]
        half = ((x > y).astype(jnp.float32) + (x >= y).astype(jnp.float32)) / 2
        there = runs.there()[:, None] & others.there()[None]
        pairs = jnp.maximum(runs.runs * others.runs, 1).astype(jnp.float32)
        return jnp.mean(jnp.sum(jnp.where(there, half, 0), axis=(0, 1)) / pairs)

    def compute(self) -> Float32[Array, ""]:
        runs, others = self.tables()
        none = (runs.runs == 0) | (others.runs == 0)
        return undefined_as(self.of_tables(runs, others), none, self.undefined)
