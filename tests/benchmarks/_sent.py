"""What a program sends to other devices, counted twice: in the program that jax traces, for a mesh
of any size, and in the text of the one that XLA compiled, for the devices that are there."""

import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from jax.extend.core import ClosedJaxpr, Jaxpr, Literal


# In the spelling of jax, and of XLA.
SUMS = {"psum", "psum_invariant", "pmax", "pmin", "all-reduce"}
MOVES = {"ppermute", "collective-permute"}
OTHERS = {
    "all_gather", "all_gather_invariant", "all_to_all", "reduce_scatter", "pgather",
    "all-gather", "all-to-all", "reduce-scatter", "collective-broadcast",
}  # fmt: skip


class Cost(NamedTuple):
    """What each device asks for."""

    sums: int = 0  # all-reduces, of sums and of maxima
    moves: int = 0  # permutations
    rounds: int = 0  # the longest chain of collectives of which each needs the one before
    summed: int = 0  # bytes in all-reduces
    moved: int = 0  # bytes in permutations

    def sent(self, devices: int) -> float:
        """Bytes that leave a device. Of an all-reduce no way sends less than this from every
        device, and a ring or halves send no more."""
        return 2 * (devices - 1) / devices * self.summed + self.moved

    def seconds(self, devices: int, bandwidth: float, latency: float) -> float:
        """One collective after the other: an all-reduce in twice as many steps as the devices
        can be halved, a permutation in one."""
        steps = 2 * math.ceil(math.log2(devices)) * self.sums + self.moves
        return steps * latency + self.sent(devices) / bandwidth


class Operation(NamedTuple):
    kind: str
    size: int  # bytes
    results: list[Any]
    operands: list[Any]
    inside: list[Cost]  # of what it calls


def total(operations: Iterable[Operation]) -> Cost:
    """Of operations in an order in which they can run. Each result counts as made of all
    operands."""
    cost, level = Cost(), {}
    for kind, size, results, operands, inside in operations:
        if kind in OTHERS:
            raise NotImplementedError(f"{kind}: no reduction has asked for one so far.")
        one = Cost(*map(max, zip(Cost(), *inside, strict=True))) if inside else Cost()
        if kind in SUMS:
            one = Cost(sums=1, rounds=1, summed=size)
        if kind in MOVES:
            one = Cost(moves=1, rounds=1, moved=size)
        depth = max((level.get(x, 0) for x in operands), default=0) + one.rounds
        level |= dict.fromkeys(results, depth)
        both = Cost(*map(sum, zip(cost, one, strict=True)))
        cost = both._replace(rounds=max(cost.rounds, depth))
    return cost


def asked(jaxpr: Jaxpr | ClosedJaxpr) -> Cost:
    """Of `jax.jit(f).trace(...).jaxpr`."""
    return total(_equations(jaxpr.jaxpr if isinstance(jaxpr, ClosedJaxpr) else jaxpr))


def _equations(jaxpr: Jaxpr) -> Iterator[Operation]:
    """All-reduces of one kind with nothing between them are one call of `psum` or `pmax`, of which
    XLA sends the arrays of each dtype at once. A permutation is of one array."""
    dtype: Callable[[Any], str] = lambda eqn: str(eqn.outvars[0].aval.dtype)
    for kind, group in itertools.groupby(jaxpr.eqns, lambda eqn: eqn.primitive.name):
        if kind in SUMS:
            calls = itertools.groupby(sorted(group, key=dtype), dtype)
            yield from (_joined([_equation(eqn) for eqn in call]) for _, call in calls)
        else:
            yield from map(_equation, group)


def _joined(each: list[Operation]) -> Operation:
    return each[0]._replace(
        size=sum(x.size for x in each),
        results=[y for x in each for y in x.results],
        operands=[y for x in each for y in x.operands],
    )


def _equation(eqn: Any) -> Operation:
    kind = eqn.primitive.name
    operands = [x for x in eqn.invars if not isinstance(x, Literal)]
    size = sum(x.aval.size * x.aval.dtype.itemsize for x in operands if kind in SUMS | MOVES)
    given = (p if isinstance(p, tuple | list) else [p] for p in eqn.params.values())
    inner = [x for x in itertools.chain(*given) if isinstance(x, Jaxpr | ClosedJaxpr)]
    return Operation(kind, size, list(eqn.outvars), operands, [asked(x) for x in inner])


_INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%?([\w.-]+) = (.*?) ([\w-]+)\((.*)$")
_ARRAY = re.compile(r"\b(?:pred|[a-z]+(\d+))\[([\d,]*)\]")


def compiled(text: str) -> Cost:
    """Of `jax.jit(f).lower(...).compile().as_text()`."""
    bodies: dict[str, list[re.Match]] = {}
    main = body = ""
    for line in text.splitlines():
        if line.endswith("{") and not line.startswith(("HloModule", " ")):
            body = line.removeprefix("ENTRY ").split()[0].lstrip("%")
            bodies[body], main = [], body if line.startswith("ENTRY") else main
        elif body and (found := _INSTRUCTION.match(line)):
            bodies[body].append(found)
    return _of_body(bodies, main)


def _of_body(bodies: dict[str, list[re.Match]], name: str) -> Cost:
    def operation(found: re.Match) -> Operation:
        result, shape, kind, rest = found.groups()
        kind = kind.removesuffix("-start")
        sizes = (
            int(bits or 8) // 8 * math.prod(int(x) for x in axes.split(",") if x)
            for bits, axes in _ARRAY.findall(shape)
        )
        names = re.findall(r"%([\w.-]+)", rest)
        size = sum(sizes) if kind in SUMS | MOVES else 0
        called = [x for x in names if x in bodies and kind not in SUMS]
        return Operation(kind, size, [result], names, [_of_body(bodies, x) for x in called])

    return total(map(operation, bodies[name]))
