import functools as ft
from typing import Any, final, Literal, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32, Integer

from .._collection.ordered import in_order, plain_dicts
from .._collection.route import arguments_of, update_of
from .._custom_types import Input
from .._metric.field import layout, stacked, state
from .._metric.messages import describe
from .._metric.metric import AbstractExact, AbstractRelay, AbstractWrapper, Metric
from .._metric.node import rebuild, walk
from .._metric.numbers import check_whole
from .._onepass.apart import NotASum, update_groups
from .._onepass.operations import Groups
from .._onepass.sums import plus_count, Sums
from .._reduction import EXACT_SUM
from .._reduction.pair import inlined, Pair
from .._reduction.reduce import reduce_one, stack
from .._rows.rows import flat, narrow
from .from_fun import FromFun
from .from_output import FromOutput
from .inside import as_floats, leaves, needs, of_fixed_size, taken_by, values_of


# If all rows are read again for each group, this many entries are computed at once.
_AT_ONCE = 2**22


def _expanded(name: str, x: Array, shape: tuple[int, ...]) -> Array:
    if x.shape != shape[: x.ndim]:
        raise TypeError(
            f"`PerGroup`: `{name}` is {describe(x)} beside others of shape {shape}: `group`, "
            "`mask` and `weights` have the leading axes of the rows, so one starts with the other."
        )
    return jnp.broadcast_to(x.reshape(x.shape + (1,) * (len(shape) - x.ndim)), shape)


def _members(
    group: Integer[Array, "..."], mask: Any, weights: Any, groups: int
) -> tuple[Int32[Array, "..."], Bool[Array, "..."], Bool[Array, "..."]]:
    """The group of each row, whether the row is counted, and whether its group is out of range."""
    mask, weights = (None if x is None else jnp.asarray(x) for x in (mask, weights))
    group = narrow(group)
    known = (group >= 0) & (group < groups)
    own = jnp.where(known, group, 0)
    # A row of weight 0 is left out, whatever its group is.
    others = {} if mask is None else {"mask": mask}
    others |= {} if weights is None else {"weights": weights != 0}
    shape = max([group.shape, *(x.shape for x in others.values())], key=len)
    own, known = (_expanded("group", x, shape) for x in (own, known))
    real = jnp.ones(shape, bool)
    for name, x in others.items():
        real &= _expanded(name, x, shape)
    return own, real & known, real & ~known


def _members_of_many(
    group: Bool[Array, "..."], mask: Any, weights: Any
) -> tuple[Bool[Array, "..."], Bool[Array, "..."], Bool[Array, "..."]]:
    """The same if a row may be in any number of groups: none can be out of range."""
    own, groups = group.shape[:-1], group.shape[-1]
    _, taken, bad = _members(jnp.zeros(own, jnp.int32), mask, weights, 1)
    more = (1,) * (taken.ndim - len(own))
    return jnp.broadcast_to(group.reshape(*own, *more, groups), (*taken.shape, groups)), taken, bad


def _check_many(wrapper: "PerGroup", group: Array) -> None:
    if group.ndim < 2 or group.shape[-1] != wrapper.num_groups:
        raise TypeError(
            f"`PerGroup`: `group` is {describe(group)}: booleans say of each row in which of the "
            f"groups it is, in the shape (*rows, {wrapper.num_groups}). For one group a row give "
            "its number: `group.astype(int)`."
        )
    if wrapper.worst is not None:
        raise TypeError(
            f"`PerGroup(..., worst={wrapper.worst!r})` merges the groups to the value of all rows, "
            "where one of several groups would count several times. Leave `worst` out, and keep "
            "the metric of all rows beside it."
        )
    for leaf in leaves(wrapper.metric):
        needs("PerGroup", leaf, "mask", "gives each of several groups its rows by a mask")


