"""The laws: functions of a subject that raise `Broken`. `check_metric` runs them."""

import functools as ft
import io
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np

from .._metric.messages import describe
from ._mapped import at, by_explicit_axes, by_pmap, by_shard_map, by_sharded_jit
from ._subject import Broken, Subject, updated


def _bits(tree: Any) -> list[tuple]:
    leaves = jax.tree.leaves(tree)
    return [(x.shape, str(x.dtype), x.tobytes()) for x in map(np.asarray, leaves)]


# ---- the state


def _static_state(t: Subject) -> None:
    before, structure = jax.tree.flatten(t.empty)
    for name, metric in (("update", t.parts[0]), ("merge", t.parts[0].merge(t.parts[1]))):
        after, found = jax.tree.flatten(metric)
        if found != structure:
            raise Broken(f"`{name}` changed the tree: it was {structure} and is {found}")
        for x, y in zip(before, after, strict=True):
            old, new = jax.typeof(x), jax.typeof(y)
            if (old.shape, old.dtype) != (new.shape, new.dtype):
                raise Broken(f"`{name}` made {describe(y)} of a state array that is {describe(x)}")


def _strong_types(t: Subject) -> None:
    for name, metric in (("reset", t.empty.reset()), ("update", t.parts[0])):
        for path, x in jax.tree_util.tree_flatten_with_path(metric)[0]:
            if jax.typeof(x).weak_type:
                where = jax.tree_util.keystr(path)
                raise Broken(
                    f"after `{name}` the state `{where}` has a weak type: {describe(x)}. Give "
                    "its dtype, as in `jnp.zeros((), jnp.float32)`"
                )


def _purity(t: Subject) -> None:
    empty = _bits(t.empty)
    a, b = updated(t.empty, t.batches[0]), updated(t.empty, t.batches[-1])
    if _bits(t.empty) != empty:
        raise Broken("`update` changed the metric it was called on")
    if _bits({k: np.concatenate([b[k] for b in t.batches]) for k in t.whole}) != _bits(t.whole):
        raise Broken("`update` changed its arguments")
    for name, call in (
        ("merge", lambda: a.merge(b)),
        ("update", lambda: updated(a, t.batches[-1])),
        ("compute", a.compute),
        ("reset", a.reset),
    ):
        before = _bits((a, b))
        call()
        if _bits((a, b)) != before:
            raise Broken(f"`{name}` changed its inputs")


def _one_compilation(t: Subject) -> None:
    metric, t.traces = _copied(t.empty), 0
    for _ in range(3):
        metric = t.jitted(metric, t.batches[0])
    if t.traces != 1:
        raise Broken(f"three updates with one shape compiled {t.traces} times")


def _reset(t: Subject) -> None:
    new, used = (jax.tree_util.tree_flatten_with_path(m)[0] for m in (t.empty, t.parts[0].reset()))
    if [path for path, _ in new] != [path for path, _ in used]:
        raise Broken("a used metric that is reset has another tree than a new one")
    differ = [
        f"`{jax.tree_util.keystr(path)[1:]}` is {np.asarray(y)} after `reset`, and "
        f"{np.asarray(x)} in a new metric"
        for (path, x), (_, y) in zip(new, used, strict=True)
        if _bits(x) != _bits(y)
    ]
    if differ:
        raise Broken(
            f"{'; '.join(differ)}. Where `reset` is derived, a sum starts at 0, a maximum at -inf, "
            "a minimum at inf, and what has no reduction at `eqm.state(initial=...)`: build the "
            "state so"
        )


def _checkpoint(t: Subject) -> None:
    file = io.BytesIO()
    eqx.tree_serialise_leaves(file, t.parts[0])
    file.seek(0)
    restored = eqx.tree_deserialise_leaves(file, t.empty)
    ends = [t.run(t.batches[1:], restored), t.after]
    if _bits(ends[0]) != _bits(ends[1]) or _bits(ends[0].compute()) != _bits(ends[1].compute()):
        raise Broken("a metric saved and restored after the first batch ends with other bits")


# ---- merge


def _identity(t: Subject) -> None:
    for part in t.parts:
        t.equal(t.empty.merge(part), part, "`empty.merge(m)`")
        t.equal(part.merge(t.empty), part, "`m.merge(empty)`")


def _associativity(t: Subject) -> None:
    a, b, c = (t.parts * 2)[:3]
    t.equal(a.merge(b).merge(c), a.merge(b.merge(c)), "`a.merge(b).merge(c)`")


def _commutativity(t: Subject) -> None:
    a, b = t.parts[:2]
    t.equal(a.merge(b), b.merge(a), "`a.merge(b)`")


def _merge_is_update(t: Subject) -> None:
    t.equal(ft.reduce(lambda a, b: a.merge(b), t.parts), t.after, "the merge of all parts")


def _step(t: Subject) -> None:
    new, value = t.parts[0].step(**t.batches[1])
    t.equal(new, t.run(t.batches[1:2], t.parts[0]), "the first result of `step`")
    t.near(value, t.parts[1].compute(), "the second result of `step`")


def _reduce_is_merge(t: Subject) -> None:
    with warnings.catch_warnings():  # `reduce` warns of equal states
        warnings.filterwarnings("ignore", message="`reduce` merges")
        reduced = t.both.reduce()
    t.equal(reduced, t.parts[0].merge(t.parts[0]), "`stacked.reduce()`")


