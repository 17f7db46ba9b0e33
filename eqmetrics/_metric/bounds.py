import abc
from typing import Any

import jax

from .._wrap.from_fun import FromFun
from .._wrap.from_output import FromOutput
from .metric import AbstractCollection, Metric
from .node import is_metric


class AbstractBounded(Metric):
    """A metric whose state limits the error of its value. A subclass defines `bounds`."""

    @abc.abstractmethod
    def bounds(self) -> tuple[Any, Any]:
        """`(low, high)`: the exact value for all rows seen so far lies between them."""


def bounds(tree: Any) -> Any:
    """Replaces every metric in a pytree by `(low, high)`: the exact value for all rows lies between
    them. A collection becomes a dict of the members that have bounds; any other metric without
    bounds becomes `None`.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        metrics = eqm.MetricDict(
            auroc=eqm.AUROC(eqm.Binary()), accuracy=eqm.Accuracy(eqm.Binary())
        )
        metrics = metrics.update(logits=jnp.array([-1.0, 2.0]), labels=jnp.array([0, 1]))
        low, high = eqm.bounds(metrics)["auroc"]
        assert low <= 1 <= high and list(eqm.bounds(metrics)) == ["auroc"]
        ```
    """
    return jax.tree.map(lambda x: _bounds(x) if is_metric(x) else x, tree, is_leaf=is_metric)


def _bounds(metric: Metric) -> Any:
    while isinstance(metric, (FromOutput, FromFun)):
        metric = metric.metric
    if isinstance(metric, AbstractCollection):
        found = {name: _bounds(member) for name, member in metric.members().items()}
        return {name: x for name, x in found.items() if x is not None}
    return metric.bounds() if isinstance(metric, AbstractBounded) else None
