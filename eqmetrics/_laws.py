"""The laws: each a function of a subject that raises `Broken`. `eqmetrics.testing` runs them."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from ._metric import Metric
from ._route import arguments_of


Batch = Mapping[str, Any]


class Broken(Exception):
    """What a law says; `check_metric` adds the names."""


def _values(metric: Metric) -> list[np.ndarray]:
    return [np.asarray(x, np.float64) for x in jax.tree.leaves(metric.compute())]


def _bits(tree: Any) -> list[tuple]:
    return [(x.shape, str(x.dtype), np.asarray(x).tobytes()) for x in jax.tree.leaves(tree)]


def _types(tree: Any) -> tuple:
    leaves, treedef = jax.tree.flatten(tree)
    return treedef, [(x.shape, str(x.dtype)) for x in leaves]


def updated(metric: Metric, batch: Batch) -> Metric:
    return type(metric).update(metric, **batch)


class Subject:
    """The metric, its batches, and what several laws need: updated states are kept, and
    every batch of one shape goes through one compilation."""

    def __init__(self, metric: Metric, batches: Sequence[Batch], rtol: float):
        self.empty = metric.reset()
        self.ordered = type(metric).ordered
        self.batches = [{k: np.asarray(v) for k, v in b.items()} for b in batches]
        self.whole = {
            k: np.concatenate([b[k] for b in self.batches]) for k in self.batches[0]
        }
        self.rows = len(next(iter(self.whole.values())))
        self.rtol = rtol
        self.takes = arguments_of(metric)
        self.parts = [updated(self.empty, b) for b in self.batches]

    def equal(self, got: Any, want: Any, what: str = "") -> None:
        for x, y in zip(_values(got), _values(want), strict=True):
            scale = np.max(np.abs(np.where(np.isfinite(y), y, 0)), initial=0)
            if x.shape != y.shape or not np.allclose(
                x, y, self.rtol, self.rtol * scale, equal_nan=True
            ):
                raise Broken(f"{what}{x} is not {y}")

    def run(self, batches: Sequence[Batch], metric: Metric | None = None) -> Metric:
        metric = self.empty if metric is None else metric
        for batch in batches:
            metric = updated(metric, batch)
        return metric

    def part(self, rows: Any) -> dict[str, np.ndarray]:
        return {k: v[rows] for k, v in self.whole.items()}


def _static_state(t: Subject) -> None:
    before, after = _types(t.empty), _types(t.parts[0])
    if before != after:
        raise Broken(f"the state is {before} before an update and {after} after it")


def _strong_types(t: Subject) -> None:
    for when, metric in (("reset", t.empty), ("update", t.parts[0])):
        if any(jax.typeof(x).weak_type for x in jax.tree.leaves(metric)):
            raise Broken(f"after `{when}` an array of the state is weakly typed")


def _one_compilation(t: Subject) -> None:
    traces = []

    def update(m, b):
        traces.append(None)
        return updated(m, b)

    step, metric = jax.jit(update), t.empty
    for _ in range(3):
        metric = step(metric, t.batches[0])
    if len(traces) != 1:
        raise Broken(f"three updates of one shape were compiled {len(traces)} times")


def _purity(t: Subject) -> None:
    a, b = t.parts[0], t.parts[-1]
    before = _bits((t.empty, a, b))
    a.merge(b)
    t.run(t.batches[:1], a)
    a.compute()
    a.reset()
    batches = {k: np.concatenate([b[k] for b in t.batches]) for k in t.whole}
    if _bits((t.empty, a, b)) != before or _bits(batches) != _bits(t.whole):
        raise Broken("an operation changed its input")


def _reset(t: Subject) -> None:
    if _bits(t.parts[0].reset()) != _bits(t.empty):
        raise Broken("a metric that was used and reset isn't an empty one")


def _identity(t: Subject) -> None:
    for part in t.parts:
        t.equal(t.empty.merge(part), part, "empty.merge(m): ")
        t.equal(part.merge(t.empty), part, "m.merge(empty): ")


def _associativity(t: Subject) -> None:
    a, b, c = (t.parts * 3)[:3]
    t.equal(a.merge(b).merge(c), a.merge(b.merge(c)))


def _commutativity(t: Subject) -> None:
    a, b = t.parts[:2]
    t.equal(a.merge(b), b.merge(a))


def _merge_is_update(t: Subject) -> None:
    merged = t.parts[0]
    for part in t.parts[1:]:
        merged = merged.merge(part)
    t.equal(merged, t.run(t.batches))


def _step(t: Subject) -> None:
    new, value = t.parts[0].step(**t.batches[1])
    t.equal(new, t.run(t.batches[1:2], t.parts[0]), "the metric: ")
    for x, y in zip(jax.tree.leaves(value), _values(t.parts[1]), strict=True):
        if not np.allclose(x, y, t.rtol, equal_nan=True):
            raise Broken(f"the value of the batch: {x} is not {y}")


def _split(t: Subject) -> None:
    t.equal(t.run(t.batches), t.run([t.whole]))


def _split_rows(t: Subject) -> None:
    count = min(t.rows, 16)
    singles = [t.part(slice(i, i + 1)) for i in range(count)]
    t.equal(t.run(singles), t.run([t.part(slice(0, count))]))


def _split_empty(t: Subject) -> None:
    nothing = t.part(slice(0, 0))
    t.equal(t.run([nothing], t.parts[0]), t.parts[0])
    t.equal(t.run([nothing]), t.empty, "nothing but an empty batch: ")


def _spoil(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    x = x.copy()
    if np.issubdtype(x.dtype, np.integer):
        x[rows] = np.iinfo(x.dtype).max
    else:
        x[rows] = ~x[rows] if x.dtype == bool else np.nan
    return x


def _mask(t: Subject) -> None:
    keep = np.arange(t.rows) % 3 != 1
    spoilt = {
        k: v if k in ("mask", "weights") else _spoil(v, ~keep) for k, v in t.whole.items()
    }
    mask = keep & spoilt.get("mask", True)
    t.equal(t.run([spoilt | {"mask": mask}]), t.run([t.part(keep)]))


def _mask_all(t: Subject) -> None:
    batch = t.batches[0]
    rows = np.ones(len(next(iter(batch.values()))), bool)
    spoilt = {k: v if k == "weights" else _spoil(v, rows) for k, v in batch.items()}
    t.equal(updated(t.parts[0], spoilt | {"mask": ~rows}), t.parts[0])


def _weights(t: Subject) -> None:
    times = np.arange(t.rows) % 4
    repeated = {k: np.repeat(v, times, axis=0) for k, v in t.whole.items()}
    weighted = t.whole | {"weights": times.astype(np.float32)}
    t.equal(t.run([weighted]), t.run([repeated]))


def _jit(t: Subject) -> None:
    t.equal(jax.jit(updated)(t.empty, t.batches[0]), t.parts[0])


def _filter_jit(t: Subject) -> None:
    t.equal(eqx.filter_jit(updated)(t.empty, t.batches[0]), t.parts[0])


def _twice(t: Subject) -> dict[str, np.ndarray]:
    return {k: np.stack([v, v]) for k, v in t.batches[0].items()}


def _vmap(t: Subject) -> None:
    both = jax.vmap(updated, in_axes=(None, 0))(t.empty, _twice(t))
    t.equal(jax.tree.map(lambda x: x[1], both), t.parts[0])


def _scan(t: Subject) -> None:
    scanned = jax.lax.scan(lambda m, b: (updated(m, b), None), t.empty, _twice(t))[0]
    t.equal(scanned, t.run(t.batches[:1], t.parts[0]))


def _reduce(t: Subject) -> None:
    both = jax.vmap(updated, in_axes=(None, 0))(t.empty, _twice(t))
    t.equal(both.reduce(), t.parts[0].merge(t.parts[0]))


def _over_devices(t: Subject) -> tuple[Any, dict[str, np.ndarray]]:
    n = min(jax.device_count(), t.rows)
    mesh = jax.make_mesh(
        (n,), ("devices",), axis_types=(AxisType.Auto,), devices=jax.devices()[:n]
    )
    return mesh, t.part(slice(0, t.rows // n * n))


def _shard_map(t: Subject) -> None:
    mesh, even = _over_devices(t)
    rows, whole = PartitionSpec("devices"), PartitionSpec()
    across = jax.shard_map(
        lambda m, b: m.update_across("devices", **b),
        mesh=mesh,
        in_specs=(whole, rows),
        out_specs=whole,
    )
    t.equal(jax.jit(across)(t.empty, even), t.run([even]))


def _sharded_jit(t: Subject) -> None:
    mesh, even = _over_devices(t)
    placed = jax.device_put(even, NamedSharding(mesh, PartitionSpec("devices")))
    t.equal(jax.jit(updated)(t.empty, placed), t.run([even]))


def _pmap(t: Subject) -> None:
    mesh, even = _over_devices(t)
    n = mesh.size
    split = {k: v.reshape(n, -1, *v.shape[1:]) for k, v in even.items()}
    mapped = eqx.filter_pmap(
        lambda b: updated(t.empty, b).all_reduce("devices"),
        axis_name="devices",
    )(split)
    first = jax.tree.map(lambda x: jnp.asarray(np.asarray(x)[0]), mapped)
    t.equal(first, t.run([even]))


def _donation(t: Subject) -> None:
    step = jax.jit(updated, donate_argnums=0)
    # a copy, since donation invalidates what is passed; of each leaf, so that two fields
    # that share a buffer still do
    copies: dict[int, Any] = {}
    copy = jax.tree.map(lambda x: copies.setdefault(id(x), jnp.copy(x)), t.empty)
    t.equal(step(copy, t.batches[0]), t.parts[0])


def _checkpoint(t: Subject) -> None:
    file = io.BytesIO()
    eqx.tree_serialise_leaves(file, t.parts[0])
    file.seek(0)
    restored = eqx.tree_deserialise_leaves(file, t.empty)
    if _bits(t.run(t.batches[1:], restored)) != _bits(t.run(t.batches[1:], t.parts[0])):
        raise Broken("the restored metric ends elsewhere")


# Of ordered metrics only those marked True are asked.
LAWS: dict[str, tuple[Callable[[Subject], None], bool]] = {
    "static state": (_static_state, True),
    "strong types": (_strong_types, True),
    "one compilation": (_one_compilation, True),
    "purity": (_purity, True),
    "reset": (_reset, True),
    "identity": (_identity, True),
    "associativity": (_associativity, True),
    "commutativity": (_commutativity, False),
    "merge = update": (_merge_is_update, True),
    "step": (_step, True),
    "split invariance (batches)": (_split, False),
    "split invariance (single rows)": (_split_rows, False),
    "split invariance (empty batch)": (_split_empty, True),
    "mask = removal": (_mask, True),
    "mask = removal (all rows)": (_mask_all, True),
    "weights = repetition": (_weights, True),
    "eager = jit": (_jit, True),
    "eager = filter_jit": (_filter_jit, True),
    "eager = vmap": (_vmap, True),
    "eager = scan": (_scan, True),
    "reduce = merge": (_reduce, False),
    "eager = shard_map": (_shard_map, True),
    "eager = sharded jit": (_sharded_jit, True),
    "eager = pmap": (_pmap, True),
    "donation": (_donation, True),
    "checkpoint": (_checkpoint, True),
}


def asked(t: Subject) -> Iterator[tuple[str, Callable[[Subject], None]]]:
    for name, (law, of_ordered) in LAWS.items():
        if t.ordered and not of_ordered:
            continue
        if law in (_mask, _mask_all) and "mask" not in t.takes:
            continue
        if law is _weights and ("weights" not in t.takes or "weights" in t.whole):
            continue
        yield name, law
