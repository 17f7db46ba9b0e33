"""`ConfusionCounts` beside counting, where the number of cells chooses the algorithm."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from sklearn.metrics import confusion_matrix

import eqmetrics as eqm

from .oracle import few, fold, masks, ROWS, STEPS, weights


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("classes", [3, 40])  # of 9 and of 1600 cells, for 8 rows
def test_is_scikit_learns(classes, weighted):
    elements = st.integers(0, classes - 1)

    @few
    @given(
        y=arrays(np.int32, (STEPS, ROWS), elements=elements),
        p=arrays(np.int32, (STEPS, ROWS), elements=elements),
        mask=masks(),
        w=arrays(np.float32, (STEPS, ROWS), elements=weights),
    )
    def check(y, p, mask, w):
        batch = {"labels": y, "predicted_labels": p, "mask": mask}
        if weighted:
            batch["weights"] = w
        got = eqm.to_host(fold(eqm.ConfusionCounts(eqm.Multiclass(classes)), batch))
        w = np.where(mask, w if weighted else 1, 0).ravel().astype(np.float64)
        want = np.zeros((classes, classes))
        if w.any():
            want = confusion_matrix(
                y.ravel(), p.ravel(), sample_weight=w, labels=range(classes)
            )
        np.testing.assert_allclose(got, want, rtol=1e-7 if weighted else 0)

    check()


@pytest.mark.parametrize("rows", [0, 1, 100, 5000])
@pytest.mark.parametrize("classes", [1, 10, 300])
def test_any_number_of_rows(rows, classes):
    rng = np.random.default_rng(rows)
    y, p = rng.integers(0, classes, (2, rows))
    w = rng.gamma(1.0, size=rows).astype(np.float32)
    want = np.zeros((classes, classes))
    np.add.at(want, (y, p), 1)
    empty = eqm.ConfusionCounts(eqm.Multiclass(classes))
    np.testing.assert_array_equal(empty(predicted_labels=p, labels=y), want)
    want[:] = 0
    np.add.at(want, (y, p), w.astype(np.float64))
    got = eqm.to_host(empty.update(predicted_labels=p, labels=y, weights=w))
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_counts_stay_exact_where_they_leave_float32():
    """One row a time into a cell that holds 2^24 and more: float32 alone would stand still."""
    one = dict(predicted_labels=jnp.array([1]), labels=jnp.array([0]))
    start = eqm.ConfusionCounts(eqm.Multiclass(40)).update(**one)
    for _ in range(32):
        start = start.merge(start)
    step = lambda m, _: (m.update(**one), None)
    end = jax.jit(lambda m: jax.lax.scan(step, m, length=1000)[0])(start)
    assert eqm.to_host(end)[0, 1] == 2**32 + 1000


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
@pytest.mark.parametrize(
    "classes, spec", [(5, P("a")), (30, P("a", "b")), (30, P(None, "b"))]
)
def test_sequences_over_a_mesh(kind, classes, spec):
    """Rows of tokens, spread over batch, over time, or over both."""
    rng = np.random.default_rng(0)
    task = eqm.Multiclass(classes)
    metrics = eqm.MetricDict(
        accuracy=eqm.Accuracy(task),
        f1=eqm.F1(task).from_output(weights=None),
        matrix=eqm.ConfusionMatrix(task),
        rows=eqm.Count().from_output("labels", weights=None),
    )
    batch = {
        "logits": rng.normal(size=(8, 6, classes)).astype(np.float32),
        "labels": rng.integers(0, classes, (8, 6)).astype(np.int32),
        "mask": rng.random((8, 6)) < 0.8,
        "weights": rng.integers(1, 4, (8, 6)).astype(np.float32),
    }
    update = jax.jit(lambda m, b: m.update(**b))
    want = jax.tree.leaves(update(metrics, batch).compute())
    mesh = jax.make_mesh((4, 2), ("a", "b"), axis_types=(kind, kind))
    with jax.set_mesh(mesh):
        placed = jax.device_put(batch, NamedSharding(mesh, spec))
        got = jax.tree.leaves(update(metrics, placed).compute())
    for x, y in zip(got, want, strict=True):
        np.testing.assert_array_equal(np.asarray(x), np.asarray(y))
