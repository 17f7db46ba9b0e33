from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._metric.messages import describe
from .._metric.readout import AbstractReadout
from .._rows.nearest_quotient import quotient_or
from .._rows.rows import undefined_as
from .._wrap.per_group import PerGroup
from .stat_scores import StatScores
from .task import Binary, one_threshold


def _ends(rates: Float32[Array, "groups"]) -> tuple[Array, Array]:
    """The lowest and the highest rate; NaN if fewer than two groups have one."""
    known = ~jnp.isnan(rates)
    low = jnp.min(jnp.where(known, rates, jnp.inf))
    high = jnp.max(jnp.where(known, rates, -jnp.inf))
    enough = jnp.sum(known) > 1
    return jnp.where(enough, low, jnp.nan), jnp.where(enough, high, jnp.nan)


def _share(top: Array, bottom: Array) -> Array:
    return quotient_or(top, bottom, None)


@final
class GroupFairness(AbstractReadout):
    r"""How differently a binary classifier treats groups of the rows: six measures of fairness.

    From the rate of positive predictions $s_g$, the true positive rate $t_g$ and the false positive
    rate $f_g$ of each group: demographic parity is $\max s_g - \min s_g$, and as a ratio
    $\min s_g / \max s_g$; equal opportunity is $\max t_g - \min t_g$, and as a ratio
    $\min t_g / \max t_g$; equalized odds is the larger of that difference and
    $\max f_g - \min f_g$, and as a ratio the smaller of that ratio and $\min f_g / \max f_g$. A
    difference of 0, or a ratio of 1, is fair. [`eqmetrics.PerGroup`][] and
    [`eqmetrics.Classwise`][] give the rates themselves, by the names of the groups.

    **Arguments:**

    - `num_groups`: how many groups there are; `update` takes `group`, the number of the group of
        each row, beside the arguments of [`eqmetrics.StatScores`][].
    - `task`: [`eqmetrics.Binary`][].
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: 10 floats a group, and 2. Undefined when: fewer than two groups have the rates that are
    compared; a group without one is left out. A ratio is also undefined if all of its rates are 0.
    Source: Dwork et al., "Fairness through awareness", 2012; Hardt, Price and Srebro, "Equality of
    opportunity in supervised learning", 2016.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        fairness = eqm.GroupFairness(2)
        value = fairness(
            predicted_labels=jnp.array([1, 1, 1, 0]),
            labels=jnp.array([1, 0, 1, 1]),
            group=jnp.array([0, 0, 1, 1]),
        )
        assert value["demographic_parity"] == 0.5 and value["equal_opportunity"] == 0.5
        ```
    """

    task: Binary = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: PerGroup

    def __init__(
        self, num_groups: int, task: Binary | None = None, *, undefined: float | None = None
    ):
        task = Binary() if task is None else task
        if not isinstance(task, Binary):
            raise TypeError(f"`GroupFairness` got {describe(task)}, expected `eqm.Binary()`.")
        one_threshold("GroupFairness", task)
        self.task = task
        self.undefined = undefined
        self.statistic = PerGroup(StatScores(task), num_groups)

    def compute(self) -> dict[str, Float32[Array, ""]]:
        """A dict of scalars: `demographic_parity`, `equal_opportunity` and `equalized_odds`, and
        each as a ratio: `demographic_parity_ratio`, ..."""
        counts = self.statistic.compute()
        tp, fp, fn, tn = (counts[name][:, 0] for name in ("tp", "fp", "fn", "tn"))
        rows = tp + fp + fn + tn
        low, high = _ends(_share(tp + fp, rows))
        hits, alarms = (_ends(x) for x in (_share(tp, tp + fn), _share(fp, fp + tn)))
        opportunity = hits[1] - hits[0]
        values = {
            "demographic_parity": high - low,
            "demographic_parity_ratio": _share(low, high),
            "equal_opportunity": opportunity,
            "equal_opportunity_ratio": _share(*hits),
            "equalized_odds": jnp.maximum(opportunity, alarms[1] - alarms[0]),
            "equalized_odds_ratio": jnp.minimum(_share(*hits), _share(*alarms)),
        }
        # Counts are always defined: NaN says that the group has invalid rows, not that it is empty.
        invalid = jnp.any(jnp.isnan(rows))
        return {
            name: jnp.where(invalid, jnp.nan, undefined_as(x, jnp.isnan(x), self.undefined))
            for name, x in values.items()
        }
