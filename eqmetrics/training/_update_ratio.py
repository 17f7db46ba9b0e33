from collections.abc import Sequence
from typing import Any, final, Self

import equinox as eqx
import jax.numpy as jnp

from .._custom_types import Mask, Weights
from .._metric.metric import Metric
from .._onepass.sums import Sums
from .._rows.nearest_quotient import quotient_or
from ._tree import check_axes, check_groups, norms_of, steps_of
from ._tree_norm import by_group


@final
class UpdateRatio(Metric):
    r"""How far a step moves the parameters, relative to their size: the mean over the steps of
    $\log_{10}(\lVert \Delta w \rVert / \lVert w \rVert)$.

    About -3 is usual; a much larger value means that the learning rate is too large. An update is
    one step, with the `updates` that are added to the `params`. A step whose ratio isn't finite and
    positive (updates or parameters are all 0, or hold NaN) counts in `not_finite`, and not in the
    mean.

    **Arguments:**

    - `groups`: paths, as in [`eqmetrics.training.TreeNorm`][]: a ratio for each;
        `eqm.training.groups_of(params)` are those of all leaves.
    - `axes`: how many leading axes of all leaves are those of the steps.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the logarithms.
    State: 6 floats for each group, and 2 for invalid steps. Undefined when: no step has a finite
    ratio.
    Source: Karpathy, "makemore" part 4, 2022, which takes standard deviations instead of norms.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        params = {"kernel": jnp.array([3.0, 4.0])}
        updates = {"kernel": jnp.array([0.0, 0.005])}
        value = eqm.training.UpdateRatio()(updates=updates, params=params)
        assert abs(value["mean"] + 3) < 1e-5 and value["not_finite"] == 0
        ```
    """

    groups: tuple[str, ...] = eqx.field(static=True)
    axes: int = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(
        self, groups: Sequence[str] = (), *, axes: int = 0, undefined: float | None = None
    ):
        check_axes(axes)
        self.groups = check_groups(groups)
        self.axes = axes
        self.undefined = undefined
        size = max(1, len(self.groups))
        self.sums = Sums(total=size, steps=size, not_finite=size)

    def update(
        self, *, updates: Any, params: Any, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """One step; with `axes`, several. `mask` and `weights` have the shape of the steps."""
        moved = norms_of(updates, self.groups, self.axes, "updates")
        size = norms_of(params, self.groups, self.axes, "params")
        if moved.shape != size.shape:
            raise TypeError(
                f"`updates` are of {moved.shape[:-1]} steps and `params` of {size.shape[:-1]}."
            )
        good = (moved > 0) & (moved < jnp.inf) & (size > 0) & (size < jnp.inf)
        # A difference of logarithms, since the quotient may overflow.
        ratio = jnp.log10(jnp.where(good, moved, 1)) - jnp.log10(jnp.where(good, size, 1))
        batch = steps_of(ratio, mask, weights, "updates")
        good = good.reshape(batch.values.shape)
        sums = self.sums.add(batch, total=batch.values, steps=good, not_finite=~good)
        return self.replace(sums=sums)

    def compute(self) -> dict[str, Any]:
        """`mean`, and `not_finite`, the number of steps that aren't in it; with groups, a dict of
        the two for each."""
        total, steps, not_finite = self.sums.read("total", "steps", "not_finite")
        mean = quotient_or(total, steps, self.undefined)
        return by_group(self.groups, {"mean": mean, "not_finite": not_finite})
