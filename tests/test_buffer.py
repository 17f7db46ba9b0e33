"""`Buffer` beside the rows themselves, and as the state of a rank correlation."""

import functools as ft

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from jax.sharding import AxisType, PartitionSpec as P
from scipy.stats import spearmanr

import eqmetrics as eqm
from eqmetrics._wrap.buffer import _room

from .oracle import batches, few, floats, fold, ROWS, spread, STEPS, taken


def ordered(values, mask):
    return {"values": jnp.sort(jnp.where(mask, values, jnp.inf)), "rows": jnp.sum(mask)}


read = jax.jit(lambda metric: metric.compute())


@pytest.mark.parametrize("way", [fold, spread])
@pytest.mark.parametrize("capacity", [STEPS * ROWS, 7])
def test_kept_rows_are_the_rows(way, capacity):
    empty = eqm.Buffer(capacity, values=jnp.float32, fn=ordered)

    @few
    @given(batch=batches(floats(1e6), weighted=False))
    def check(batch):
        metric = way(empty, batch)
        want, got = np.sort(batch["values"][taken(batch)]), read(metric)
        if len(want) > capacity:
            assert np.isnan(got["rows"]) and np.isnan(got["values"]).all()
            with pytest.raises(eqm.InvalidDataError, match=f"fit in capacity={len(want)}\n"):
                metric.check()
        else:
            assert got["rows"] == len(want)
            np.testing.assert_array_equal(got["values"][: len(want)], want)
            metric.check()

    check()


def test_a_correlation_of_ranks():
    def spearman(x, y, mask):
        below = [jnp.sum(mask[None] & (v[None] < v[:, None]), 1, dtype=jnp.float32) for v in (x, y)]
        rx, ry = (jnp.where(mask, r - jnp.mean(r, where=mask), 0) for r in below)
        return jnp.sum(rx * ry) / jnp.sqrt(jnp.sum(rx**2) * jnp.sum(ry**2))

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 4, 25)).astype(np.float32)
    metric = eqm.Buffer(150, x=jnp.float32, y=jnp.float32, fn=spearman)
    for a, b in zip(x, x + y, strict=True):
        metric = metric.update(x=a, y=b)
    want = spearmanr(x.ravel(), (x + y).ravel()).statistic  # pyright: ignore[reportAttributeAccessIssue]
    np.testing.assert_allclose(metric.compute(), want, rtol=1e-6)


def test_by_hand():
    row = jax.ShapeDtypeStruct((2,), jnp.bfloat16)
    metric = eqm.Buffer(5, logits=row, labels=jnp.int8)
    metric = metric.update(
        logits=jnp.array([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]),
        labels=jnp.array([[1, 0], [2, 3]]),
        mask=jnp.array([[True, False], [False, True]]),
    )
    metric = metric.update(logits=jnp.array([9.0, 9.0]), labels=4)  # a scalar is one row
    columns, mask = metric.rows()
    assert columns["labels"].dtype == jnp.int8 and columns["logits"].dtype == jnp.bfloat16
    assert columns["labels"].tolist() == [1, 3, 4, 0, 0] and mask.tolist() == [1, 1, 1, 0, 0]
    values = metric.compute()
    assert values["logits"][:3].tolist() == [[1, 2], [7, 8], [9, 9]]
    assert jnp.isnan(values["logits"][3:]).all() and jnp.isnan(values["labels"][3:]).all()
    both = metric.merge(metric.reset().update(logits=jnp.ones((2, 2)), labels=jnp.array([5, 6])))
    assert both.rows()[0]["labels"].tolist() == [1, 3, 4, 5, 6]
    with pytest.raises(eqm.InvalidDataError, match=r"\(Buffer\): 3 row\(s\) too many.*capacity=8"):
        eqm.to_host(eqm.MetricDict(b=both.merge(metric)))
    assert metric.reset().rows()[1].sum() == 0


def mapped(*axes):
    """`all_reduce` over meshes of 8 devices, of states with a leading axis."""
    mesh = jax.make_mesh(
        tuple(axes), ("a", "b")[: len(axes)], axis_types=(AxisType.Auto,) * len(axes)
    )
    reduced = lambda m: jax.tree.map(lambda x: x[0], m).all_reduce(mesh.axis_names)
    spec = P(mesh.axis_names)
    return jax.jit(jax.shard_map(reduced, mesh=mesh, in_specs=spec, out_specs=P()))


KEPT = {
    "x": jnp.float32,
    "row": jax.ShapeDtypeStruct((2,), jnp.bfloat16),
    "small": jnp.int8,
    "large": jnp.uint32,
    "flag": jnp.bool_,
}


