"""`Throughput` beside its formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from .oracle import agree, fold, many, moved, pairs, spread, taken


@many
@given(batch=pairs(0, weighted=False))
def test_items_over_seconds(batch):
    keep = taken(batch)
    batch = moved(batch)
    batch = {"items": batch["predictions"], "seconds": batch["targets"], "mask": batch["mask"]}
    items = np.where(keep, batch["items"], 0).astype(np.float64).sum()
    seconds = np.where(keep, batch["seconds"], 0).astype(np.float64).max(axis=1)
    # Over time the seconds add, over devices the longest counts.
    for way, total in ((fold, seconds.sum()), (spread, seconds.max())):
        agree(way(eqm.Throughput(), batch).compute(), items / total if total else np.nan)


def test_by_hand():
    one = eqm.Throughput().update(items=256, seconds=0.5)
    two = one.update(items=256, seconds=1.5)
    assert two.compute() == 256.0 and one.compute() == 512.0
    at_once = jax.tree.map(lambda *x: jnp.stack(x), one, two).reduce()
    assert at_once.compute() == 384.0
    three = one.update(items=jnp.array([1, 1]), seconds=jnp.array([1.0, 0.5]))
    assert three.compute() == 258 / 1.5


def test_a_long_run_keeps_its_digits():
    steps = 2**18
    seconds = np.full(steps, 1e-3, np.float32)
    run = {"items": np.full(steps, 7, np.int32), "seconds": seconds}
    got = fold(eqm.Throughput(), run).compute()
    agree(got, 7 / np.float64(seconds[0]), rtol=1e-6)


def test_undefined_and_invalid():
    assert jnp.isnan(eqm.Throughput().compute())
    assert eqm.Throughput(undefined=0.0).compute() == 0.0
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*seconds >= 0"):
        eqm.Throughput().update(items=1, seconds=-1.0).check()
    with pytest.raises(TypeError, match="`items` is .* and `seconds` is .*same shape"):
        eqm.Throughput().update(items=jnp.ones(2), seconds=1.0)
