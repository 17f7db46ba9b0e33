"""Every metric on meshes of explicit axes, which `jax.make_mesh` makes: one and two, with and
without the mesh in context, the classes apart too."""

import contextlib

import jax
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

import eqmetrics as eqm
from eqmetrics.testing._subject import Subject

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
        mesh, spec = mesh_of((8 // columns, columns), ("a", "b"), axes), P("a", "b")
    put = lambda x: jax.device_put(x, NamedSharding(mesh, P(*spec[: x.ndim])))
    return mesh, {k: put(x) for k, x in batch.items()}


def all_of(metric, batch):
    new = metric.update(**batch)
    return new.merge(metric), new, new.reset().update(**batch), new.compute(), eqm.bounds(new)


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
    """In one program, since each has its price. Counts bit for bit, floats to their promise."""
    rows = {n: (ROWS[n][0], placed(whole(n), kind, AxisType.Explicit)) for n in names}
    rows = {n: (m, mesh, there) for n, (m, (mesh, there)) in rows.items() if mesh is not None}
    metrics = {n: m for n, (m, _, _) in rows.items()}
    update = lambda ms, bs: {n: m.update(**bs[n]) for n, m in ms.items()}
    for shape in {mesh.axis_sizes: None for _, mesh, _ in rows.values()}:
        here = {n: x for n, x in rows.items() if x[1].axis_sizes == shape}
        ms, batches = {n: metrics[n] for n in here}, {n: there for n, (_, _, there) in here.items()}
        context = contextlib.nullcontext()
        if in_context:
            context = jax.set_mesh(next(iter(here.values()))[1])
        with context:
            new = jax.jit(update)(ms, batches)
            # Read on the mesh too, and eagerly, as a user does.
            found = {n: m.compute() for n, m in new.items()}
        for n, m in ms.items():
            subject = Subject(m, ROWS[n][1], 1e-5)
            want = m.update(**whole(n)).compute()
            subject.near(jax.device_get(found[n]), jax.device_get(want), n)


# What each cause of a failure is seen in: scatters of counts and of values, of rows in cells and
# in a buffer, sorts, cumulative sums, `vmap`, products of matrices.
SEEN = ("F1", "Histogram", "Distinct", "CalibrationBins", "Buffer", "Reservoir", "Bootstrap",
        "Covariance", "MultiOutput", "Pearson", "PerGroup", "Moments", "Accuracy")  # fmt: skip


@pytest.mark.parametrize(
    "kind, in_context", [("one axis", False), ("two axes", True), ("classes apart", False)]
)
def test_values_on_explicit_axes(kind, in_context):
    same_values(SEEN, kind, in_context)


@pytest.mark.slow
@pytest.mark.parametrize("kind, in_context", [("two axes", True), ("classes apart", True)])
@pytest.mark.parametrize("name", TABLE)
def test_every_value_on_explicit_axes(name, kind, in_context):
    same_values([name], kind, in_context)


@pytest.mark.parametrize("name", ["Sum", "F1", "AUROC", "Buffer"])
def test_explicit_axes_send_what_automatic_axes_send(name):
    def sent(axes):
        mesh, there = placed(whole(name), "one axis", axes)
        assert mesh is not None
        lowered = jax.jit(lambda m, b: m.update(**b)).lower(ROWS[name][0], there)
        return collectives(lowered.compile())

    assert sent(AxisType.Explicit) == sent(AxisType.Auto) != []
