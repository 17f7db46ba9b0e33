from collections.abc import Sequence
from typing import Any, final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Weights
from .._metric.field import state
from .._metric.metric import Metric
from .._onepass.operations import max_rows
from .._onepass.sums import Sums
from .._rows.nearest_quotient import quotient_or
from .._rows.rows import undefined_as
from ._tree import check_axes, check_groups, norms_of, steps_of


def by_group(groups: tuple[str, ...], values: dict[str, Array]) -> dict[str, Any]:
    """Arrays of shape `(groups,)` as a dict for each group; without groups as one dict."""
    if not groups:
        return {name: x[0] for name, x in values.items()}
    return {group: {n: x[i] for n, x in values.items()} for i, group in enumerate(groups)}


@final
class TreeNorm(Metric):
    r"""The mean and the largest norm of a pytree over the steps of a run:
    $\lVert g \rVert = \sqrt{\sum_i |g_i|^2}$ over all numbers of all leaves, as
    `optax.global_norm`.

    An update is one step with its `gradients`, or any other tree:
    `TreeNorm().from_output("updates")`. Take gradients before clipping, after the mean over devices
    and over accumulated batches. A step whose norm is NaN or infinite counts in `not_finite`, and
    not in the mean.

    **Arguments:**

    - `groups`: paths, `"encoder"` or `"layers.0.weight"`: a norm for the leaves below each. The
        whole tree is `""`. [`eqmetrics.training.groups_of`][] returns those of a tree.
    - `axes`: how many leading axes of all leaves are those of the steps: 1 for gradients of single
        rows, or for steps stacked by `scan`.
    - `undefined`: what replaces an undefined value; NaN if not given.

    Leaves that aren't floats are left out. Norms from $10^{-38}$ to $10^{38}$ are accurate to a few
    units in the last place times the logarithm of the number of values. The gradient is that of
    the norms, 0 at a norm of 0.
    State: 7 floats for each group, and 2 for invalid steps. Undefined when: no step has a finite
    norm.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        norm = eqm.training.TreeNorm()
        norm = norm.update(gradients={"kernel": jnp.array([3.0, 0.0]), "bias": jnp.array(4.0)})
        norm = norm.update(gradients={"kernel": jnp.array([0.0, 1.0]), "bias": jnp.array(0.0)})
        norm = norm.update(gradients={"kernel": jnp.array([jnp.nan, 0.0]), "bias": jnp.array(0.0)})
        assert norm.compute() == {"mean": 3.0, "max": 5.0, "not_finite": 1.0}
        ```
    """

    groups: tuple[str, ...] = eqx.field(static=True)
    axes: int = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums
    largest: Float32[Array, "norms"] = state(reduce="max")

    def __init__(
        self, groups: Sequence[str] = (), *, axes: int = 0, undefined: float | None = None
    ):
        check_axes(axes)
        self.groups = check_groups(groups)
        self.axes = axes
        self.undefined = undefined
        size = max(1, len(self.groups))
        self.sums = Sums(total=size, steps=size, not_finite=size)
        self.largest = jnp.full(size, -jnp.inf, jnp.float32)

    def update(self, *, gradients: Any, mask: Mask = None, weights: Weights = None) -> Self:
        """One step with its gradients, a pytree; with `axes`, several. `mask` and `weights` have
        the shape of the steps: a scalar for one."""
        norms = norms_of(gradients, self.groups, self.axes, "gradients")
        batch = steps_of(norms, mask, weights, "gradients")
        finite = jnp.isfinite(batch.values)
        norms = jnp.where(finite, batch.values, 0)
        sums = self.sums.add(batch, total=norms, steps=finite, not_finite=~finite)
        masks = [] if batch.mask is None else [batch.mask]
        (most,) = max_rows(1, False)(self.largest, jnp.where(finite, norms, -jnp.inf), *masks)
        return self.replace(sums=sums, largest=most)

    def compute(self) -> dict[str, Any]:
        """`mean`, `max` and `not_finite`, the number of steps that aren't in those; with groups, a
        dict of the three for each."""
        total, steps, not_finite = self.sums.read("total", "steps", "not_finite")
        values = {
            "mean": quotient_or(total, steps, self.undefined),
            "max": undefined_as(self.largest, steps == 0, self.undefined),
            "not_finite": not_finite,
        }
        return by_group(self.groups, values)
