"""The same answer on one device and on several, in every form; and what it sends."""

import functools as ft
import re
from typing import Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from jaxtyping import Array, Float

import eqmetrics as eqm

from .digits import metrics, outputs, padded, update
from .users_metric import ColumnMean


EXACT = ("accuracy", "rows", "low", "high")
AXES = ("devices",)


def mesh_of(shape=(8,), names=AXES, kind=AxisType.Auto):
    devices = jax.devices()[: int(np.prod(shape))]
    return jax.make_mesh(shape, names, axis_types=(kind,) * len(shape), devices=devices)


def shards(batch, n):
    return {k: x[: len(x) // n * n].reshape(n, -1, *x.shape[1:]) for k, x in batch.items()}


def over(f, mesh, in_specs):
    return jax.jit(jax.shard_map(f, mesh=mesh, in_specs=in_specs, out_specs=P()))


def by_sharded_jit(batch, mesh, spec):
    place = NamedSharding(mesh, spec)
    return jax.jit(update)(metrics(), jax.device_put(batch, place))


@ft.cache
def across(mesh, spec):
    return over(lambda m, b: m.update_across(spec[0], **b), mesh, (P(), spec))


def by_shard_map(batch, mesh, spec):
    return across(mesh, spec)(metrics(), batch)


FORMS = {
    "filter_jit": lambda b: eqx.filter_jit(update)(metrics(), b),
    "sharded jit": lambda b: by_sharded_jit(b, mesh_of(), P("devices")),
    "explicit axes": lambda b: by_sharded_jit(b, mesh_of(kind=AxisType.Explicit), P("devices")),
    "two axes, jit": lambda b: by_sharded_jit(b, mesh_of((4, 2), ("a", "b")), P(("a", "b"))),
    "shard_map": lambda b: by_shard_map(b, mesh_of(), P("devices")),
    "two axes, shard_map": lambda b: by_shard_map(b, mesh_of((4, 2), ("a", "b")), P(("a", "b"))),
    "filter_pmap": lambda b: eqm.unreplicate(
        eqx.filter_pmap(lambda b: metrics().update_across("devices", **b), axis_name="devices")(
            shards(b, 8)
        )
    ),
    "pmap, reduce": lambda b: jax.pmap(lambda b: metrics().update(**b))(shards(b, 8)).reduce(),
    "pmap of 4": lambda b: jax.jit(eqm.reduce)(
        jax.pmap(lambda b: metrics().update(**b), devices=jax.devices()[:4])(shards(b, 4))
    ),
    "vmap": lambda b: jax.jit(
        jax.vmap(lambda b: metrics().update_across("i", **b), axis_name="i", out_axes=None)
    )(shards(b, 8)),
    "vmap, reduce over 7": lambda b: jax.jit(
        lambda b, rest: eqm.merge(
            jax.vmap(lambda b: metrics().update(**b))(b).reduce(), metrics().update(**rest)
        )
    )(shards(b, 7), {k: x[512 // 7 * 7 :] for k, x in b.items()}),
}


@pytest.fixture(scope="module")
def one():
    return eqm.to_host(jax.jit(update)(metrics(), outputs()))


def agree(got, want):
    for name, x in want.items():
        ulps = 0 if name in EXACT else 1
        assert abs(got[name] - x) <= ulps * np.spacing(np.float32(x)), name


@pytest.mark.parametrize("form", FORMS)
def test_499_rows_padded_with_nan(form, one):
    agree(eqm.to_host(FORMS[form](padded())), one)


def test_on_three_devices(one):
    whole = padded()
    rows = np.arange(513) % 512
    batch = {k: x[rows] for k, x in whole.items()}
    batch["mask"] = batch["mask"] & (np.arange(513) < 512)
    agree(eqm.to_host(by_shard_map(batch, mesh_of((3,)), P("devices"))), one)


def test_the_order_of_devices_changes_no_bit():
    def bits(order):
        batch = {k: x[order].reshape(512, *x.shape[2:]) for k, x in shards(padded(), 8).items()}
        reduced = by_shard_map(batch, mesh_of(), P("devices"))
        return [np.asarray(x).tobytes() for x in jax.tree.leaves(reduced)]

    assert bits(np.arange(8)) == bits(np.array([5, 2, 7, 0, 1, 6, 3, 4]))


def test_uneven_and_empty_shards(one):
    batch = shards(padded(), 8)
    batch["mask"] = np.zeros_like(batch["mask"])
    flat = {k: x.reshape(512, *x.shape[2:]) for k, x in batch.items()}
    nothing = eqm.to_host(by_shard_map(flat, mesh_of(), P("devices")))
    assert np.isnan([nothing[k] for k in ("accuracy", "loss", "std", "low", "high")]).all()
    assert nothing["rows"] == nothing["total"] == 0
    # all rows on one shard, and seven shards without one
    crowded = {k: np.concatenate([x] + [x] * 7) for k, x in padded().items()}
    crowded["mask"][512:] = False
    agree(eqm.to_host(by_shard_map(crowded, mesh_of(), P("devices"))), one)


def test_tokens_not_means_of_means():
    tokens = np.random.default_rng(0).normal(size=(2, 101)).astype(np.float32)
    mask = np.arange(101) < np.array([[11], [101]])
    want = tokens[mask].mean(dtype=np.float64)
    run = over(
        lambda m, x, k: m.update_across("devices", x, mask=k),
        mesh_of((2,)),
        (P(), P("devices"), P("devices")),
    )
    got = run(eqm.Average(), tokens, mask).compute()
    assert abs(got - want) < 1e-7


def test_eight_full_counters_are_exact():
    full = eqm.Count().replace(sums=eqm.Sums(rows=()).plus(rows=jnp.array([2.0**31, -1.0])))
    run = over(lambda m: eqm.vary(m, "devices").all_reduce("devices"), mesh_of(), (P(),))
    assert eqm.to_host(run(full)) == 8 * (2**31 - 1)
    cell = eqm.Sum((2, 2)).add(jnp.full((2, 2, 2), 2.0**31).at[1].set(-1.0))
    assert (eqm.to_host(run(cell)) == 8 * (2**31 - 1)).all()


def test_update_across_is_one_device_over_100_steps():
    x = np.random.default_rng(0).normal(size=(100, 16)).astype(np.float32) + 100
    m = eqm.MetricDict(mean=eqm.Average(), std=eqm.Std(), n=eqm.Count())

    def replicated(m, xs):
        return jax.lax.scan(lambda m, x: (m.update_across("devices", values=x), None), m, xs)[0]

    def at_the_end(m, xs):
        m = eqm.vary(m, "devices")
        m = jax.lax.scan(lambda m, x: (m.update(values=x), None), m, xs)[0]
        return m.all_reduce("devices")

    want = eqm.to_host(m.update(values=x))
    for f in (replicated, at_the_end):
        got = eqm.to_host(over(f, mesh_of(), (P(), P(None, "devices")))(m, x))
        assert got["n"] == 1600
        np.testing.assert_allclose([*got.values()], [*want.values()], rtol=2e-7)


def test_a_training_state():
    class State(eqx.Module):
        weight: Array
        nested: list

    def step(state, x):
        state = eqx.tree_at(
            lambda s: s.nested[0]["loss"], state, state.nested[0]["loss"].update(x)
        )
        return eqm.all_reduce(state, "devices")

    state = State(jnp.ones(3), [{"loss": eqm.Average(), "lr": jnp.array(0.1)}])
    x = jnp.arange(8.0)
    done = over(step, mesh_of(), (P(), P("devices")))(state, x)
    assert done.nested[0]["loss"].compute() == 3.5
    assert (done.weight == 1).all() and done.nested[0]["lr"] == jnp.float32(0.1)
    pmapped = eqx.filter_pmap(step, in_axes=(None, 0), axis_name="devices")(state, x[:, None])
    first = eqm.unreplicate(pmapped)
    assert first.nested[0]["loss"].compute() == 3.5 and first.weight.shape == (8, 3)


def test_a_replicated_state_is_not_reduced():
    seen = eqm.MetricDict(mean=eqm.Average()).update(values=jnp.ones(4))
    with pytest.raises(TypeError, match="update_across"):
        over(lambda m: m.all_reduce("devices"), mesh_of(), (P(),))(seen)
    twice = lambda m, x: m.update(values=x).all_reduce("devices").all_reduce("devices")
    with pytest.raises(TypeError, match="count its data 8 times"):
        over(twice, mesh_of(), (P(), P("devices")))(seen.reset(), jnp.ones(8))


class Longest(eqm.Metric):
    """The longest row, with the place of its maximum: merged by a merge of its own."""

    length: Float[Array, ""] = eqm.state()
    row: Float[Array, "3"] = eqm.state()

    def __init__(self):
        self.length, self.row = jnp.zeros(()), jnp.zeros(3)

    def update(self, values: Float[Array, "rows 3"]) -> Self:
        lengths = jnp.sum(values**2, -1)
        best = jnp.argmax(lengths)
        return self.merge(self.reset().replace(length=lengths[best], row=values[best]))

    def merge(self, other: Self) -> Self:
        longer = other.length > self.length
        return self.replace(
            length=jnp.where(longer, other.length, self.length),
            row=jnp.where(longer, other.row, self.row),
        )

    def compute(self) -> Float[Array, "3"]:
        return self.row


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_a_merge_of_its_own_reduces_in_log_depth(n):
    x = np.random.default_rng(n).normal(size=(2 * n, 3)).astype(np.float32)
    f = lambda m, x: m.update_across("devices", x)
    run = over(f, mesh_of((n,)), (P(), P("devices")))
    longest = x[np.argmax((x**2).sum(-1))]
    np.testing.assert_array_equal(run(Longest(), x).compute(), longest)
    stacked = jax.vmap(lambda x: Longest().update(x))(x.reshape(n, 2, 3))
    np.testing.assert_array_equal(stacked.reduce().compute(), longest)
    text = run.lower(Longest(), x).as_text()
    steps = int(np.ceil(np.log2(n)))
    # one permutation of each of the two arrays a step, and no gathering
    assert text.count("collective_permute") == 2 * steps and "all_gather" not in text


def collectives(compiled):
    """The kind and the shape, or shapes, of each: `("all-reduce", "f32[3]")`."""
    text = compiled.as_text() or ""
    kind = r"(all-\w+|collective-permute|reduce-scatter)(?:-start)?\("
    found = re.findall(rf"= (\S.*) {kind}", text)
    return [(name, re.sub(r"\{.*?\}", "", shape)) for shape, name in found]


KINDS = (eqm.Average, eqm.Std, eqm.Sum, eqm.Count, eqm.Max, eqm.Min, eqm.Variance)


@pytest.mark.parametrize("count", [1, 5, 20])
def test_a_collection_reduces_in_one_maximum_and_one_sum(count):
    members = {f"m{i}": KINDS[i % len(KINDS)]() for i in range(count)}
    batch = {"values": np.ones(16, np.float32)}
    f = over(lambda m, b: m.update(**b).all_reduce("devices"), mesh_of(), (P(), P("devices")))
    sent = collectives(f.lower(eqm.MetricDict(members), batch).compile())
    # each of one array: on the CPU the arrays of one collective go one after another
    assert [kind for kind, _ in sent] == ["all-reduce"] * 2
    assert all(re.fullmatch(r"s32\[\d*\]", shape) for _, shape in sent)


def test_large_arrays_and_other_dtypes_go_beside_the_small():
    x = np.random.default_rng(0).integers(-9, 9, (8, 20, 1000)).astype(np.float32)
    m = {"large": eqm.Sum((20, 1000)), "small": eqm.Average((3,)), "mean": ColumnMean(5)}

    def f(m, x):
        batch = {"large": x, "small": x[0, :, :3], "mean": x[0, :, :5]}
        return eqm.all_reduce({k: m[k].update(v) for k, v in batch.items()}, "devices")

    done = over(f, mesh_of(), (P(), P(AXES))).lower(m, x).compile()
    got = eqm.compute(done(m, x))
    np.testing.assert_array_equal(got["large"], x.sum(0))
    np.testing.assert_allclose(got["small"], x[:, :, :3].mean((0, 1)), rtol=1e-7)
    np.testing.assert_allclose(got["mean"], x[:, :, :5].mean((0, 1)), rtol=1e-7)
    shapes = [shape for _, shape in collectives(done) if "s32[20000]" in shape]
    assert len(shapes) == 2 and "s32[6]" in shapes[0] and "s32[13]" in shapes[1]


@pytest.mark.parametrize("n, rows", [(8, 32), (8, 10664), (7, 7000), (6, 6144)])
def test_sharded_jit_sends_sums_and_no_rows(n, rows):
    # XLA partitions what doesn't move rows between devices; else it gathers all of them.
    x = jax.ShapeDtypeStruct((rows,), np.float32, sharding=NamedSharding(mesh_of((n,)), P(AXES)))
    sent = collectives(jax.jit(update).lower(eqm.Sum(), {"values": x}).compile())
    assert sent == [("all-gather", f"f32[{n}]")] * 2


def test_compute_sends_nothing():
    text = str(jax.make_jaxpr(lambda m: m.compute())(metrics()))
    assert not re.search("psum|pmax|pmin|all_gather|ppermute", text)
