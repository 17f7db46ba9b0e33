from collections.abc import Callable, Sequence
from typing import Any, final, Self

import equinox as eqx
import jax
import jax.numpy as jnp

from .._collection.route import arguments_of, update_of
from .._metric.messages import describe
from .._metric.metric import AbstractRelay, Metric
from .._metric.node import rebuild
from .inside import must_be_metric


@final
class Classwise(AbstractRelay):
    """The values of a metric for each class, in a dict with the names of the classes as keys.

    **Arguments:**

    - `metric`: a metric whose value has a leading axis of classes, as with `average=None`, or of
        groups, as that of [`eqmetrics.PerGroup`][].
    - `names`: the names of the classes, in their order.

    State: the metric's own. Undefined when: for a class, if the metric is.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        recall = eqm.Recall(eqm.Multiclass(2), average=None)
        value = eqm.Classwise(recall, ["cat", "dog"])(
            predicted_labels=jnp.array([0, 1, 0]), labels=jnp.array([0, 1, 1])
        )
        assert value == {"cat": 1.0, "dog": 0.5}
        ```
    """

    names: tuple[str, ...] = eqx.field(static=True)
    metric: Metric

    def __init__(self, metric: Metric, names: Sequence[str]):
        if isinstance(names, str) or len(set(names)) != len(names):
            raise ValueError(f"names={names!r}: expected a list of different names.")
        must_be_metric("Classwise", metric)
        self.names = tuple(map(str, names))
        self.metric = metric

    def arguments(self) -> dict[str, bool]:
        return arguments_of(self.metric)

    def relay(self, outputs: dict[str, Any], update: Callable[[Any, dict[str, Any]], Any]) -> Self:
        return rebuild(self, {"metric": update(self.metric, outputs)})

    def update(self, *args: Any, **outputs: Any) -> Self:
        return self.relay(outputs, update_of)

    def compute(self) -> dict[str, Any]:
        """A dict with the value of each class by its name."""
        value = self.metric.compute()
        for x in jax.tree.leaves(value):
            if jnp.shape(x)[:1] != (len(self.names),):
                raise TypeError(
                    f"`Classwise` has {len(self.names)} names, and the value of "
                    f"`{type(self.metric).__qualname__}` is {describe(x)}: expected a first axis "
                    "of that size. Most scores of classes keep it with `average=None`."
                )
        return {
            name: jax.tree.map(lambda x, i=i: x[i], value) for i, name in enumerate(self.names)
        }