def _check_rows(metric: Metric, group: Array, outputs: dict[str, Any]) -> None:
    shapes = [jnp.shape(x) for x in jax.tree.leaves(outputs)]
    if shapes and not any(shape[: group.ndim] == group.shape for shape in shapes):
        raise TypeError(
            f"`PerGroup`: `group` is {describe(group)}, and `{type(metric).__qualname__}` sees "
            + ", ".join(f"`{name}`: {describe(x)}" for name, x in outputs.items())
            + ". `group` has the leading axes of the rows."
        )


@inlined
def _by_rows(metric: Metric, group: Array, taken: Array, outputs: dict[str, Any]) -> Metric:
    """In one pass over the rows if the state consists of sums over rows, else group by group."""
    takes_mask = "mask" in arguments_of(metric)
    masked = outputs | {"mask": taken} if takes_mask else outputs
    groups = Groups(flat(group), flat(taken), len(jax.tree.leaves(metric)[0]))
    try:
        return update_groups(update_of, metric, masked, groups)
    except NotASum:
        _needs_mask(metric)
        return _by_masks(metric, group, taken, outputs)


def _needs_mask(metric: Metric) -> None:
    needs("PerGroup", metric, "mask", "gives each group its rows by a mask")


def _holds_only_sums(metric: Metric) -> bool:
    nodes = (node for _, node, _ in walk(metric) if layout(type(node)).arrays)
    return all(isinstance(node, Sums) for node in nodes)


