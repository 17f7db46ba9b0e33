from typing import Any, ClassVar, final, get_args, Literal, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32

from .._aggregate.moments import SQUARE
from .._custom_types import Input, Mask, Values
from .._metric.field import state
from .._metric.messages import describe
from .._metric.metric import Metric
from .._metric.numbers import check_whole
from .._reduction import AbstractReduction
from .._reduction.base import SUM, zeros
from .._reduction.extremum import MAX
from .._reduction.pair import to_float
from .._reduction.plans import together
from ._finished import Finished, no_episodes
from ._stream import empty, Part, Rules


Autoreset = Literal["same_step", "next_step"]


class _OfStream(AbstractReduction):
    """Over devices, each with its own environments, episodes that have ended are added, and those
    in flight are dropped and counted. Over time the metric merges itself."""

    def identity(self, arrays):
        return *zeros(arrays[:-1]), jnp.full_like(arrays[-1], -jnp.inf)

    def merge(self, left, right):
        raise NotImplementedError  # it needs the rules of the stream, which the metric has

    def across(self, arrays, size):
        size_of = len(Part._fields)
        part, lost, done = Part(*arrays[:size_of]), arrays[size_of], arrays[size_of + 1 :]
        done = Finished(*done).plus(part.opening())
        lost = lost + jnp.sum(part.in_flight(), dtype=jnp.int32)
        parts = (SUM, (lost,)), (SQUARE, done[:3]), (MAX, done[3:])
        plans = [reduction.across(arrays, size) for reduction, arrays in parts]
        (lost,), moments, (ends,) = yield from together(plans)
        return *zeros(tuple(part)), lost, *moments, ends

    def check(self, dtype):
        return None

    def __repr__(self):
        return "stream"


_STREAM = _OfStream()


