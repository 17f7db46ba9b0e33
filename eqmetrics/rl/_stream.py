"""The episodes of a part of a stream: those that lie in it, and the fragments at its two ends.

For each environment a part keeps its *head*, all steps up to the first end of an episode, and its
*tail*, all steps after the last end. In two consecutive parts the tail of the left and the head of
the right are one episode.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32

from .._metric.node import vary_like
from .._reduction.pair import Halves


class Part(NamedTuple):
    """What a part of a stream knows of each environment. The return of a fragment is the sum of its
    rewards, discounted from the first step of the fragment on; that of a tail, which may grow for
    long, is a pair.

    If environments reset in a separate step, a part can't tell whether its first step is one: that
    step is `pending`, with the reward `first`, and belongs to neither head nor tail.
    """

    head: Float32[Array, "envs"]
    head_length: Int32[Array, "envs"]  # 0 if no episode has ended, or if it isn't to be counted
    whole: Float32[Array, "envs"]  # the head with the pending step, as if nothing came before
    tail: Float32[Array, "2 envs"]
    tail_length: Int32[Array, "envs"]
    ended: Bool[Array, "envs"]  # whether an episode has ended; else there is only a tail
    first: Float32[Array, "envs"]
    pending: Bool[Array, "envs"]
    after_done: Bool[Array, "envs"]  # whether the last step has ended an episode

    def some(self) -> Bool[Array, "envs"]:
        """Whether there was a step."""
        return self.pending | self.ended | (self.tail_length > 0)

    def in_flight(self) -> Bool[Array, "envs"]:
        """Whether an episode has begun and not ended."""
        return (self.tail_length > 0) | (self.pending & ~self.ended)

    def opening(self) -> "Episodes":
        """The heads, as the first episodes of a stream that begins here."""
        length = self.head_length + self.pending.astype(jnp.int32)
        return Episodes(self.whole, length, self.head_length > 0)


def empty(envs: int) -> Part:
    zeros = lambda *shape: jnp.zeros(shape, jnp.float32)
    count, no = (lambda: jnp.zeros(envs, jnp.int32)), (lambda: jnp.zeros(envs, bool))
    head, tail = (zeros(envs), count(), zeros(envs)), (zeros(2, envs), count())
    return Part(*head, *tail, no(), zeros(envs), no(), no())


class Episodes(NamedTuple):
    """Returns and lengths of episodes, and which of them exist."""

    returns: Float32[Array, "envs"]
    lengths: Int32[Array, "envs"]
    there: Bool[Array, "envs"]


class Ended(NamedTuple):
    """The episodes that ended in some steps, for each environment: how many; the return and length
    of the first; and the sums of the differences of the others from it, and of their squares. The
    extremes leave out heads."""

    many: Int32[Array, "envs"]
    first: Float32[Array, "2 envs"]
    sums: Float32[Array, "2 envs"]
    squares: Float32[Array, "2 envs"]
    highest: Float32[Array, "2 envs"]
    lowest: Float32[Array, "2 envs"]

    def plus(self, values: Float32[Array, "2 envs"], ends: Array, whole: Array) -> "Ended":
        """With the episodes that end now, where `ends` is true; the first of an environment is a
        head unless `whole` is true."""
        none = self.many == 0
        opens, counts = (ends & none)[None], (ends & (whole | ~none))[None]
        away = jnp.where((ends & ~none)[None], values - finite(self.first), 0)
        return Ended(
            self.many + ends.astype(jnp.int32),
            jnp.where(opens, values, self.first),
            self.sums + away,
            self.squares + away * away,
            # NaN is left out: the mean has it.
            jnp.where(counts & (values > self.highest), values, self.highest),
            jnp.where(counts & (values < self.lowest), values, self.lowest),
        )


def finite(first: Array) -> Array:
    """What the others are compared with: the first, or 0 where infinities would cancel."""
    return jnp.where(jnp.isfinite(first), first, 0)


def _as_rows(x: Array) -> Array:
    """The environments of all blocks, those of one block after those of another."""
    if len(x) == 1:
        return x[0]
    return x.ravel() if x.ndim == 2 else x.swapaxes(0, 1).reshape(x.shape[1], -1)


def _nothing(envs: int) -> Ended:
    zeros, infinite = jnp.zeros((2, envs), jnp.float32), jnp.full((2, envs), jnp.inf, jnp.float32)
    return Ended(jnp.zeros(envs, jnp.int32), zeros, zeros, zeros, -infinite, infinite)


class _Flying(NamedTuple):
    """What goes from one step to the next. The episode that a step has ended is still here."""

    high: Float32[Array, "envs"]
    low: Float32[Array, "envs"]
    length: Int32[Array, "envs"]
    ends: Bool[Array, "envs"]
    after_done: Bool[Array, "envs"]
    first: Float32[Array, "envs"]
    pending: Bool[Array, "envs"]
    some: Bool[Array, "envs"]

    def values(self) -> Float32[Array, "2 envs"]:
        """Return and length, by a selection: XLA's CPU is slow to stack them in a loop."""
        shape = 2, *self.high.shape
        first = lax.broadcasted_iota(jnp.int32, shape, 0) == 0
        return jnp.where(first, (self.high + self.low)[None], self.length[None].astype(jnp.float32))


