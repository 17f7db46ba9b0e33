"""Laws that every metric must obey, checked on your own batches."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from ._metric import Metric
from ._node import is_metric
from ._route import arguments_of


Batch = Mapping[str, Any]


class LawError(AssertionError):
    """A metric breaks a law; the message names it."""


def _values(metric: Metric) -> list[np.ndarray]:
    return [np.asarray(x, np.float64) for x in jax.tree.leaves(metric.compute())]


def _bits(tree: Any) -> list[tuple]:
    return [
        (x.shape, str(x.dtype), np.asarray(x).tobytes()) for x in jax.tree.leaves(tree)
    ]


def _types(tree: Any) -> tuple:
    leaves, treedef = jax.tree.flatten(tree)
    return treedef, [(x.shape, x.dtype, jax.typeof(x).weak_type) for x in leaves]


class _Laws:
    def __init__(self, metric: Metric, batches: Sequence[Batch], rtol: float):
        self.empty = metric.reset()
        self.batches = [{k: np.asarray(v) for k, v in b.items()} for b in batches]
        self.whole = {
            k: np.concatenate([b[k] for b in self.batches]) for k in self.batches[0]
        }
        self.rows = len(next(iter(self.whole.values())))
        self.rtol = rtol
        self.takes = arguments_of(metric)

    def equal(self, law: str, got: Metric, want: Metric) -> None:
        for x, y in zip(_values(got), _values(want), strict=True):
            scale = np.max(np.abs(np.where(np.isfinite(y), y, 0)), initial=0)
            if not np.allclose(x, y, self.rtol, self.rtol * scale, equal_nan=True):
                raise LawError(
                    f"`{type(got).__qualname__}` breaks the law of {law}: {x} is not {y}."
                )

    def run(self, batches: Sequence[Batch], metric: Metric | None = None) -> Metric:
        metric = self.empty if metric is None else metric
        for batch in batches:
            metric = type(metric).update(metric, **batch)
        return metric

    def part(self, rows: Any) -> dict[str, np.ndarray]:
        return {k: v[rows] for k, v in self.whole.items()}


def _merge(t: _Laws, ordered: bool) -> None:
    parts = [t.run([b]) for b in t.batches]
    for p in parts:
        t.equal("identity (left)", t.empty.merge(p), p)
        t.equal("identity (right)", p.merge(t.empty), p)
    if len(parts) >= 3:
        a, b, c = parts[:3]
        t.equal("associativity", a.merge(b).merge(c), a.merge(b.merge(c)))
    if len(parts) >= 2 and not ordered:
        a, b = parts[:2]
        t.equal("commutativity", a.merge(b), b.merge(a))
    merged = parts[0]
    for p in parts[1:]:
        merged = merged.merge(p)
    t.equal("merge = update", merged, t.run(t.batches))


def _split(t: _Laws, ordered: bool) -> None:
    if ordered:
        return
    one = t.run([t.whole])
    t.equal("split invariance (batches)", t.run(t.batches), one)
    singles = [t.part(slice(i, i + 1)) for i in range(min(t.rows, 32))]
    t.equal(
        "split invariance (single rows)",
        t.run(singles),
        t.run([t.part(slice(0, len(singles)))]),
    )
    t.equal("split invariance (empty batch)", t.run([t.whole, t.part(slice(0, 0))]), one)


def _spoil(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    x = x.copy()
    x[rows] = np.nan if x.dtype.kind == "f" else np.roll(x, 1, axis=0)[rows]
    if x.dtype.kind in "iu":
        x[rows] = np.iinfo(x.dtype).max
    return x


def _mask(t: _Laws, ordered: bool) -> None:
    if "mask" not in t.takes:
        return
    keep = np.arange(t.rows) % 3 != 1
    kept = t.part(keep)
    spoilt = {
        k: v if k in ("mask", "weights") else _spoil(v, ~keep) for k, v in t.whole.items()
    }
    mask = keep & spoilt.get("mask", True)
    t.equal("mask = removal", t.run([spoilt | {"mask": mask}]), t.run([kept]))
    nothing = {"mask": np.zeros(t.rows, bool)}
    if not ordered:
        t.equal("mask = removal (all rows)", t.run([t.whole, t.whole | nothing]), t.run([t.whole]))


def _weights(t: _Laws, ordered: bool) -> None:
    if "weights" not in t.takes or "weights" in t.whole:
        return
    times = np.arange(t.rows) % 4
    repeated = {k: np.repeat(v, times, axis=0) for k, v in t.whole.items()}
    weighted = t.whole | {"weights": times.astype(np.float32)}
    t.equal("weights = repetition", t.run([weighted]), t.run([repeated]))


def _static(t: _Laws, ordered: bool) -> None:
    before, after = _types(t.empty), _types(t.run(t.batches[:1]))
    if before != after:
        raise LawError(
            f"`{type(t.empty).__qualname__}` breaks the law of static states: before an "
            f"update its arrays are {before[1]}, after it {after[1]}."
        )
    if any(weak for *_, weak in after[1]):
        raise LawError("A weakly typed state breaks the law of static states.")
    traces = []

    def update(m, b):
        traces.append(None)
        return type(m).update(m, **b)

    step, metric = jax.jit(update), t.empty
    for _ in range(3):
        metric = step(metric, t.batches[0])
    if len(traces) != 1:
        raise LawError("The law of one compilation is broken: update compiled again.")


def _pure(t: _Laws, ordered: bool) -> None:
    a, b = t.run(t.batches[:1]), t.run(t.batches[-1:])
    before = _bits((a, b))
    a.merge(b)
    t.run(t.batches[:1], a)
    if _bits((a, b)) != before:
        raise LawError("The law of purity is broken: update or merge changed its input.")
    step = jax.jit(lambda m, x: type(m).update(m, **x), donate_argnums=0)
    # a copy, since donation invalidates what is passed
    got = step(jax.tree.map(jnp.copy, t.empty), t.batches[0])
    t.equal("donation", got, t.run(t.batches[:1]))


def _transforms(t: _Laws, ordered: bool) -> None:
    batch = t.batches[0]
    want = t.run([batch])

    def update(m, b):
        return type(m).update(m, **b)

    t.equal("eager = jit", jax.jit(update)(t.empty, batch), want)
    t.equal("eager = filter_jit", eqx.filter_jit(update)(t.empty, batch), want)
    stacked = jax.tree.map(lambda x: np.stack([x, x]), batch)
    both = jax.vmap(update, in_axes=(None, 0))(t.empty, stacked)
    t.equal("eager = vmap", jax.tree.map(lambda x: x[1], both), want)
    twice = t.run([batch, batch])
    scanned = jax.lax.scan(lambda m, b: (update(m, b), None), t.empty, stacked)[0]
    t.equal("eager = scan", scanned, twice)
    if not ordered:
        t.equal("reduce = merge", both.reduce(), twice)
    n = jax.device_count()
    if n == 1 or t.rows < n or ordered:
        return
    even = t.part(slice(0, t.rows // n * n))
    want = t.run([even])
    mesh = jax.make_mesh((n,), ("devices",), axis_types=(AxisType.Auto,))
    rows, whole = PartitionSpec("devices"), PartitionSpec()
    across = jax.shard_map(
        lambda m, b: m.update_across("devices", **b),
        mesh=mesh,
        in_specs=(whole, rows),
        out_specs=whole,
    )
    t.equal("eager = shard_map", jax.jit(across)(t.empty, even), want)
    placed = jax.device_put(even, NamedSharding(mesh, rows))
    t.equal("eager = sharded jit", jax.jit(update)(t.empty, placed), want)
    split = {k: v.reshape(n, -1, *v.shape[1:]) for k, v in even.items()}
    mapped = eqx.filter_pmap(
        lambda b: t.empty.update(**b).all_reduce("devices"), axis_name="devices"
    )(split)
    t.equal("eager = pmap", jax.tree.map(lambda x: jnp.asarray(np.asarray(x)[0]), mapped), want)


def _checkpoint(t: _Laws, ordered: bool) -> None:
    file = io.BytesIO()
    first = t.run(t.batches[:1])
    eqx.tree_serialise_leaves(file, first)
    file.seek(0)
    restored = eqx.tree_deserialise_leaves(file, t.empty)
    if _bits(t.run(t.batches[1:], restored)) != _bits(t.run(t.batches[1:], first)):
        raise LawError("The law of checkpoints is broken: the restored metric ends elsewhere.")


LAWS: tuple[Callable[[_Laws, bool], None], ...] = (
    _static,
    _merge,
    _split,
    _mask,
    _weights,
    _transforms,
    _pure,
    _checkpoint,
)


def check_metric(metric: Metric, batches: Sequence[Batch], *, rtol: float = 1e-5) -> None:
    """Checks a metric against the laws: identity, associativity and commutativity of
    `merge`; split invariance; mask = removal; weights = repetition; static states and one
    compilation; the same value under every transformation and on every device; purity and
    donation; checkpoints. Raises `LawError`, which names the law.

    **Arguments:**

    - `metric`: the metric. An ordered one is asked only for what it promises.
    - `batches`: at least two dicts of the arguments of `update`; each array has the rows
        as its leading axis.
    - `rtol`: how far values may differ, relative to the largest.
    """
    if len(batches) < 2:
        raise ValueError("`check_metric` needs at least two batches: three show most.")
    laws = _Laws(metric, batches, rtol)
    for law in LAWS:
        law(laws, type(metric).ordered)


def check_shapes(metric: Metric, **outputs: str) -> Any:
    """Traces `update` and `compute` abstractly: no data, no device, milliseconds.

    `check_shapes(metric, logits="float32[batch, 10]", labels="int32[batch]")`: named axes
    get a size of their own. Returns the shapes of the value, or raises what the metric
    raises on such arguments.
    """
    sizes: dict[str, int] = {}

    def struct(text: str) -> jax.ShapeDtypeStruct:
        found = re.fullmatch(r"\s*(\w+)\s*\[(.*)\]\s*", text)
        if found is None:
            raise ValueError(f"{text!r} is not of the form 'float32[batch, 10]'.")
        dtype, axes = found.groups()
        names = [a.strip() for a in axes.split(",") if a.strip()]
        # sizes that no configuration is likely to have
        shape = [int(a) if a.isdigit() else sizes.setdefault(a, 7 + 4 * len(sizes)) for a in names]
        return jax.ShapeDtypeStruct(tuple(shape), jnp.dtype(dtype))

    structs = {name: struct(text) for name, text in outputs.items()}
    assert is_metric(metric)

    def value(m, kwargs):
        return type(m).update(m, **kwargs).compute()

    return jax.eval_shape(value, metric, structs)
