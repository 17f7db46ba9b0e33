from typing import Any, ClassVar, final, Literal, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int32

from .._collection.route import arguments_of, update_of
from .._metric.field import state
from .._metric.invalid import invalid_counts
from .._metric.metric import AbstractWrapper, Metric
from .._metric.node import rebuild
from .._reduction import AbstractReduction, EXACT_SUM
from .._reduction.base import CLOCK
from .._reduction.extremum import MAX
from .._reduction.pair import add, lift, Pair
from .inside import of_fixed_size


_NEVER = 2**31 - 1


class _First(AbstractReduction):
    """The largest value, and the first step with this value."""

    def identity(self, arrays):
        top, step = arrays
        return jnp.full(top.shape, -jnp.inf, top.dtype), jnp.full(step.shape, _NEVER, step.dtype)

    def merge(self, left, right):
        (a, i), (b, j) = left, right
        better = (b > a) | ((b == a) & (j < i))
        return jnp.where(better, b, a), jnp.where(better, j, i)

    def across(self, arrays, size):
        top, step = arrays
        keys = yield "max", MAX.keys([top])
        (best,) = MAX.values(keys, [top])
        (last,) = yield "max", [-jnp.where(top == best, step, _NEVER)]
        return best, -last

    def check(self, dtype):
        return None


_FIRST = _First()


@final
class Best(AbstractWrapper):
    """The best value of any update, the number of that update, and the number of updates since
    then.

    The value of an update is computed from its rows alone. So update it once per evaluation, for
    example `eqm.Best(eqm.Average())` with the score of the epoch. Undefined values are skipped.

    Ordered: `merge` joins consecutive parts of a stream; `update_across` and `all_reduce` of one
    update first join the rows of all devices, and then take the value.

    **Arguments:**

    - `metric`: any metric whose value is one number. Only its configuration is used, not its state.
    - `mode`: `"max"` if larger values are better, or `"min"`.

    State: that of the metric, 3 floats and two integers. Undefined when: no update had a value. Of
    equal values the first counts. Steps are counted from 0. `since` is 0 if the newest update is
    the best, and the number of all updates if none had a value: stop training when it reaches your
    patience.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        best = eqm.Best(eqm.Average())
        for score in (0.5, 0.75, 0.625):
            best = best.update(values=jnp.array(score))
        assert best.compute() == {"value": 0.75, "step": 1, "since": 1}
        ```
    """

    ordered: ClassVar[bool] = True

    mode: Literal["max", "min"] = eqx.field(static=True)
    metric: Metric  # the newest update
    top: Float32[Array, ""] = state(reduce=_FIRST)  # the best before that; negated if "min"
    top_step: Int32[Array, ""] = state(reduce=_FIRST)
    updates: Int32[Array, ""] = state(reduce=CLOCK)
    # Of all updates, including those before the newest.
    invalid: Float32[Array, "2"] = state(reduce=EXACT_SUM, valid="those that the metric takes")

    def __init__(self, metric: Metric, mode: Literal["max", "min"] = "max"):
        if mode not in ("max", "min"):
            raise ValueError(f"mode={mode!r}: expected 'max' or 'min'.")
        of_fixed_size("Best", metric)
        value = jax.tree.leaves(jax.eval_shape(metric.compute))
        if [x.shape for x in value] != [()]:
            raise TypeError(
                f"`Best` compares numbers, and the value of `{type(metric).__qualname__}` is "
                f"{jax.eval_shape(metric.compute)}. Choose one: `eqm.Compose(fn, metric)`."
            )
        self.mode = mode
        self.metric = metric.reset()
        self.top = jnp.full((), -jnp.inf, jnp.float32)
        self.top_step = jnp.full((), _NEVER, jnp.int32)
        self.updates = jnp.zeros((), jnp.int32)
        self.invalid = jnp.zeros(2, jnp.float32)

    def arguments(self) -> dict[str, bool]:
        return arguments_of(self.metric)

    def _reached(self) -> tuple[Array, Array]:
        """The best value of all updates, including the newest, and its step."""
        (value,) = jax.tree.leaves(self.metric.compute())
        value = value.astype(jnp.float32)
        value = value if self.mode == "max" else -value
        some = (self.updates > 0) & ~jnp.isnan(value)
        newest = jnp.where(some, value, -jnp.inf), jnp.where(some, self.updates - 1, _NEVER)
        return _FIRST.merge((self.top, self.top_step), newest)

    def _left_out(self) -> Pair:
        """The number of invalid rows in all updates: a later update doesn't make them valid."""
        counts = [jnp.sum(x).astype(jnp.float32) for _, _, x in invalid_counts(self.metric)]
        return add(self.invalid, lift(sum(counts, jnp.zeros((), jnp.float32))))

    def update(self, *args: Any, **outputs: Any) -> Self:
        top, step = self._reached()
        metric = update_of(self.metric.reset(), outputs)
        new = {"metric": metric, "top": top, "top_step": step, "invalid": self._left_out()}
        return rebuild(self, new | {"updates": self.updates + 1})

    def merge(self, other: Self) -> Self:
        """The state after this stream, followed by the other one."""
        later = jnp.where(other.top_step == _NEVER, _NEVER, other.top_step + self.updates)
        top, step = _FIRST.merge(self._reached(), (other.top, later))
        invalid = add(self._left_out(), other.invalid)
        new = {"metric": other.metric, "top": top, "top_step": step, "invalid": invalid}
        some = other.updates > 0
        old = {name: getattr(self, name) for name in new}
        kept = jax.tree.map(lambda x, y: jnp.where(some, x, y), new, old)
        return rebuild(self, kept | {"updates": self.updates + other.updates})

    def compute(self) -> dict[str, Array]:
        """A dict of scalars: `value`, its `step`, and `since`, the number of updates after it."""
        top, step = self._reached()
        some = step != _NEVER
        value = top if self.mode == "max" else -top
        return {
            "value": jnp.where(some, value, jnp.nan),
            "step": jnp.where(some, step.astype(jnp.float32), jnp.nan),
            "since": jnp.where(some, self.updates - 1 - step, self.updates).astype(jnp.float32),
        }
