"""Merges the states of all metrics of a pytree over a mapped axis, all at once."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from .limbs import EXACT_SUM
from .pair import joined_pairs, SMALL, split_pairs
from .plans import PlanOf, run


def stacked(fn: Callable[..., Any], depth: int) -> Callable[..., Any]:
    for _ in range(depth):
        fn = jax.vmap(fn)
    return fn


Across = Callable[[Any, int], PlanOf[Any]]


def _plan(across: Across, arrays: Any, size: int, depth: int) -> PlanOf[Any]:
    """One plan, inside `depth` stacks. `vmap` can't map a generator, but it can map the arrays that
    the generator yields in each round: for each round the generator is run again from its start up
    to there, and XLA removes the repeated work."""
    if depth == 0:
        return (yield from across(arrays, size))
    answers: list[Any] = []
    while True:
        kinds: list[Any] = []

        def asked(arrays, answers, kinds=kinds):
            plan, kind, wanted = across(arrays, size), None, None
            try:
                for answer in (None, *answers):
                    # the first `send` must be `None`: it starts the generator
                    kind, wanted = plan.send(answer)  # pyright: ignore[reportArgumentType]
            except StopIteration as done:
                return done.value
            kinds.append(kind)
            return wanted

        out = stacked(asked, depth)(arrays, tuple(answers))
        if not kinds:
            return out
        answers.append((yield kinds[0], out))


class Ask(NamedTuple):
    """Arrays of a metric that are to be merged."""

    across: Across
    arrays: Any
    depth: int  # the number of stacks around the metric


def merged_across(asks: list[Ask], size: int, axis_name: Any) -> list[Any]:
    """The arrays of each `Ask`, merged over the axis. Small sums are merged side by side: cutting
    an array into limbs takes a hundred operations, however small it is."""
    small = [
        i
        for i, (across, arrays, depth) in enumerate(asks)
        if across == EXACT_SUM.across and not depth and all(x.size <= SMALL for x in arrays)
    ]
    plans = [_plan(*ask[:2], size, ask.depth) for i, ask in enumerate(asks) if i not in small]
    pairs = [x for i in small for x in asks[i].arrays]
    if small:
        plans.append(EXACT_SUM.across((joined_pairs(pairs),), size))
    found = run(plans, axis_name)
    rest = iter(found)
    sums = iter(split_pairs(found[-1][0], [x.shape for x in pairs]) if small else ())
    return [
        tuple(next(sums) for _ in ask.arrays) if i in small else next(rest)
        for i, ask in enumerate(asks)
    ]
