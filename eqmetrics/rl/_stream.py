"""The episodes of a part of a stream: those that it holds whole, and what it has of those that it
doesn't, at its two ends.

Of each environment a part keeps its *head*, which is all up to its first end of an episode, and its
*tail*, all after the last one. Of two parts in a row the tail of the left and the head of the right
are one episode.
"""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32

from .._metric.node import vary_like
from .._reduction.pair import Halves


class Part(NamedTuple):
    """What a part of a stream knows of each environment. The return of an episode in part is the
    sum of its rewards, discounted from its own first step on; that of a tail, which may grow for
    long, is a pair.

    Where environments reset in a step of its own, a part can't say of its first step whether it is
    one: it is `pending`, with the reward `first`, and is neither in head nor in tail.
    """

    head: Float32[Array, "envs"]
    head_length: Int32[Array, "envs"]  # 0 if none has ended, or if it isn't to be counted
    whole: Float32[Array, "envs"]  # the head with the pending step, as if nothing came before
    tail: Float32[Array, "2 envs"]
    tail_length: Int32[Array, "envs"]
    ended: Bool[Array, "envs"]  # whether an episode has; if none, there is a tail alone
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
        """The heads, as episodes of a stream that begins here."""
        length = self.head_length + self.pending.astype(jnp.int32)
        return Episodes(self.whole, length, self.head_length > 0)


def empty(envs: int) -> Part:
    zeros = lambda *shape: jnp.zeros(shape, jnp.float32)
    count, no = (lambda: jnp.zeros(envs, jnp.int32)), (lambda: jnp.zeros(envs, bool))
    head, tail = (zeros(envs), count(), zeros(envs)), (zeros(2, envs), count())
    return Part(*head, *tail, no(), zeros(envs), no(), no())


class Episodes(NamedTuple):
    """Returns and lengths of episodes, and which of them there are."""

    returns: Float32[Array, "..."]
    lengths: Int32[Array, "..."]
    there: Bool[Array, "..."]


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
        mask: Bool[Array, "steps envs"],
    ) -> tuple[Part, Episodes]:
        """A part with more steps, and the episodes that ended in them, but for its heads."""
        start = (*part.tail, part.tail_length, part.after_done)
        start = (*start, part.first, part.pending, part.some())
        start = vary_like(start, (rewards, dones, mask))
        end, (returns, lengths, there) = lax.scan(self._step, start, (rewards, dones, mask))
        high, low, tail_length, after_done, first, pending, _ = end
        ended = jnp.any(there, axis=0)
        opens, at = ended & ~part.ended, jnp.argmax(there, axis=0)
        of_first = jnp.arange(len(there), dtype=at.dtype)[:, None] == at[None]
        of_first = of_first & opens[None]
        pick = lambda x: jnp.sum(jnp.where(of_first, x, 0), axis=0, dtype=x.dtype)
        new = Part(
            head=jnp.where(opens, pick(returns), part.head),
            head_length=jnp.where(opens, pick(lengths), part.head_length),
            whole=part.whole,
            tail=jnp.stack([high, low]),
            tail_length=tail_length,
            ended=part.ended | ended,
            first=first,
            pending=pending,
            after_done=after_done,
        )
        return self._with_whole(new, opens), Episodes(returns, lengths, there & ~of_first)

    def _step(self, carry, step):
        high, low, length, after_done, first, pending, some = carry
        reward, done, taken = step
        if self.reset_step:
            # A step after an end is one that resets, unless it ends an episode itself.
            resets, begins = taken & after_done & ~done, taken & ~some & ~done
            after_done = jnp.where(taken, done, after_done)
            first = jnp.where(begins, reward, first)
            pending, some = pending | begins, some | taken
            taken = taken & ~resets & ~begins
        if self.discount != 1:
            reward = reward * self._factor(length)
        tail = Halves(high, low).plus(jnp.where(taken, reward, 0))
        length = length + taken.astype(jnp.int32)
        ends = done & taken
        out = tail.float(), length, ends
        high, low = (jnp.where(ends, 0, x) for x in (tail.high, tail.low))
        return (high, low, jnp.where(ends, 0, length), after_done, first, pending, some), out

    def _factor(self, length: Int32[Array, "envs"]) -> Float32[Array, "envs"]:
        """What a reward counts after so many steps."""
        return jnp.power(jnp.float32(self.discount), length.astype(jnp.float32))

    def _after(self, left: Halves, length: Array, right: Halves) -> Halves:
        """The return of an episode in two parts, the left of so many steps."""
        if self.discount == 1:
            return left + right
        factor = self._factor(length)
        return left + Halves(right.high * factor, right.low * factor)

    def _with_first(
        self, part: Part, which: Array, rest: Halves, length: Array
    ) -> tuple[Halves, Array]:
        """An episode with the pending step before it, where `which` says so."""
        if not self.reset_step:
            return rest, length
        one = jnp.ones_like(length)
        whole = self._after(Halves(part.first, jnp.zeros_like(part.first)), one, rest)
        return whole.where(which, rest), length + which.astype(jnp.int32)

    def _with_whole(self, part: Part, opens: Array) -> Part:
        """With the heads of the environments that have their first end now."""
        head = Halves(part.head, jnp.zeros_like(part.head))
        whole, _ = self._with_first(part, part.pending, head, part.head_length)
        return part._replace(whole=jnp.where(opens, whole.float(), part.whole))

    def joined(self, left: Part, right: Part) -> tuple[Part, Episodes]:
        """Two parts in a row, and the episodes that are in both, but for heads."""
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


