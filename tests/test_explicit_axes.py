"""Every metric on meshes of explicit axes, which `jax.make_mesh` makes: one and two, with and
without the mesh in context, the classes apart too."""

import contextlib
import functools as ft
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec as P

import eqmetrics as eqm
from eqmetrics.testing._subject import Subject

from .groups import in_tens, narrow
from .table import APART, ROWS
from .test_devices import collectives, mesh_of


KINDS = ("one axis", "two axes", "classes apart")


def whole(name):
    """The rows of a row of the table, as many as eight devices share."""
    batches = ROWS[name][1]
    joined = {k: np.concatenate([b[k] for b in batches]) for k in batches[0]}
    narrow = {k: v.astype(np.float32) if v.dtype == np.float64 else v for k, v in joined.items()}
    return {k: v[: len(v) // 8 * 8] for k, v in narrow.items()}


def placed(batch, kind, axes):
    """The batch on a mesh, or `None` if there are no classes, labels or columns to spread."""
    if kind == "one axis":
        mesh, spec = mesh_of((8,), ("a",), axes), P("a")
    elif kind == "two axes":
        mesh, spec = mesh_of((4, 2), ("a", "b"), axes), P(("a", "b"))
    else:
        columns = max(x.shape[1] if x.ndim > 1 else 0 for x in batch.values())
        if columns == 0:
            return None, None
        columns = columns if columns <= 8 else math.gcd(columns, 8)
        mesh, spec = mesh_of((8 // columns, columns), ("a", "b"), axes), P("a", "b")

    def put(x):
        # Of arrays with fewer columns, as of two experts chosen among five, the rows alone.
        apart = x.ndim > 1 and x.shape[1] % mesh.shape.get("b", 1) == 0
        return jax.device_put(x, NamedSharding(mesh, P(*spec[: x.ndim if apart else 1])))

    return mesh, {k: put(x) for k, x in batch.items()}


def all_of(metric, batch):
    new = metric.update(**batch)
    return new.reset().merge(new), new, new.compute(), eqm.bounds(new)


TABLE = [name for name in ROWS if name not in APART]


@pytest.mark.parametrize("name", TABLE)
def test_every_metric_takes_explicit_axes(name):
    metric, batch = ROWS[name][0], whole(name)
    want = jax.eval_shape(all_of, metric, batch)
    for kind in KINDS:
        mesh, there = placed(batch, kind, AxisType.Explicit)
        if mesh is None:
            continue
        for context in (contextlib.nullcontext(), jax.set_mesh(mesh)):
            with context:
                got = jax.jit(all_of).trace(metric, there).out_info
            # A state has the type that it had, and a value is on every device.
            assert jax.tree.structure(got) == jax.tree.structure(want)
            for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
                assert (x.shape, x.dtype) == (y.shape, y.dtype)
                assert x.sharding is None or not any(x.sharding.spec)


def same_values(names, kind, in_context):
    """In one program a mesh, since each has its price. Counts bit for bit, floats to their
    promise."""
    meshes: dict[Mesh, dict] = {}
    for name in names:
        mesh, there = placed(whole(name), kind, AxisType.Explicit)
        if mesh is not None:
            meshes.setdefault(mesh, {})[name] = there
    update = lambda ms, bs: {n: m.update(**bs[n]) for n, m in ms.items()}
    for mesh, batches in meshes.items():
        with jax.set_mesh(mesh) if in_context else contextlib.nullcontext():
            new = jax.jit(update)({n: ROWS[n][0] for n in batches}, batches)
            # Read on the mesh too, and eagerly, as a user does.
            found = {n: m.compute() for n, m in new.items()}
        for n, got in found.items():
            metric, rows = ROWS[n]
            want = metric.update(**whole(n)).compute()
            Subject(metric, rows, 1e-5).near(jax.device_get(got), jax.device_get(want), n)


# What each cause of a failure is seen in: scatters of counts and of values, of rows in cells and
# in a buffer, sorts, cumulative sums, `vmap`, products of matrices.
SEEN = ("F1", "Histogram", "Distinct", "CalibrationBins", "Buffer", "Reservoir", "Bootstrap",
        "Covariance", "MultiOutput", "Pearson", "PerGroup", "Moments", "Accuracy")  # fmt: skip


# One axis without a context is a law of `check_metric`, for every metric.
@pytest.mark.parametrize("kind, in_context", [("two axes", True), ("classes apart", False)])
def test_values_on_explicit_axes(kind, in_context):
    same_values(SEEN, kind, in_context)


@pytest.mark.slow
@pytest.mark.rare
@pytest.mark.parametrize("kind, in_context", [("two axes", True), ("classes apart", True)])
@pytest.mark.parametrize("names", in_tens(TABLE))
def test_every_value_on_explicit_axes(names, kind, in_context):
    narrow(lambda names: same_values(names, kind, in_context), names)


@pytest.mark.parametrize("name", ["Sum", "F1", "AUROC", "Buffer"])
def test_explicit_axes_send_what_automatic_axes_send(name):
    def sent(axes):
        mesh, there = placed(whole(name), "one axis", axes)
        assert mesh is not None
        lowered = jax.jit(lambda m, b: m.update(**b)).lower(ROWS[name][0], there)
        return collectives(lowered.compile())

    assert sent(AxisType.Explicit) == sent(AxisType.Auto) != []


def scores_on(mesh, spec):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(24, 8)).astype(np.float32), np.arange(24) % 8
    batch = {"logits": logits, "labels": labels.astype(np.int32)}
    put = lambda x: jax.device_put(x, NamedSharding(mesh, P(*spec[: x.ndim])))
    return batch, {k: put(x) for k, x in batch.items()}


@pytest.mark.parametrize("in_context", [False, True])
def test_a_state_keeps_its_sharding_over_merges_scans_and_models(in_context):
    mesh = jax.make_mesh((8,), ("d",))
    batch, there = scores_on(mesh, P("d"))
    f1 = eqm.F1(eqm.Multiclass(8))
    want = f1(**batch)
    update = lambda m, b: m.update(**b)
    with jax.set_mesh(mesh) if in_context else contextlib.nullcontext():
        # by classes, as the user placed it
        by_class = jax.tree.map(
            lambda x: jax.device_put(x, NamedSharding(mesh, P(*(None, "d")[: x.ndim]))), f1
        )
        new = jax.jit(update)(by_class, there)
        assert jax.tree.leaves(new)[0].sharding.spec == P(None, "d")
        assert new.compute() == want == eqm.to_host(new)
        # eagerly, with arrays of the host beside those of the mesh
        assert f1.update(**there).compute() == want == new.reset().update(**batch).compute()
        assert new.reset().merge(f1.update(**batch)).compute() == want
        # as a carry that was made inside
        steps = {k: jnp.stack([x, x]) for k, x in there.items()}
        scanned = jax.jit(
            lambda b: jax.lax.scan(lambda m, b: (update(m, b), None), eqm.F1(eqm.Multiclass(8)), b)
        )(steps)[0]
        assert scanned.compute() == want
        # models side by side, and devices side by side
        stacked = jax.jit(jax.vmap(update, in_axes=(None, 0)))(f1, steps)
        assert jax.vmap(lambda m: m.compute())(stacked).tolist() == [want, want]
        apart = {k: x.reshape(8, 3, *x.shape[1:]) for k, x in there.items()}
        across = lambda b: f1.update_across("i", **b)
        mapped = jax.jit(jax.vmap(across, axis_name="i"))(apart)
        assert eqm.unreplicate(mapped).compute() == want
        assert jax.jit(jax.vmap(update, in_axes=(None, 0)))(f1, apart).reduce().compute() == want


def test_one_axis_by_hand_and_the_other_explicit():
    mesh = jax.make_mesh((4, 2), ("a", "b"))
    batch, there = scores_on(mesh, P(("a", "b")))
    f1 = eqm.F1(eqm.Multiclass(8))
    over = jax.shard_map(
        lambda m, b: m.update_across("a", **b),
        mesh=mesh,
        axis_names={"a"},
        in_specs=(P(), P("a")),
        out_specs=P(),
    )
    assert jax.jit(over)(f1, there).compute() == f1(**batch)


def test_the_loop_over_an_explicit_mesh():
    rng = np.random.default_rng(0)
    batch = {"logits": rng.normal(size=61).astype(np.float32), "labels": rng.integers(0, 2, 61)}
    batch |= {"values": rng.normal(size=61).astype(np.float32), "ids": np.arange(61)}
    metrics = eqm.MetricDict(
        f1=eqm.F1(eqm.Binary()),
        auroc=eqm.AUROC(eqm.Binary(), resolution=9),
        error=eqm.CalibrationError(eqm.Binary(), bins=5),
        histogram=eqm.Histogram([-1, 0, 1]),
        draws=eqm.Bootstrap(eqm.Average(), 8, key=jax.random.key(0), ids=True),
    )
    step = lambda m, b, mask: m.update(**b, mask=mask)
    cut = [{k: x[i : i + 24] for k, x in batch.items()} for i in range(0, 61, 24)]
    want = eqm.to_host(eqm.evaluate(step, metrics, cut))
    mesh = jax.make_mesh((4, 2), ("a", "b"))
    found = eqm.to_host(eqm.evaluate(step, metrics, cut, mesh=mesh))
    assert found["f1"] == want["f1"]
    jax.tree.map(np.testing.assert_array_equal, found["histogram"], want["histogram"])
    jax.tree.map(ft.partial(np.testing.assert_allclose, rtol=1e-6), found, want)


def test_rows_of_which_no_number_is_read():
    """`jit` drops an argument that nothing reads, and with it the devices of the program."""
    mesh = mesh_of((8,), ("a",), AxisType.Explicit)
    x = jax.device_put(jnp.ones(16), NamedSharding(mesh, P("a")))
    pair = eqm.MetricDict(mean=eqm.Average(), rows=eqm.Count())
    for wrap in (lambda f: f, jax.jit):
        assert wrap(lambda x: eqm.Count().update(x))(x).compute() == 16
        assert wrap(lambda x: eqm.Count().update(x).compute())(x) == 16
        assert wrap(lambda m, x: m.update(values=x).compute()["rows"])(pair, x) == 16
    slope = jax.jit(jax.grad(lambda x: sum(pair.update(values=x).compute().values())))(x)
    np.testing.assert_array_equal(slope, np.full(16, 1 / 16))
    stacked = jax.jit(jax.vmap(lambda x: eqm.Count().update(x).compute()))(jnp.stack([x, x]))
    assert stacked.tolist() == [16, 16]
