from collections.abc import Sequence
from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from .._custom_types import Input, Labels, Mask, Values, Weights
from .._decisions.inputs import Inputs
from .._decisions.scores import scores_of
from .._decisions.softmax import has_losses, softmax
from .._decisions.task import Multiclass
from .._reduction.pair import reaches
from .._regression.ensemble import ensemble
from .._rows.row_mean import AbstractRowMean


@final
class RPS(AbstractRowMean):
    r"""The mean ranked probability score of ensembles over ordered categories:
    $\sum_k (F_k - O_k)^2$, with $F_k$ the share of the members below edge $k$, and $O_k$ whether
    the target is.

    It is a sum over the edges, as in xskillscore and the papers of Epstein and Murphy; WMO and
    others divide by their number. With one edge it is the Brier score of the event. `fair=True`
    subtracts $\sum_k F_k (1 - F_k) / (m - 1)$, which a finite number $m$ of members adds to the
    score of the distribution that they are drawn from.

    **Arguments:**

    - `edges`: the edges between the categories, increasing: $n$ edges make $n + 1$ categories, the
        first without a lower end and the last without an upper one. A value on an edge is above it.
    - `fair`: whether to score the distribution that the members are drawn from.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: 6 floats. Undefined when: no row was seen. Rows with NaN, or without a member, or with
    `fair` without two, are invalid.
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
        """`samples` is real, of shape `(*rows, members)`, and `targets` of shape `(*rows,)`.
        `members`, of the shape of the samples or of their last axis, says which samples are real.
        `mask` and `weights` have the shape of the rows."""
        e = ensemble(samples, targets, members, mask, weights, least=1 + self.fair)
        s, t = jnp.asarray(samples).reshape(e.x.shape), e.batch.values
        score = jnp.zeros(t.shape, jnp.float32)
        for edge in self.edges:
            share = e.of_members((~reaches(s, edge)).astype(jnp.float32))
            score += (share - (~reaches(t, edge)).astype(jnp.float32)) ** 2
            if self.fair:
                score -= share * (1 - share) / (e.many - 1)
        return self.plus(e.valid().without(jnp.any(jnp.isnan(e.x), axis=1)), score)


@final
class CategoricalRPS(AbstractRowMean):
    r"""The mean ranked probability score of predicted probabilities of ordered categories:
    $\sum_k (F_k - O_k)^2$ over all categories but the last, with $F_k$ the probability of category
    $k$ or a lower one, and $O_k$ whether the label is one of these.

    It is a sum, as [`eqmetrics.fields.RPS`][] of ensembles is over their edges; others divide by
    the number of categories minus one. With two categories it is the Brier score of the event.
    Unlike in [`eqmetrics.Brier`][], probability in categories further from the label costs more.

    **Arguments:**

    - `num_categories`: how many there are, at least 2, in the order of the last axis.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the value.
    State: 6 floats. Undefined when: no row was seen.
    Source: Epstein, "A scoring system for probability forecasts of ranked categories", 1969;
    Murphy, "A note on the ranked probability score", 1971.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        rps = eqm.fields.CategoricalRPS(3)
        p = jnp.array([[0.5, 0.25, 0.25]])
        assert rps(probabilities=p, labels=jnp.array([0])) == 0.5**2 + 0.25**2
        assert rps(probabilities=p, labels=jnp.array([2])) == 0.5**2 + 0.75**2
        ```
    """

    num_categories: int = eqx.field(static=True)

    def __init__(self, num_categories: int, *, undefined: float | None = None):
        self.num_categories = num_categories
        AbstractRowMean.__init__(self, Multiclass(num_categories).valid, undefined=undefined)

    def update(
        self,
        *,
        labels: Labels,
        logits: Float[Input, "..."] | None = None,
        probabilities: Float[Input, "..."] | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """Takes exactly one of `logits` and `probabilities`, of shape `(*rows, num_categories)`.
        `labels`, the numbers of the categories, `mask` and `weights` have the shape of the rows."""
        inputs = Inputs(labels, logits, probabilities, None, mask, weights)
        s = scores_of(Multiclass(self.num_categories), inputs, has_losses)
        yes, _ = s.each()
        p = softmax(s.given, s.taken) if s.are_logits else s.scores
        away = jnp.cumsum(jnp.where(yes, p - 1, p), axis=1)[:, :-1]
        return self.plus(s.batch, jnp.where(s.taken, jnp.sum(away**2, axis=1), 0))
