from typing import Any, ClassVar, final, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int32

from .._collection.route import arguments_of, update_of
from .._metric.field import layout, state
from .._metric.metric import AbstractWrapper, Metric
from .._metric.node import is_metric, parts, rebuild, walk
from .._reduction.base import AbstractScalable, CLOCK
from .._reduction.extremum import Extremum
from .._reduction.pair import inlined, lift, multiply, Pair
from .inside import is_ordered, of_fixed_size


def _scaled(metric: Any, factor: Pair) -> Any:
    """The metric with each weight multiplied by `factor`. Counts of invalid rows don't change."""
    declared = layout(type(metric))
    changes: dict[str, Any] = {}
    for reduction, names in declared.groups:
        if isinstance(reduction, AbstractScalable):
            arrays = tuple(getattr(metric, n) for n in names)
            new = dict(zip(names, reduction.scaled(arrays, factor), strict=True))
            changes.update({n: x for n, x in new.items() if n not in declared.validity})
    for name in declared.nested:
        each, close = parts(getattr(metric, name))
        changes[name] = close([_scaled(x, factor) if is_metric(x) else x for _, x in each])
    for name in declared.stacked:
        changes[name] = jax.vmap(lambda x: _scaled(x, factor))(getattr(metric, name))
    return rebuild(metric, changes)


def _unscalable(node: Metric) -> str | None:
    """The name of a state array that can't be scaled, if there is one."""
    declared, sums, others = layout(type(node)), [], []
    for reduction, names in declared.groups:
        arrays = jax.tree.leaves([getattr(node, n) for n in names])
        floats = all(jnp.issubdtype(x.dtype, jnp.floating) for x in arrays)
        if floats and isinstance(reduction, AbstractScalable):
            sums += [n for n in names if n not in declared.validity]
        else:
            others.append((reduction, names[0]))
    # Moments also contain the ends of the values, which don't depend on the weights.
    left = [n for r, n in others if not (sums and isinstance(r, Extremum))]
    return left[0] if left else None


def _power(updates: Array, half_life: float) -> Float32[Array, "2"]:
    """`2^(-updates / half_life)` as a pair, so that a sum stays accurate in its last digits."""
    factor = lift(jnp.ones((), jnp.float32))
    for k in range(31):
        x = np.float64(0.5) ** (2.0**k / half_life)
        high = np.float32(x)
        pair = jnp.array([high, np.float32(x - high)], jnp.float32)
        factor = jnp.where((updates >> k) & 1 == 1, multiply(factor, pair), factor)
    return factor


@inlined
def _joined(old: Metric, new: Metric, factor: Array) -> Metric:
    return _scaled(old, factor).merge(new)


@final
class Decayed(AbstractWrapper):
    r"""A metric with exponential decay: a row that was seen $n$ updates ago has the weight
    $2^{-n / h}$.

    Ordered: `merge` joins consecutive parts of a stream; `reduce` and `all_reduce` join devices
    that made the same number of updates, each with its own rows. Every update counts, even an empty
    one.

    **Arguments:**

    - `metric`: a metric whose state can be scaled: sums, means, losses, counts of classes,
        variances, correlations; not extremes, sketches, curves or buffers. Only its configuration
        is used, not its state.
    - `half_life`: $h$, in updates.

    State: that of the metric, and an integer. Undefined when: the metric is. A weight that decays
    below the range of float32 becomes 0.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        mean = eqm.Decayed(eqm.Average(), half_life=1)
        mean = mean.update(values=jnp.array(0.0)).update(values=jnp.array(3.0))
        assert mean.compute() == 2.0  # weights 1/2 and 1
        ```
    """

    ordered: ClassVar[bool] = True

    half_life: float = eqx.field(static=True)
    metric: Metric
    updates: Int32[Array, ""] = state(reduce=CLOCK)

    def __init__(self, metric: Metric, half_life: float):
        if not half_life > 0:
            raise ValueError(f"half_life={half_life!r}: expected a number of updates above 0.")
        of_fixed_size("Decayed", metric)
        if is_ordered(metric):
            raise TypeError(
                f"`Decayed` lets rows count for less, and `{type(metric).__qualname__}` is of "
                "moments in time. `eqm.Windowed(metric, size)` forgets rows of any metric."
            )
        for path, node, _ in walk(metric):
            name = _unscalable(node)
            if name is not None:
                raise TypeError(
                    f"`Decayed` lets rows count for less, and `{type(metric).__qualname__}{path}."
                    f"{name}` can't be scaled. `eqm.Windowed(metric, size)` forgets rows of any "
                    "metric."
                )
        self.half_life = float(half_life)
        self.metric = metric.reset()
        self.updates = jnp.zeros((), jnp.int32)

    def arguments(self) -> dict[str, bool]:
        return arguments_of(self.metric)

    def _then(self, new: Metric, updates: Array) -> Self:
        metric = _joined(self.metric, new, _power(updates, self.half_life))
        return rebuild(self, {"metric": metric, "updates": self.updates + updates})

    def update(self, *args: Any, **outputs: Any) -> Self:
        new = update_of(self.metric.reset(), outputs)
        return self._then(new, jnp.ones((), jnp.int32))

    def merge(self, other: Self) -> Self:
        """The state after this stream, followed by the other one."""
        return self._then(other.metric, other.updates)

    def compute(self) -> Any:
        return self.metric.compute()
