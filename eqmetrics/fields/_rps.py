from collections.abc import Sequence
from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool

from .._custom_types import Input, Mask, Values, Weights
from .._reduction.pair import reaches
from .._regression.ensemble import ensemble
from .._rows.row_mean import AbstractRowMean


@final
class RPS(AbstractRowMean):
    r"""The mean ranked probability score of ensembles over categories: with $F_k$ the share of the
    members below edge $k$, and $O_k$ whether the target is, $\sum_k (F_k - O_k)^2$.

    A sum over the edges, as in xskillscore and Epstein's and Murphy's papers; WMO's and others'
    divide it by their number. Of one edge it is the Brier score of the event. With `fair=True`,
    $\sum_k F_k (1 - F_k) / (m - 1)$ is taken off, what few members add to the score of the
    distribution that they are drawn from.

    **Arguments:**

    - `edges`: between the categories, increasing: $n$ edges have $n + 1$ categories, the first
        without a lower end and the last without an upper one. A value on an edge is above it.
    - `fair`: whether the score is that of the distribution behind the members.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is constant but for jumps.
    State: 6 floats. Undefined when: no row was seen. Rows with NaN, or without a member, `fair`
    without two, are invalid.
    Source: Epstein, "A scoring system for probability forecasts of ranked categories", 1969;
    Ferro, "Fair scores for ensemble forecasts", 2014.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        rps = eqm.fields.RPS([1.0, 2.0])
        x, t = jnp.array([[0.5, 1.5, 1.7, 3.0]]), jnp.array([0.0])
        assert rps(samples=x, targets=t) == 0.75**2 + 0.25**2
        ```
    """

    edges: tuple[float, ...] = eqx.field(static=True)
    fair: bool = eqx.field(static=True)

    def __init__(
        self,
        edges: Sequence[float] | np.ndarray,
        *,
        fair: bool = False,
        undefined: float | None = None,
    ):
        wide = np.asarray(edges, np.float64)
        if wide.ndim != 1 or wide.size == 0 or not np.all(np.diff(np.float32(wide)) > 0):
            raise ValueError(f"edges={edges}: expected increasing numbers, at least one.")
        self.edges = tuple(wide.tolist())
        self.fair = bool(fair)
        enough = "two members" if fair else "a member"
        valid = f"{enough} in each row, samples and targets without NaN, weights >= 0 and finite"
        AbstractRowMean.__init__(self, valid, undefined=undefined)

    def update(
        self,
        *,
        samples: Values,
        targets: Values,
        members: Bool[Input, "..."] | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`samples` is real, of shape `(*rows, members)`, and `targets` of shape `rows`.
        `members`, of the shape of the samples or of their last axis, says which samples are
        real. `mask` and `weights` have the shape of the rows."""
        e = ensemble(samples, targets, members, mask, weights, least=1 + self.fair)
        s, t = jnp.asarray(samples).reshape(e.x.shape), e.batch.values
        score = jnp.zeros(t.shape, jnp.float32)
        for edge in self.edges:
            share = e.of_members((~reaches(s, edge)).astype(jnp.float32))
            score += (share - (~reaches(t, edge)).astype(jnp.float32)) ** 2
            if self.fair:
                score -= share * (1 - share) / (e.many - 1)
        return self.plus(e.valid().without(jnp.any(jnp.isnan(e.x), axis=1)), score)
