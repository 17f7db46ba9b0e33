"""Rankings and texts on eight devices with different numbers of rows, and none: the counts of one
pass bit for bit, and its values to one unit in the last place."""

import functools as ft

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

import eqmetrics as eqm
from eqmetrics._metric.node import walk


SHARDS = 5, 0, 9, 1, 0, 12, 3, 6
ROWS, MOST, LENGTH = sum(SHARDS), max(SHARDS), 7
COUNTS = "weight", "tokens", "edits", "length"
METRICS = eqm.MetricDict(
    ndcg=eqm.ranking.NDCG((3, 10)),
    rank=eqm.ranking.MeanReciprocalRank(),
    precision=eqm.ranking.RetrievalAveragePrecision(),
    perplexity=eqm.text.Perplexity(),
    errors=eqm.text.WordErrorRate(),
)


def drawn(seed):
    rng = np.random.default_rng(seed)
    ids = lambda: rng.integers(-1, 5, (ROWS, LENGTH)).astype(np.int32)
    return {
        "scores": rng.integers(0, 4, (ROWS, 11)).astype(np.float32),  # with ties
        "relevance": rng.choice(np.array([0, 0, 0, 1, 2], np.float32), (ROWS, 11)),
        "logits": 5 * rng.normal(size=(ROWS, LENGTH, 6)).astype(np.float32),
        "labels": rng.integers(0, 6, (ROWS, LENGTH)).astype(np.int32),
        "predicted_tokens": ids(),
        "tokens": ids(),
    }


def sharded(batch):
    """Of shape `(8, MOST, ...)`, with what would be wrong where a device has no row."""
    mask = np.arange(MOST) < np.array(SHARDS)[:, None]
    shards = {"mask": mask}
    for name, x in batch.items():
        wrong = np.nan if x.dtype == np.float32 else 77
        shards[name] = np.full((8, MOST, *x.shape[1:]), wrong, x.dtype)
        shards[name][mask] = x
    return shards


update = jax.jit(lambda m, batch: m.update(**batch))
of_each = jax.jit(lambda m, shards: jax.vmap(lambda b: m.update(**b))(shards))


@ft.cache
def across():
    mesh = jax.make_mesh((8,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))
    see = lambda m, b: m.update_across("d", **jax.tree.map(lambda x: x[0], b))
    return jax.jit(jax.shard_map(see, mesh=mesh, in_specs=(P(), P("d")), out_specs=P()))


def merged(shards):
    states = of_each(METRICS, shards)
    each = [jax.tree.map(lambda x, i=i: x[i], states) for i in (3, 1, 7, 0, 4, 2, 6, 5)]
    return ft.reduce(eqm.merge, each)


WAYS = {
    "shard_map": lambda shards: across()(METRICS, shards),
    "reduce": lambda shards: of_each(METRICS, shards).reduce(),
    "merge": merged,
}


def counts(metrics):
    found = [node for _, node, _ in walk(metrics) if isinstance(node, eqm.Sums)]
    each = [(name, m.pair(name)) for m in found for name, _ in m.shapes if name in COUNTS]
    return [(name, np.asarray(x).tobytes()) for name, x in each]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("way", WAYS)
def test_uneven_and_empty_shards(way, seed):
    batch = drawn(seed)
    whole = update(METRICS, batch)
    got = WAYS[way](sharded(batch))
    assert {*COUNTS} == {name for name, _ in counts(whole)}
    assert counts(got) == counts(whole)
    for x, y in zip(*(jax.tree.leaves(m.compute()) for m in (got, whole)), strict=True):
        assert np.isfinite(y).all()
        np.testing.assert_array_max_ulp(np.asarray(x), np.asarray(y), maxulp=1)