@final
class EpisodeStatistics(Metric):
    r"""The mean, standard deviation and extremes of the returns and lengths of finished episodes,
    of environments that run side by side and are reset when an episode ends.

    Only episodes that have ended count; those in flight are kept and go on with the next update, so
    that it doesn't matter how steps are split into updates. The stream begins with a reset: the
    first step of each environment begins an episode.

    Ordered: `merge` joins consecutive parts of the stream. `reduce` and `all_reduce` join devices,
    each with its own environments: episodes that have ended are added, and those in flight are
    dropped and counted. So keep a state for each device, as for the environments themselves, and
    reduce it only to read it. For statistics of recent episodes use
    [`forget`][eqmetrics.rl.EpisodeStatistics.forget], not [`eqmetrics.Windowed`][], which would
    count the rest of an episode that began before the window as an episode.

    **Arguments:**

    - `num_envs`: how many environments there are: the size of the last axis of `rewards`.
    - `discount`: the discount factor $\gamma$: the return is $\sum_t \gamma^t r_t$.
    - `autoreset`: `"same_step"` if the step that ends an episode also resets, as in gymnax, brax
        and envpool: every step belongs to an episode. `"next_step"` if the step after it resets, as
        in Gymnasium from 1.0 on: that step, whose reward and action mean nothing, is left out.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the returns.
    State: 10 numbers for each environment, and 15. Undefined when: no episode has ended; counts are
    always defined. Returns are pairs of float32: right to the last place for episodes of any
    length. Source: the wrapper `RecordEpisodeStatistics` of Gymnasium, which keeps lists on the
    host.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        episodes = eqm.rl.EpisodeStatistics(1)
        for reward, done in [(1.0, False), (2.0, True), (3.0, False), (4.0, True), (5.0, False)]:
            episodes = episodes.update(rewards=jnp.array([reward]), dones=jnp.array([done]))
        value = episodes.compute()
        assert value["return"]["mean"] == 5 and value["return"]["min"] == 3
        assert value["length"]["mean"] == 2 and value["episodes"] == 2 and value["in_flight"] == 1
        ```
    """

    ordered: ClassVar[bool] = True

    num_envs: int = eqx.field(static=True)
    discount: float = eqx.field(static=True)
    autoreset: Autoreset = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    head: Float32[Array, "{self.num_envs}"] = state(reduce=_STREAM)
    head_length: Int32[Array, "{self.num_envs}"] = state(reduce=_STREAM)
    whole: Float32[Array, "{self.num_envs}"] = state(reduce=_STREAM)
    tail: Float32[Array, "2 {self.num_envs}"] = state(reduce=_STREAM)
    tail_length: Int32[Array, "{self.num_envs}"] = state(reduce=_STREAM)
    ended: Bool[Array, "{self.num_envs}"] = state(reduce=_STREAM)
    first: Float32[Array, "{self.num_envs}"] = state(reduce=_STREAM)
    pending: Bool[Array, "{self.num_envs}"] = state(reduce=_STREAM)
    after_done: Bool[Array, "{self.num_envs}"] = state(reduce=_STREAM)
    lost: Int32[Array, ""] = state(reduce=_STREAM)
    # Moments of the ended episodes, without the heads, whose beginning a part doesn't know.
    weight: Float32[Array, "2"] = state(reduce=_STREAM)
    mean: Float32[Array, "2 2"] = state(reduce=_STREAM)
    products: Float32[Array, "2 2"] = state(reduce=_STREAM)
    ends: Float32[Array, "2 2"] = state(reduce=_STREAM)

    def __init__(
        self,
        num_envs: int,
        *,
        discount: float = 1.0,
        autoreset: Autoreset = "same_step",
        undefined: float | None = None,
    ):
        check_whole("num_envs", num_envs, 1)
        if not 0 <= discount <= 1:
            raise ValueError(f"discount={discount!r}: expected a number in [0, 1].")
        if autoreset not in get_args(Autoreset):
            raise ValueError(
                f"autoreset={autoreset!r}: expected 'same_step' (the step that ends an episode "
                "resets as well) or 'next_step' (the one after it does, and is none of an episode)."
            )
        self.num_envs = num_envs
        self.discount = discount
        self.autoreset = autoreset
        self.undefined = undefined
        part = empty(num_envs)
        self.head, self.head_length, self.whole, self.tail, self.tail_length = part[:5]
        self.ended, self.first, self.pending, self.after_done = part[5:]
        self.lost = jnp.zeros((), jnp.int32)
        self.weight, self.mean, self.products, self.ends = no_episodes()

    def _rules(self) -> Rules:
        return Rules(self.discount, self.autoreset == "next_step")

    def _part(self) -> Part:
        return Part(*(getattr(self, name) for name in Part._fields))

    def _finished(self) -> Finished:
        return Finished(*(getattr(self, name) for name in Finished._fields))

    def _with(self, part: Part, finished: Finished, **rest: Array) -> Self:
        return self.replace(**part._asdict(), **finished._asdict(), **rest)

    def update(
        self,
        *,
        rewards: Values,
        dones: Bool[Input, "..."],
        truncated: Bool[Input, "..."] | None = None,
        mask: Mask = None,
    ) -> Self:
        """`rewards` have the shape `(num_envs,)`, for one step, or `(steps, num_envs)`; `dones`, of
        the same shape, says which steps ended an episode, and `truncated` which were its last for
        another reason. A `mask` of the same shape, or `(steps,)`, removes steps."""
        steps = _steps(self.num_envs, rewards, dones, truncated, mask)
        if len(steps[0]) == 0:
            return self
        part, found = self._rules().seen(self._part(), *steps)
        return self._with(part, self._finished().plus_all(found))

    def forget(self) -> Self:
        """The metric with the same episodes in flight, but without those that have ended. For the
        statistics of each stretch of a run, compute the value, then forget. Don't merge it with
        earlier parts.

        !!! example

            ```python
            import eqmetrics as eqm, jax.numpy as jnp
            episodes = eqm.rl.EpisodeStatistics(1)
            dones = jnp.array([[True], [False]])
            episodes = episodes.update(rewards=jnp.ones((2, 1)), dones=dones).forget()
            later = episodes.update(rewards=jnp.array([2.0]), dones=jnp.array([True])).compute()
            assert later["episodes"] == 1 and later["return"]["mean"] == 3
            ```
        """
        # The environments still count as having ended an episode, so that the next is no head.
        part = self._part()._replace(head_length=jnp.zeros_like(self.head_length))
        return self._with(part, no_episodes(), lost=jnp.zeros_like(self.lost))

    def merge(self, other: Self) -> Self:
        """The metric of this stream, followed by the other one."""
        part, both = self._rules().joined(self._part(), other._part())
        finished = self._finished().merged(other._finished()).plus(both)
        return self._with(part, finished, lost=self.lost + other.lost)

    def compute(self) -> dict[str, Any]:
        """A dict of `return`, itself a dict of the `mean`, `std`, `min` and `max` over the episodes
        that have ended; `length`, the same; `episodes`, their number; and `in_flight`, how many
        have begun and not ended."""
        part = self._part()
        finished = self._finished().plus(part.opening())
        flying = self.lost + jnp.sum(part.in_flight(), dtype=jnp.int32)
        return {
            "return": finished.spread(0, self.undefined),
            "length": finished.spread(1, self.undefined),
            "episodes": to_float(finished.weight),
            "in_flight": flying.astype(jnp.float32),
        }


def _steps(envs: int, rewards: Any, dones: Any, truncated: Any, mask: Any) -> tuple[Any, ...]:
    """Rewards, ends of episodes, and the mask if there is one, all of shape `(steps, envs)`."""
    shape = rewards.shape
    if len(shape) not in (1, 2) or shape[-1] != envs:
        raise TypeError(
            f"`rewards` is {describe(rewards)}, expected the shape ({envs},) of one step or "
            f"(steps, {envs}), with the environments last."
        )
    for name, x in (("dones", dones), ("truncated", truncated)):
        if x is not None and x.shape != shape:
            raise TypeError(
                f"`{name}` is {describe(x)} and `rewards` is {describe(rewards)}: they must have "
                "the same shape."
            )
    if mask is not None and mask.shape not in (shape, shape[:1]):
        raise TypeError(
            f"`mask` is {describe(mask)} and `rewards` is {describe(rewards)}: it must have the "
            f"shape {shape}, or {shape[:1]} of the steps."
        )
    ends = dones if truncated is None else dones | truncated
    if mask is not None and mask.ndim < len(shape):
        mask = jnp.broadcast_to(mask[:, None], shape)
    given = rewards.astype(jnp.float32), ends, mask
    return tuple(None if x is None else x.reshape(-1, envs) for x in given)