@inlined
def _by_masks(metric: Metric, group: Array, taken: Array, outputs: dict[str, Any]) -> Metric:
    groups = len(jax.tree.leaves(metric)[0])

    def one(metric_and_place):
        m, place = metric_and_place
        own = group[..., place] if group.dtype == jnp.bool_ else group == place
        return type(m).update(m, **outputs, mask=taken & own)

    place = jnp.arange(groups, dtype=jnp.int32)
    size = 1  # if the number of rows is symbolic, by `jax.export`
    if isinstance(taken.size, int):
        size = max(1, min(groups, _AT_ONCE // max(taken.size, 1)))
    return jax.lax.map(one, (metric, place), batch_size=size)


@final
class PerGroup(AbstractExact, AbstractWrapper):
    """The value of a metric for each group of rows; an integer output `group` assigns rows to
    groups.

    The value of each group is that of the metric on the rows of this group alone. If the state of
    the metric consists of sums over rows ([`eqmetrics.Sums`][] and everything built on them: all
    counts, means, losses and moments), every row is read once. Any other metric is updated with a
    mask for each group, which takes time in proportion to their number.

    **Arguments:**

    - `metric`: any metric that takes a `mask`, also a [`eqmetrics.MetricDict`][]. Only its
        configuration is used, not its state.
    - `num_groups`: the number of groups. `update` takes `group`: integers of the shape of the rows;
        or, if a row may be in several groups or in none, booleans of shape `(*rows, num_groups)`:
        then every group reads all rows, with a mask.
    - `worst`: `"min"` if the smallest value is the worst, or `"max"`. `compute` then returns a dict
        of `groups`, `overall` (the value of all rows), `worst` and `gap`.

    State: `num_groups` times that of the metric, and 2 floats. Undefined when: for a group, if the
    metric is. Rows with a group outside `[0, num_groups)` are invalid. Groups without a value are
    left out of `worst` and `gap`, which are NaN if `overall` is.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        groups = eqm.PerGroup(eqm.Average(), 3)
        value = groups(values=jnp.array([1.0, 2.0, 4.0]), group=jnp.array([0, 2, 2]))
        assert value[0] == 1 and jnp.isnan(value[1]) and value[2] == 3
        tags = jnp.array([[True, True, False], [False, True, False], [False, False, False]])
        assert groups(values=jnp.array([1.0, 2.0, 4.0]), group=tags)[1] == 1.5
        ```
    """

    num_groups: int = eqx.field(static=True)
    worst: Literal["min", "max"] | None = eqx.field(static=True)
    metric: Metric = stacked("num_groups")
    invalid: Float32[Array, "2"] = state(reduce=EXACT_SUM, valid="groups in [0, {self.num_groups})")

    def __init__(
        self, metric: Metric, num_groups: int, *, worst: Literal["min", "max"] | None = None
    ):
        check_whole("num_groups", num_groups, 1)
        if worst not in (None, "min", "max"):
            raise ValueError(f"worst={worst!r}: expected 'min' or 'max', or None.")
        of_fixed_size("PerGroup", metric)
        taken_by("PerGroup", metric, "group")
        for leaf in leaves(metric):
            if not _holds_only_sums(leaf):
                _needs_mask(leaf)
        self.num_groups = num_groups
        self.worst = worst
        self.metric = stack(metric, num_groups)
        self.invalid = jnp.zeros(2, jnp.float32)

    def arguments(self) -> dict[str, bool]:
        return taken_by("PerGroup", self.metric, "group")

    def update(
        self, *args: Any, group: Integer[Input, "..."] | Bool[Input, "..."], **outputs: Any
    ) -> Self:
        group = jnp.asarray(group)
        many = group.dtype == jnp.bool_
        if many:
            _check_many(self, group)
        seen: dict[tuple[int, int], tuple] = {}

        def update(metric: Any, outputs: dict[str, Any]) -> Any:
            if isinstance(metric, AbstractRelay):
                return metric.relay(outputs, update)
            # Each metric may read its own mask and weights: `from_output` can rename them.
            mask, weights = outputs.get("mask"), outputs.get("weights")
            outputs = {name: x for name, x in outputs.items() if name != "mask"}
            key = id(mask), id(weights)
            if key not in seen:  # the arrays are stored, too, so that no others get their ids
                members = (
                    _members_of_many(group, mask, weights)
                    if many
                    else _members(group, mask, weights, self.num_groups)
                )
                seen[key] = mask, weights, members
            own, taken, _ = seen[key][-1]
            _check_rows(metric, group[..., 0] if many else group, outputs)
            by = _by_masks if many else _by_rows
            return by(metric, own, taken, outputs)

        metric = update(self.metric, outputs)
        bad = [members[-1] for *_, members in seen.values()]
        shape = max((x.shape for x in bad), key=len)
        bad = ft.reduce(jnp.logical_or, (_expanded("group", x, shape) for x in bad))
        return rebuild(self, {"metric": metric, "invalid": plus_count(self.invalid, bad.ravel())})

    def exact(self) -> Any:
        metric = self.metric
        while isinstance(metric, (FromOutput, FromFun)):
            metric = metric.metric
        if self.worst is not None or not isinstance(metric, AbstractExact):
            return None
        pairs = jax.vmap(_exact)(metric)
        return None if pairs is None else jax.tree.map(lambda x: jnp.moveaxis(x, 1, 0), pairs)

    def compute(self) -> Any:
        """The value of the metric, with a leading axis of groups."""
        values = values_of(self.metric)
        if self.worst is None:
            return plain_dicts(values)
        overall = in_order(reduce_one(self.metric).compute())
        low, high = (jax.tree.map(f, values, overall) for f in (_smallest, _largest))
        return {
            "groups": plain_dicts(values),
            "overall": plain_dicts(overall),
            "worst": plain_dicts(low if self.worst == "min" else high),
            "gap": plain_dicts(jax.tree.map(lambda a, b: b - a, low, high)),
        }


def _exact(metric: AbstractExact) -> Pair:
    return metric.exact()


def _smallest(values: Array, overall: Array) -> Array:
    return -_largest(-as_floats(values), overall)


def _largest(values: Array, overall: Array) -> Array:
    x = as_floats(values)
    known = ~jnp.isnan(x)
    most = jnp.max(jnp.where(known, x, -jnp.inf), axis=0)
    # If the value of all rows is NaN, for example because of an invalid row, so is this value: a
    # group with such a row isn't just left out.
    some = jnp.any(known, axis=0) & ~jnp.isnan(as_floats(overall))
    return jnp.where(some, most, jnp.nan)
