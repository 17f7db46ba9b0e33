from typing import Any, ClassVar, final, get_args, Literal, NamedTuple, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32

from .._aggregate.joint import AbstractJointMoments, is_constant, Joint
from .._custom_types import Input, Mask, Values
from .._metric.checks import describe
from .._metric.field import state
from .._metric.metric import Metric
from .._metric.numbers import check_whole
from .._onepass.moments import add_moments
from .._onepass.operations import max_rows
from .._reduction import AbstractReduction
from .._reduction.base import MAX, SUM, together, zeros
from .._reduction.pair import add, to_float
from .._reduction.pair_sums import sum_rows
from .._rows.quotient import over, root
from .._rows.rows import Rows, undefined_as
from .._rows.squares import out_of_range
from ._stream import empty, Ended, Episodes, finite, Part, Rules


Autoreset = Literal["same_step", "next_step"]


class _Squares(AbstractJointMoments):
    """Of several variables, each with itself."""

    def factors(self, variables: int) -> tuple[Any, Any]:
        return np.arange(variables), np.arange(variables)

    def __repr__(self):
        return "squares"


_SQUARES = _Squares()
_VARIABLES = 2  # returns and lengths


class _Finished(NamedTuple):
    """Moments and ends of the returns and lengths of episodes."""

    weight: Float32[Array, "2"]
    mean: Float32[Array, "2 2"]
    products: Float32[Array, "2 2"]
    ends: Float32[Array, "2 2"]  # the largest values and opposites

    def plus(self, episodes: Episodes) -> "_Finished":
        returns, lengths, there = episodes
        batch = Rows(returns, there, None, None)
        columns = jnp.where(there, returns, 0), jnp.where(there, lengths, 0).astype(jnp.float32)
        old = Joint(self.weight, self.mean, self.products)
        new, ends = add_moments(_SQUARES, old, self.ends, batch, *columns)
        return _Finished(*new, ends)

    def plus_all(self, found: Ended) -> "_Finished":
        """With those of an update: a row for each environment that has some, of their means, with
        their number as its weight; and what is about these means."""
        many, first, sums, squares, highest, lowest = found
        there, n = many > 0, many.astype(jnp.float32)
        safe, pivot = jnp.where(there, n, 1)[None], finite(first)
        rest = sums + (first - pivot)
        mean, within = pivot + rest / safe, squares - rest * (rest / safe)
        within = jnp.where((within < 0) & jnp.isfinite(rest), 0, within)
        # Of equal ones no rounding may be left; the slope is that of the mean, not of the ends.
        equal = (highest == lowest) & jnp.isfinite(mean)
        rounding = jnp.where(equal, jnp.where(equal, highest, 0) - mean, 0)
        mean, within = mean + lax.stop_gradient(rounding), jnp.where(equal, 0, within)
        mean, within = (jnp.where(there[None], x, 0) for x in (mean, within))

        batch = Rows(mean[0], there, jnp.where(there, n, 0), None)
        none = jnp.full_like(self.ends, -jnp.inf)
        products = add(self.products, jnp.stack([sum_rows(x) for x in within], axis=1))
        old = Joint(self.weight, self.mean, products)
        new, _ = add_moments(_SQUARES, old, none, batch, *mean)
        ends = [
            jnp.stack([max_rows(1, False)(old, x, there)[0] for old, x in zip(*both, strict=True)])
            for both in zip(self.ends, (highest, -lowest), strict=True)
        ]
        return _Finished(*new, jnp.stack(ends))

    def merged(self, other: "_Finished") -> "_Finished":
        both = _SQUARES.plus(Joint(*self[:3]), Joint(*other[:3]))
        return _Finished(*both, *MAX.merge((self.ends,), (other.ends,)))

    def spread(self, i: int, undefined: float | None) -> dict[str, Array]:
        """Mean, standard deviation and ends of one of the variables."""
        count, squares = to_float(self.weight), to_float(self.products[:, i])
        spread = over(squares, count)
        lost = out_of_range(spread, is_constant(self.ends[:, i], spread))
        values = {
            "mean": to_float(self.mean[:, i]),
            "std": root(jnp.where(lost, jnp.nan, spread)),
            "min": -self.ends[1, i],
            "max": self.ends[0, i],
        }
        return {name: undefined_as(x, count == 0, undefined) for name, x in values.items()}


def _none() -> _Finished:
    empty = _SQUARES.empty(_VARIABLES)
    return _Finished(*empty, jnp.full((2, _VARIABLES), -jnp.inf, jnp.float32))