# ---- rows


def _split_batches(t: Subject) -> None:
    t.equal(t.after, t.at_once, "the value of the batches in turn")


def _split_rows(t: Subject) -> None:
    some = t.rows > 64
    rows = [t.part(slice(i, i + 1)) for i in range(16 if some else t.rows)]
    want = t.run([t.part(slice(0, 16))]) if some else t.at_once
    t.equal(t.run(rows), want, "the value of single rows in turn")


def _split_empty(t: Subject) -> None:
    nothing = t.part(slice(0, 0))
    t.equal(t.run([nothing], t.parts[0]), t.parts[0], "after an empty batch the value")
    t.equal(t.run([nothing]), t.empty, "the value of nothing but an empty batch")


def _spoil(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    x = x.copy()
    if np.issubdtype(x.dtype, np.integer):
        x[rows] = min(np.iinfo(x.dtype).max, 2**31 - 1)  # 64-bit integers are narrowed
    else:
        x[rows] = ~x[rows] if x.dtype == np.bool_ else np.nan
    return x


def _spoilt(batch: Mapping[str, np.ndarray], keep: np.ndarray) -> dict[str, np.ndarray]:
    mask = keep & batch.get("mask", np.True_)
    return {k: _spoil(v, ~keep) for k, v in batch.items()} | {"mask": mask}


def _mask(t: Subject) -> None:
    # As many rows as in the longest batch, since its shape is compiled already.
    count = max(len(next(iter(b.values()))) for b in t.batches)
    keep = np.zeros(t.rows, bool)
    keep[np.arange(count) * t.rows // count] = True
    t.equal(t.run([_spoilt(t.whole, keep)]), t.run([t.part(keep)]))


def _mask_all(t: Subject) -> None:
    batch = t.whole
    if "weights" in t.takes:
        batch = {"weights": np.ones(t.rows, np.float32)} | batch
    got = t.run([_spoilt(batch, np.zeros(t.rows, bool))], t.parts[0])
    t.equal(got, t.parts[0], "after a batch without a real row the value")


def _weights(t: Subject) -> None:
    # As in a bootstrap: the repeated rows are as many as the rows, so their shape is compiled.
    drawn = np.sort(np.random.default_rng(0).integers(t.rows, size=t.rows))
    times = np.bincount(drawn, minlength=t.rows)
    given = t.whole.get("weights", np.ones(t.rows, np.float32))
    weights = (times * given).astype(given.dtype)
    # A row with weight 0 may contain anything.
    spoilt = {k: v if k == "mask" else _spoil(v, times == 0) for k, v in t.whole.items()}
    t.equal(t.run([spoilt | {"weights": weights}]), t.run([t.part(drawn)]))


# ---- transformations


def _copied(tree: Any) -> Any:
    """A copy that can be donated, which deletes it. Each array has its own buffer."""
    return jax.tree.map(lambda x: jax.device_put(x, may_alias=False), tree)


def _jit(t: Subject) -> None:
    t.equal(t.jitted(_copied(t.empty), t.batches[0]), t.parts[0])


def _filter_jit(t: Subject) -> None:
    t.equal(eqx.filter_jit(updated)(t.empty, t.batches[0]), t.parts[0])


def _vmap(t: Subject) -> None:
    t.equal(at(1, t.both), t.parts[0])


def _scan(t: Subject) -> None:
    scanned = jax.lax.scan(lambda m, b: (updated(m, b), None), t.empty, t.twice)[0]
    t.equal(scanned, t.run(t.batches[:1], t.parts[0]))


def _donation(t: Subject) -> None:
    for start in (t.empty.reset(), t.parts[0]):
        # Fields that share a buffer still share it in the copy.
        copies: dict[int, Any] = {}
        copy = jax.tree.map(lambda x, c=copies: c.setdefault(id(x), _copied(x)), start)
        t.equal(t.jitted(copy, t.batches[0]), t.run(t.batches[:1], start))


Law = Callable[[Subject], None]

# In the order of checking: a law comes after those that it relies on.
LAWS: dict[str, Law] = {
    "static state": _static_state,
    "strong types": _strong_types,
    "purity": _purity,
    "one compilation": _one_compilation,
    "reset": _reset,
    "checkpoint": _checkpoint,
    "identity": _identity,
    "associativity": _associativity,
    "commutativity": _commutativity,
    "merge = update": _merge_is_update,
    "step": _step,
    "split invariance (batches)": _split_batches,
    "split invariance (single rows)": _split_rows,
    "split invariance (empty batch)": _split_empty,
    "mask = removal": _mask,
    "mask = removal (all rows)": _mask_all,
    "weights = repetition": _weights,
    "eager = jit": _jit,
    "eager = filter_jit": _filter_jit,
    "eager = vmap": _vmap,
    "eager = scan": _scan,
    "reduce = merge": _reduce_is_merge,
    "eager = pmap": by_pmap,
    "eager = shard_map": by_shard_map,
    "eager = sharded jit": by_sharded_jit,
    "eager = explicit axes": by_explicit_axes,
    "donation": _donation,
}
# For an ordered metric each batch is a step in time, even an empty one, so rows can't be regrouped.
OF_UNORDERED = (
    "commutativity",
    "split invariance (batches)",
    "split invariance (single rows)",
    "split invariance (empty batch)",
    "mask = removal (all rows)",
    "reduce = merge",
)