@pytest.mark.parametrize("capacity", [50, 7])
def test_devices_join_their_rows_in_order_with_the_same_bits(capacity):
    metric = eqm.Buffer(capacity, **KEPT)
    seen = jax.jit(jax.vmap(lambda b: metric.update(**b)))
    copies = jax.pmap(lambda m: m.all_reduce("i"), axis_name="i")
    last = lambda m: jax.tree.map(lambda x: x[-1], jax.device_get(copies(m)))
    ways = jax.jit(lambda m: m.reduce()), mapped(8), mapped(4, 2), last
    rng = np.random.default_rng(0)
    for few_rows in (0, 0.3, 1):
        batch = {
            "x": rng.choice(np.array([1.5, -0.0, np.nan, -np.inf], np.float32), (8, 6)),
            "row": rng.normal(size=(8, 6, 2)),
            "small": rng.integers(-140, 140, (8, 6)),  # some don't fit
            "large": rng.integers(0, 2**32, (8, 6), dtype=np.uint32),
            "flag": rng.random((8, 6)) < 0.5,
            "mask": rng.random((8, 6)) < few_rows * rng.random((8, 1)),
        }
        parts = seen(batch)
        one_by_one = [jax.tree.map(lambda x, i=i: x[i], parts) for i in range(8)]
        want = ft.reduce(lambda a, b: a.merge(b), one_by_one)
        for way in ways:
            for x, y in zip(*map(jax.tree.leaves, jax.device_get((way(parts), want))), strict=True):
                assert x.dtype == y.dtype and x.tobytes() == y.tobytes()
    assert (want.lost[0] > 0) == (capacity == 7) and want.invalid[0] > 0 and want.count >= 7


def test_more_rows_on_all_devices_than_an_integer_counts():
    assert _room(jnp.full(8192, 2**30 - 1, jnp.int32), 2**30 - 1) == 2**30 - 1
    one = eqm.Buffer(2, x=jnp.int32).update(x=jnp.arange(3))
    many = one.replace(lost=jnp.array([2.0**40, 5.0], jnp.float32))
    both = jax.tree.map(lambda *x: jnp.stack(x), one, many, many).reduce()
    assert both.needed == 2 * (2**40 + 5) + 1 + 6


def test_the_gradient_goes_to_the_row_that_it_is_of():
    def total(x):
        kept = eqm.Buffer(10, x=jnp.float32, fn=lambda x, mask: jnp.sum(jnp.where(mask, x**2, 0)))
        return jax.vmap(lambda v: kept.update(x=v))(x).reduce().compute()

    x = jnp.arange(10.0).reshape(5, 2)
    np.testing.assert_array_equal(jax.grad(total)(x), 2 * x)


def test_blocks_that_do_not_fit():
    metric = eqm.Buffer(4, x=jnp.int32)
    for rows in (3, 3, 9):
        metric = metric.update(x=jnp.arange(rows))
    assert metric.needed == 15 and metric.count == 4
    assert jnp.isnan(metric.compute()["x"]).all()


def test_integers_that_do_not_fit_are_invalid():
    metric = eqm.Buffer(4, labels=jnp.int8, group=jnp.int32)
    good = metric.update(labels=jnp.array([1, 127]), group=jnp.array([7, 8]))
    good.check()
    bad = metric.update(
        labels=jnp.array([1, 128, 300]),
        group=jnp.array([7, 8, 9]),
        mask=jnp.array([True, True, False]),
    )
    assert bad.rows()[0]["group"].tolist() == [7, 0, 0, 0]
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*integers that fit"):
        bad.check()


def test_what_is_refused():
    metric = eqm.Buffer(4, x=jnp.float32, y=jnp.int32)
    with pytest.raises(TypeError, match=r"`x` has them on the axes \(2,\), and `y`, .*\(3,\)"):
        metric.update(x=jnp.ones(2), y=jnp.ones(3, jnp.int32))
    with pytest.raises(TypeError, match=r"keeps `y` as int32, and it is float32\[2\]"):
        metric.update(x=jnp.ones(2), y=jnp.ones(2))
    with pytest.raises(TypeError, match="takes x, y, mask, not `z`"):
        metric.update(x=jnp.ones(2), y=jnp.ones(2, jnp.int32), z=1)
    with pytest.raises(TypeError, match=r"`mask` is bool\[3\]"):
        metric.update(x=jnp.ones(2), y=jnp.ones(2, jnp.int32), mask=jnp.ones(3, bool))
    with pytest.raises(ValueError, match="Cannot merge two `Buffer` of different config"):
        metric.merge(eqm.Buffer(5, x=jnp.float32, y=jnp.int32))
    with pytest.raises(ValueError, match="capacity=0"):
        eqm.Buffer(0, x=jnp.float32)
    with pytest.raises(TypeError, match="at least one output"):
        eqm.Buffer(3)
    for wrong in ("float", None, float, jnp.complex64, object):
        with pytest.raises(TypeError, match="expected a real dtype of at most 32 bits"):
            eqm.Buffer(3, x=wrong)
    with pytest.raises(TypeError, match="`mask` is taken without one"):
        eqm.Buffer(3, mask=jnp.bool_)