# So many steps are summed in floats; these sums are then added as pairs.
_BLOCK = 128


@dataclasses.dataclass(frozen=True)
class Rules:
    """How the episodes of a stream are counted."""

    discount: float
    reset_step: bool  # whether a step that resets follows each end

    def seen(
        self,
        part: Part,
        rewards: Float32[Array, "steps envs"],
        dones: Bool[Array, "steps envs"],
        mask: Bool[Array, "steps envs"] | None,
    ) -> tuple[Part, Ended]:
        """The part with more steps, and the episodes that ended in them, without heads: for each
        environment and each block of steps."""
        steps, envs = rewards.shape
        no = jnp.zeros(envs, bool)
        flying = _Flying(
            part.tail[0], part.tail[1], part.tail_length, no,
            part.after_done, part.first, part.pending, part.some(),
        )  # fmt: skip
        given: Any = (rewards, dones, mask)
        start, none = vary_like((flying, _nothing(envs)), given)
        blocks = -(-steps // _BLOCK)
        size = -(-steps // blocks)
        if blocks * size > steps:
            mask = jnp.ones(rewards.shape, bool) if mask is None else mask
            pad = [(0, blocks * size - steps), (0, 0)]
            given = tuple(jnp.pad(x, pad) for x in (rewards, dones, mask))
        given = [None if x is None else x.reshape(blocks, size, envs) for x in given]

        def block(state: tuple[_Flying, Array], steps: Any):
            flying, ended = state
            step = lambda s, x: (self._step(s[0], s[1], ended, x), None)
            (flying, found), _ = lax.scan(step, (flying, none), tuple(steps))
            found = found.plus(flying.values(), flying.ends, ended)
            flying = _started_anew(flying)
            return (flying, ended | (found.many > 0)), (found, ended)

        state = start, vary_like(part.ended, given)
        if blocks == 1:
            only = [None if x is None else x[0] for x in given]
            (end, ended), (found, before) = block(state, only)
            found, before = jax.tree.map(lambda x: x[None], (found, before))
        else:
            (end, ended), (found, before) = lax.scan(block, state, tuple(given))
        return self._opened(part, end, ended, found, before)

    def _opened(
        self, part: Part, end: _Flying, ended: Array, found: Ended, before: Array
    ) -> tuple[Part, Ended]:
        opened = (found.many > 0) & ~before  # of one block at most
        opens = jnp.any(opened, axis=0)
        first = jnp.sum(jnp.where(opened[:, None], found.first, 0), axis=0)
        new = part._replace(
            head=jnp.where(opens, first[0], part.head),
            head_length=jnp.where(opens, first[1].astype(jnp.int32), part.head_length),
            tail=jnp.stack([end.high, end.low]),
            tail_length=end.length,
            ended=ended,
            first=end.first,
            pending=end.pending,
            after_done=end.after_done,
        )
        found = found._replace(
            many=found.many - opened.astype(jnp.int32),
            first=jnp.where(opened[:, None], finite(found.first), found.first),
        )
        return self._with_whole(new, opens), Ended(*(_as_rows(x) for x in found))

    def _step(
        self, flying: _Flying, found: Ended, ended: Array, given: tuple[Any, Any, Any]
    ) -> tuple[_Flying, Ended]:
        reward, done, taken = given
        # The episodes that the step before has ended: in the step that ends them, XLA's CPU would
        # compute all that leads to them once for each array that the loop keeps.
        found = found.plus(flying.values(), flying.ends, ended)
        high, low, length, _, after_done, first, pending, some = _started_anew(flying)
        if self.reset_step:
            # A step after the end of an episode resets, unless it ends an episode itself.
            taken = jnp.ones_like(done) if taken is None else taken
            resets, begins = taken & after_done & ~done, taken & ~some & ~done
            after_done = jnp.where(taken, done, after_done)
            first = jnp.where(begins, reward, first)
            pending, some = pending | begins, some | taken
            taken = taken & ~resets & ~begins
        if self.discount != 1:
            reward = reward * self._factor(length)
        if taken is None:
            length, ends = length + jnp.int32(1), done
        else:
            reward, length = jnp.where(taken, reward, 0), length + taken.astype(jnp.int32)
            ends = done & taken
        tail = Halves(high, low).plus(reward)
        new = _Flying(tail.high, tail.low, length, ends, after_done, first, pending, some)
        return new, found

    def _factor(self, length: Int32[Array, "envs"]) -> Float32[Array, "envs"]:
        """The discount after so many steps."""
        return jnp.power(jnp.float32(self.discount), length.astype(jnp.float32))

    def _after(self, left: Halves, length: Array, right: Halves) -> Halves:
        """The return of an episode in two fragments, of which the left has `length` steps."""
        if self.discount == 1:
            return left + right
        factor = self._factor(length)
        return left + Halves(right.high * factor, right.low * factor)

    def _with_first(
        self, part: Part, which: Array, rest: Halves, length: Array
    ) -> tuple[Halves, Array]:
        """An episode with the pending step before it, where `which` is true."""
        if not self.reset_step:
            return rest, length
        one = jnp.ones_like(length)
        whole = self._after(Halves(part.first, jnp.zeros_like(part.first)), one, rest)
        return whole.where(which, rest), length + which.astype(jnp.int32)

    def _with_whole(self, part: Part, opens: Array) -> Part:
        """The part with the heads of the environments whose first episode ends now."""
        head = Halves(part.head, jnp.zeros_like(part.head))
        whole, _ = self._with_first(part, part.pending, head, part.head_length)
        return part._replace(whole=jnp.where(opens, whole.float(), part.whole))

    def joined(self, left: Part, right: Part) -> tuple[Part, Episodes]:
        """Two consecutive parts joined, and the episodes that lie in both, without heads."""
        known = left.some()
        head = Halves(right.head, jnp.zeros_like(right.head))
        rest = head.where(right.ended, Halves.of(right.tail))
        length = jnp.where(right.ended, right.head_length, right.tail_length)
        # What came before says whether the first step of the right part resets.
        counts = right.pending & known & ~left.after_done
        rest, length = self._with_first(right, counts, rest, length)
        both = self._after(Halves.of(left.tail), left.tail_length, rest)
        length = left.tail_length + length
        opens = right.ended & ~left.ended
        tail = Halves.of(right.tail).where(right.ended, both)
        new = Part(
            head=jnp.where(opens, both.float(), left.head),
            head_length=jnp.where(opens, length, left.head_length),
            whole=left.whole,
            tail=tail.packed(),
            tail_length=jnp.where(right.ended, right.tail_length, length),
            ended=left.ended | right.ended,
            first=jnp.where(known, left.first, right.first),
            pending=jnp.where(known, left.pending, right.pending),
            after_done=jnp.where(right.some(), right.after_done, left.after_done),
        )
        inner = Episodes(both.float(), length, left.ended & right.ended)
        return self._with_whole(new, opens), inner


def _started_anew(flying: _Flying) -> _Flying:
    """The state without the episodes that the last step has ended."""
    high, low, length = (jnp.where(flying.ends, 0, x) for x in flying[:3])
    return flying._replace(high=high, low=low, length=length, ends=jnp.zeros_like(flying.ends))
