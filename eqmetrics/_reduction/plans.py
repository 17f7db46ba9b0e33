"""Plans of reductions: what they send over a mapped axis, and when it is sent."""

import itertools
from collections.abc import Callable, Generator, Sequence
from typing import Any, Literal, TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array


Collective = Literal["max", "min", "sum"]
_T = TypeVar("_T")
PlanOf = Generator[tuple[Collective, list[Array]], list[Array], _T]
Plan = PlanOf[tuple[Array, ...]]


# In the order in which `together` yields them.
_COLLECTIVES: dict[Collective, Callable[..., list[Array]]] = {
    "max": lax.pmax, "min": lax.pmin, "sum": lax.psum
}  # fmt: skip
_SMALL = 2**14


def on_one_device() -> bool:
    """Whether this is the program of a single device, as inside `shard_map` or `pmap` over all
    axes: no operation on an array then moves data between devices."""
    mesh = jax.sharding.get_abstract_mesh()
    return bool(mesh.axis_names) and set(mesh.manual_axes) == set(mesh.axis_names)


def _send(kind: Collective, arrays: list[Array], axis_name: Any) -> list[Array]:
    """Sends one collective. Small arrays of the same dtype are concatenated: on the CPU every array
    of a collective costs 0.1 ms, as much as 16 000 numbers."""
    small = [i for i, x in enumerate(arrays) if x.size <= _SMALL and on_one_device()]
    packs = [[i for i in small if arrays[i].dtype == d] for d in {arrays[i].dtype for i in small}]
    alone = [[i] for i in range(len(arrays)) if i not in small]
    groups = sorted(packs + alone)  # in the same order in every process
    joined = [
        jnp.concatenate([arrays[i].ravel() for i in g]) if len(g) > 1 else arrays[g[0]]
        for g in groups
    ]
    answers = list(arrays)
    for g, whole in zip(groups, _COLLECTIVES[kind](joined, axis_name), strict=True):
        ends = list(itertools.accumulate(arrays[i].size for i in g))[:-1]
        for i, part in zip(g, jnp.split(whole, ends) if ends else [whole], strict=True):
            answers[i] = part.reshape(arrays[i].shape)
    return answers


def together(
    plans: Sequence[Plan],
) -> Generator[tuple[Collective, list[Array]], list[Array], list[tuple[Array, ...]]]:
    """Several plans as one. While any of them yields a maximum, those that yield a sum wait: so
    plans of two collectives and of three send their sums together."""
    results: list[tuple[Array, ...]] = [()] * len(plans)
    asked: dict[int, tuple[Collective, list[Array]]] = {}

    def step(i: int, answer: list[Array] | None) -> None:
        try:
            # the first `send` must be `None`: it starts the generator
            asked[i] = plans[i].send(answer)  # pyright: ignore[reportArgumentType]
        except StopIteration as done:
            asked.pop(i, None)
            results[i] = done.value

    for i in range(len(plans)):
        step(i, None)
    while asked:
        kinds = {kind for kind, _ in asked.values()}
        kind: Collective = next(x for x in _COLLECTIVES if x in kinds)
        turn = [i for i in sorted(asked) if asked[i][0] == kind]
        answers = iter((yield kind, [x for i in turn for x in asked[i][1]]))
        for i in turn:
            step(i, [next(answers) for _ in asked[i][1]])
    return results


def run(
    plans: Sequence[Plan], axis_name: str | tuple[str, ...]
) -> list[tuple[Array, ...]]:
    """Runs several plans together: each round is one collective for all plans that wait for it."""
    plan, answer = together(plans), None
    while True:
        try:
            # as above
            kind, arrays = plan.send(answer)  # pyright: ignore[reportArgumentType]
        except StopIteration as done:
            return done.value
        answer = _send(kind, arrays, axis_name)