class _OfStream(AbstractReduction):
    """Over devices, which have other environments each, episodes that have ended are added, and
    those in flight are dropped and counted. Over time the metric merges itself."""

    def identity(self, arrays):
        return *zeros(arrays[:-1]), jnp.full_like(arrays[-1], -jnp.inf)

    def merge(self, left, right):
        raise NotImplementedError  # it takes the rules of the stream, which the metric has

    def across(self, arrays, size):
        size_of = len(Part._fields)
        part, lost, done = Part(*arrays[:size_of]), arrays[size_of], arrays[size_of + 1 :]
        done = _Finished(*done).plus(part.opening())
        lost = lost + jnp.sum(part.in_flight(), dtype=jnp.int32)
        parts = (SUM, (lost,)), (_SQUARES, done[:3]), (MAX, done[3:])
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
    r"""Returns and lengths of the episodes of environments that run side by side and start anew
    when one ends.

    Only episodes that have ended count; those in flight are kept and go on with the next update,
    so that it doesn't matter how steps are cut into updates. The stream begins with a reset: the
    first step of each environment is that of an episode.

    Ordered: `merge` joins consecutive parts of the stream. `reduce` and `all_reduce` join devices,
    each with environments of its own: what has ended is added, and what is in flight is dropped and
    counted. So keep a state for each device, as for the environments themselves, and reduce it to
    read it. A [`eqmetrics.Windowed`][] of it would take for an episode what is left of one that
    began before the window; [`forget`][eqmetrics.rl.EpisodeStatistics.forget] doesn't.

    **Arguments:**

    - `num_envs`: how many environments there are: the last axis of `rewards`.
    - `discount`: what a reward counts from one step to the next: the return is
        $\sum_t \gamma^t r_t$.
    - `autoreset`: `"same_step"` where the step that ends an episode resets as well, as in gymnax,
        brax and envpool: every step is one of an episode. `"next_step"` where the step after it
        does, as in Gymnasium from 1.0 on: that step, of which reward and action mean nothing, is
        left out.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the returns.
    State: 11 numbers for each environment, and 15. Undefined when: no episode has ended; counts are
    always defined. Returns are sums as pairs of float32: right to the last place for episodes of
    any length. Source: the wrapper `RecordEpisodeStatistics` of Gymnasium, which has lists on the
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
    # Of the episodes that have ended, less the heads: of these a part doesn't know the beginning.
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
        self.weight, self.mean, self.products, self.ends = _none()

    def _rules(self) -> Rules:
        return Rules(self.discount, self.autoreset == "next_step")

    def _part(self) -> Part:
        return Part(*(getattr(self, name) for name in Part._fields))

    def _finished(self) -> _Finished:
        return _Finished(*(getattr(self, name) for name in _Finished._fields))

    def _with(self, part: Part, finished: _Finished, **rest: Array) -> Self:
        return self.replace(**part._asdict(), **finished._asdict(), **rest)

    def update(
        self,
        *,
        rewards: Values,
        dones: Bool[Input, "..."],
        truncated: Bool[Input, "..."] | None = None,
        mask: Mask = None,
    ) -> Self:
        """`rewards` of shape `(num_envs,)`, of one step, or `(steps, num_envs)`; `dones` of the
        same shape says which steps ended an episode, and `truncated` which were its last for
        another reason. A `mask` of the same shape, or of that of the steps, removes steps."""
        steps = _steps(self.num_envs, rewards, dones, truncated, mask)
        if len(steps[0]) == 0:
            return self
        part, found = self._rules().seen(self._part(), *steps)
        return self._with(part, self._finished().plus_all(found))

    def forget(self) -> Self:
        """With the same episodes in flight, and none that has ended: read the value, then forget,
        for the statistics of each stretch of a run. Not to be merged with an earlier part.

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
        # The environments stay known to have ended an episode, so that the next is no head.
        part = self._part()._replace(head_length=jnp.zeros_like(self.head_length))
        return self._with(part, _none(), lost=jnp.zeros_like(self.lost))

    def merge(self, other: Self) -> Self:
        """This stream, and then the other one."""
        part, both = self._rules().joined(self._part(), other._part())
        finished = self._finished().merged(other._finished()).plus(both)
        return self._with(part, finished, lost=self.lost + other.lost)

    def compute(self) -> dict[str, Any]:
        """A dict of `return`, itself a dict of `mean`, `std`, `min` and `max` over the episodes
        that have ended; `length`, the same; `episodes`, how many they are; and `in_flight`, how
        many have begun and not ended."""
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
    """Rewards, ends and mask if there is one, all of shape `(steps, envs)`."""
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
