"""`Collect` beside the functions that it calls."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

import eqmetrics as eqm

from .oracle import batches, few, floats, STEPS, taken


@few
@given(batch=batches(floats(1e6), weighted=False))
def test_kept_rows_are_the_rows(batch):
    metric = eqm.Collect("values")
    parts = [metric.update(**{k: x[i] for k, x in batch.items()}) for i in range(STEPS)]
    want = batch["values"][taken(batch)]
    in_turn = metric
    for i in range(STEPS):
        in_turn = in_turn.update(**{k: x[i] for k, x in batch.items()})
    for whole in (in_turn, metric.merge(parts[0]).merge(parts[1].merge(parts[2]))):
        np.testing.assert_array_equal(whole.compute()["values"], want)


def correlation(x: Any, y: Any) -> float:
    result: Any = spearmanr(x, y)
    return result.statistic


def test_functions_of_all_rows():
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(4, 25)), rng.integers(0, 2, size=(4, 25))
    area = eqm.Collect("labels", "scores", fn=roc_auc_score)
    rank = eqm.Collect("scores", "labels", fn=correlation)
    both = eqm.MetricDict(area=area, rank=rank)
    for x, y in zip(scores, labels, strict=True):
        both = both.update(scores=x, labels=y)
    x, y = scores.astype(np.float32).ravel(), labels.ravel()
    value = both.compute()
    assert value["area"] == roc_auc_score(y, x)
    assert value["rank"] == correlation(x, y)


def test_by_hand():
    m = eqm.Collect("loss", fn=np.median)
    assert m.update(loss=jnp.array([1.0, 2.0, 9.0])).compute() == 2.0
    masked = m.update(loss=jnp.array([1.0, 7.0]), mask=jnp.array([False, True]))
    assert masked.compute() == 7.0
    assert masked.reset().chunks == ()
    assert eqm.Collect("a", "b").update(a=1.0, b=2.0).update(a=3.0, b=4.0).compute()[
        "b"
    ].tolist() == [2.0, 4.0]


def test_built_under_jit_and_merged_outside():
    m = eqm.Collect("loss", fn=np.median)
    step = jax.jit(lambda x: m.update(loss=x))
    assert step(jnp.array([1.0, 2.0])).merge(step(jnp.array([9.0, 8.0]))).compute() == 5.0
    with pytest.raises(TypeError, match="can't be merged.*Return `metric.reset"):
        jax.jit(lambda x: m.update(loss=x).update(loss=x))(jnp.ones(2))
    with pytest.raises(TypeError, match="at least one output"):
        eqm.Collect()
    with pytest.raises(TypeError, match="`Collect.update` needs `b`.*passed were a"):
        eqm.Collect("a", "b").update(a=1.0)
    with pytest.raises(TypeError, match="takes loss, mask, not `maks`"):
        m.update(loss=jnp.ones(2), maks=jnp.ones(2, bool))
    differ = r"leading axes differ: `a` is float32\[3\], `b` is float32\[4\]"
    with pytest.raises(TypeError, match=differ):
        eqm.Collect("a", "b").update(a=jnp.ones(3), b=jnp.ones(4))
    with pytest.raises(TypeError, match=r"`loss` is float32\[2\], `mask` is bool\[3\]"):
        m.update(loss=jnp.ones(2), mask=jnp.ones(3, bool))
