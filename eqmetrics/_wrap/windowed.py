from typing import Any, ClassVar, final, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int32

from .._collection.route import arguments_of, update_of
from .._metric.field import stacked, state
from .._metric.metric import AbstractWrapper, Metric
from .._metric.node import rebuild
from .._metric.numbers import check_whole
from .._reduction.base import CLOCK
from .._reduction.pair import inlined
from .._reduction.reduce import stack
from .inside import is_ordered, of_fixed_size


# The states of the last updates are the leaves of a binary tree in one array: node i is the merge
# of nodes 2i and 2i + 1, and node 1 is the merge of all. An update changes one leaf and the nodes
# above it. Node 0 isn't used, so it is always an empty metric.


def _at(tree: Any, i: Any) -> Any:
    return jax.tree.map(lambda x: x[i], tree)


def _set(tree: Any, i: Any, node: Any) -> Any:
    return jax.tree.map(lambda x, y: x.at[i].set(y), tree, node)


def _pick(condition: Array, this: Any, other: Any) -> Any:
    return jax.tree.map(lambda x, y: jnp.where(condition, x, y), this, other)


def _merged(left: Any, right: Any) -> Any:
    return left.merge(right)


@inlined
def _with_leaf(tree: Metric, leaf: Array, batch: Metric) -> Metric:
    tree, i = _set(tree, leaf, batch), leaf
    for _ in range(_levels(tree)):
        i = i // 2
        tree = _set(tree, i, _merged(_at(tree, 2 * i), _at(tree, 2 * i + 1)))
    return tree


@inlined
def _with_leaves(tree: Metric, leaves: Metric) -> Metric:
    """The tree with these leaves, merged level by level."""
    size = len(jax.tree.leaves(tree)[0]) // 2
    tree = jax.tree.map(lambda x, y: x.at[size:].set(y), tree, leaves)
    while size > 1:
        left, right = (_at(tree, slice(size + k, 2 * size, 2)) for k in range(2))
        above = jax.vmap(_merged)(left, right)
        size //= 2
        place = slice(size, 2 * size)
        tree = jax.tree.map(lambda x, y, place=place: x.at[place].set(y), tree, above)
    return tree


@inlined
def _in_order(tree: Metric, head: Array) -> Metric:
    """The merge of the leaves from `head` on, followed by those before it."""
    levels = _levels(tree)
    late = early = _at(tree, 0)
    for k in range(levels):  # from `head` to the next multiple of 2^(k + 1), to the right
        odd = ((head + 2**k - 1) >> k) & 1 == 1
        i = 2 ** (levels - k) + ((head + 2**k - 1) >> k)
        late = _pick(odd, _merged(late, _at(tree, jnp.minimum(i, 2 ** (levels - k + 1) - 1))), late)
    for k in reversed(range(levels)):
        bit = (head >> k) & 1 == 1
        i = 2 ** (levels - k) + jnp.maximum((head >> k) - 1, 0)
        early = _pick(bit, _merged(early, _at(tree, i)), early)
    return _merged(_pick(head == 0, _at(tree, 1), late), early)


def _levels(tree: Metric) -> int:
    return len(jax.tree.leaves(tree)[0]).bit_length() - 2


@final
class Windowed(AbstractWrapper):
    """The value of a metric on the rows of the last `size` updates.

    Ordered: `merge` joins consecutive parts of a stream; `reduce` and `all_reduce` join devices
    that made the same number of updates, each with its own rows. Every update counts, even an empty
    one. The number of merges in an `update` and in `compute` grows with the logarithm of `size`.

    **Arguments:**

    - `metric`: any metric of fixed size. Only its configuration is used, not its state.
    - `size`: the number of updates in the window.

    State: that of the metric, times twice the smallest power of 2 that is at least `size`; and an
    integer. Undefined when: the metric is, on the rows of the last updates.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        mean = eqm.Windowed(eqm.Average(), 2)
        for x in (1.0, 2.0, 6.0):
            mean = mean.update(values=jnp.array(x))
        assert mean.compute() == 4.0
        ```
    """

    ordered: ClassVar[bool] = True

    size: int = eqx.field(static=True)
    nodes: int = eqx.field(static=True)
    tree: Metric = stacked("nodes", counted=lambda tree: _at(tree, 1))
    updates: Int32[Array, ""] = state(reduce=CLOCK)

    def __init__(self, metric: Metric, size: int):
        check_whole("size", size, 1)
        of_fixed_size("Windowed", metric)
        self.size = size
        self.nodes = 2 << (size - 1).bit_length()
        self.tree = stack(metric, self.nodes)
        self.updates = jnp.zeros((), jnp.int32)

    def arguments(self) -> dict[str, bool]:
        return arguments_of(self.tree)

    def update(self, *args: Any, **outputs: Any) -> Self:
        batch = update_of(_at(self.tree, 0), outputs)
        leaf = self.nodes // 2 + self.updates % self.size
        tree = _with_leaf(self.tree, leaf, batch)
        return rebuild(self, {"tree": tree, "updates": self.updates + 1})

    def merge(self, other: Self) -> Self:
        """The state after this stream, followed by the other one."""
        # A leaf contains the newest update whose number modulo `size` is its index: one of the
        # other stream, or, if that had too few updates, one of this stream.
        place = jnp.arange(self.nodes // 2, dtype=jnp.int32)
        total = self.updates + other.updates
        number = total - 1 - (total - 1 - place) % self.size
        ours = number < self.updates
        source = jnp.where(ours, place, (number - self.updates) % self.size)
        source = jnp.where(place < self.size, source, place) + self.nodes // 2

        def pick(x, y):
            chosen = ours.reshape(-1, *(1,) * (x.ndim - 1))
            return jnp.where(chosen, x[source], y[source])

        tree = _with_leaves(self.tree, jax.tree.map(pick, self.tree, other.tree))
        return rebuild(self, {"tree": tree, "updates": total})

    def compute(self) -> Any:
        if is_ordered(self.tree):
            return _in_order(self.tree, self.updates % self.size).compute()
        return _at(self.tree, 1).compute()
