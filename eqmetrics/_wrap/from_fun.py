from collections.abc import Callable
from typing import Any, final, Self

import equinox as eqx

from .._collection.route import arguments_of, parameters, update_of
from .._metric.functions import one_of_equal
from .._metric.messages import describe, nearest
from .._metric.metric import AbstractRelay, Metric
from .._metric.node import rebuild


_HANDED_ON = "mask", "weights"


def _what_came(made: Any) -> str:
    return type(made).__name__ if isinstance(made, (tuple, list)) else describe(made)


@final
class FromFun(AbstractRelay):
    """A metric that is updated with the result of a function of the outputs; made by
    `metric.from_fun(fn)`. `mask` and `weights` are passed on unless `fn` returns them.

    Functions without a closure are equal if their name, code, defaults and globals are. So a lambda
    that is defined anew in each epoch isn't compiled again, and its metrics can be merged. A
    function with a closure equals only itself: define it once, or pass the values that it closes
    over as defaults.

    State: the metric's own. Undefined when: the metric is.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        squares = eqm.Average().from_fun(lambda predictions, targets: (predictions - targets) ** 2)
        value = squares(predictions=jnp.array([1.0, 3.0]), targets=jnp.array([1.0, 1.0]))
        assert value == 2.0
        ```
    """

    fn: Callable[..., Any] = eqx.field(static=True)
    metric: Metric

    def __init__(self, metric: Metric, fn: Callable[..., Any]):
        fn = one_of_equal(fn)  # before `parameters` caches it
        try:
            named = parameters(fn)
        except (TypeError, ValueError):  # not callable, without a signature, not hashable
            named = {}
        if not named:
            raise TypeError(
                f"`from_fun({fn!r})`: the outputs that it reads are the "
                "names of its parameters, and it has none that can be passed by name. Write "
                "`from_fun(lambda loss: ...)`."
            )
        self.fn = fn
        self.metric = metric

    def arguments(self) -> dict[str, bool]:
        named = parameters(self.fn)  # first: the metric may take an argument of the same name
        return named | {
            name: required
            for name, required in arguments_of(self.metric).items()
            if name in _HANDED_ON and name not in named
        }

    def relay(self, outputs: dict[str, Any], update: Callable[[Any, dict[str, Any]], Any]) -> Self:
        wanted = parameters(self.fn)
        made = self.fn(**{name: outputs[name] for name in wanted if name in outputs})
        takes = arguments_of(self.metric)
        made = self._by_name(made, takes)
        for name in _HANDED_ON:
            if name in takes and name in outputs and name not in made:
                made[name] = outputs[name]
        return rebuild(self, {"metric": update(self.metric, made)})

    def _by_name(self, made: Any, takes: dict[str, bool]) -> dict[str, Any]:
        name = getattr(self.fn, "__name__", repr(self.fn))
        what = f"`from_fun({name})`: `{type(self.metric).__name__}` takes {', '.join(takes)}, and"
        needed = [name for name, required in takes.items() if required]
        wanted = "{" + ", ".join(f"{name!r}: ..." for name in needed or takes) + "}"
        if not isinstance(made, dict):
            if made is None:
                raise TypeError(f"{what} the function returned None. Does it lack a `return`?")
            if len(needed) > 1 or not (needed or takes):
                raise TypeError(
                    f"{what} the function returned {_what_came(made)}. Let it return a dict of "
                    f"arguments: `return {wanted}`."
                )
            return {(needed or list(takes))[0]: made}
        for name in made:
            if name not in takes:
                raise TypeError(
                    f"{what} the function returned a dict with `{name}`.{nearest(name, takes)} "
                    f"Let it return `{wanted}`."
                )
        return dict(made)

    def update(self, **outputs: Any) -> Self:
        return self.relay(outputs, update_of)

    def compute(self) -> Any:
        return self.metric.compute()
