"""`Novelty` beside NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm
from eqmetrics import ranking

from ..oracle import agree, few, fold, spread
from .test_catalog_coverage import ITEMS, lists


SHARES = np.random.default_rng(0).random(ITEMS) * 0.999 + 0.001
ALL = eqm.MetricDict({e: ranking.Novelty(SHARES, empty=e) for e in ("skip", "zero", "one")})


def novelty(batch, empty):
    total = weight = 0.0
    for i in np.ndindex(batch["weights"].shape):
        items, w = batch["recommended"][i][batch["mask"][i]], float(batch["weights"][i])
        if w > 0 and (len(items) or empty != "skip"):
            mean = np.mean(-np.log2(SHARES[items])) if len(items) else float(empty == "one")
            total, weight = total + w * mean, weight + w
    return total / weight if weight else np.nan


@pytest.mark.parametrize("way", [fold, spread])
def test_numpy_agrees(way):
    @few
    @given(batch=lists())
    def check(batch):
        got = way(ALL, batch).compute()
        for empty, x in got.items():
            agree(x, novelty(batch, empty), 1e-6)

    check()


def test_by_hand():
    metric = ranking.Novelty(jnp.array([0.5, 0.25, 0.125, 1.0, 0.0]))
    assert metric(recommended=jnp.array([[0, 1], [2, 2]])) == 2.25
    got = metric.per_row(recommended=jnp.array([[0, 1], [2, 2], [3, 3], [3, 4]]))
    assert got.tolist() == [1.5, 3, 0, np.inf]


def test_what_is_invalid():
    new = ranking.Novelty(SHARES).update(recommended=jnp.array([[0, ITEMS], [0, 1]]))
    with pytest.raises(eqm.InvalidDataError, match=r"1 row.*|.*items in \[0, 9\)"):
        new.check()
    for shares in ([], [[0.5]], [0.5, 1.5], [-0.1], [np.nan], 0.5):
        with pytest.raises(ValueError, match="counts / users"):
            ranking.Novelty(shares)
