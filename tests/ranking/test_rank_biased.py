"""`RankBiasedPrecision` beside the mean over all orders."""

import functools as ft

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm
from eqmetrics import ranking

from ..oracle import agree, few, fold, spread
from . import queries as q


TIES = "expected", "worst", "first"
ALL = eqm.MetricDict(
    {t: ranking.RankBiasedPrecision(0.8, ties=t) for t in TIES}
    | {e: ranking.RankBiasedPrecision(0.5, empty=e) for e in ("skip", "zero", "one")}
)


@pytest.mark.parametrize("way", [fold, spread])
def test_all_orders_agree(way):
    @few
    @given(batch=q.queries())
    def check(batch):
        batch["relevance"] = batch["relevance"] / 4
        got = way(ALL, batch).compute()
        definition = ft.partial(q.biased, p=0.8)
        for t in TIES:
            agree(got[t]["precision"], q.mean_of(definition, batch, ties=t), 2e-6, 1e-6)
        for e in ("skip", "zero", "one"):
            want = q.mean_of(ft.partial(q.biased, p=0.5), batch, empty=e)
            agree(got[e]["precision"], want, 2e-6, 1e-6)
        for e in ("skip", "zero"):
            want = q.mean_of(ft.partial(q.residual, p=0.5), batch, empty=e)
            agree(got[e]["residual"], want, 2e-6, 1e-6)

    check()


@pytest.mark.parametrize("p", [0.5, 0.8, 0.95, 0.999])
def test_long_lists(p):
    rng = np.random.default_rng(0)
    scores = np.stack([rng.permutation(1200) for _ in range(5)]).astype(np.float32)
    relevance = rng.random(scores.shape).astype(np.float32)
    got = ranking.RankBiasedPrecision(p).per_row(scores=scores, relevance=relevance)
    ranked = np.take_along_axis(relevance, np.argsort(-scores, axis=1), axis=1).astype(np.float64)
    agree(got["precision"], [q.biased(x, 0, p) for x in ranked], 1e-6)
    agree(got["residual"], [p**1200] * 5, 1e-3, 1e-9)


def test_by_hand():
    batch = {"scores": jnp.array([[3.0, 2.0, 1.0]]), "relevance": jnp.array([[0, 1, 1]])}
    assert ranking.RankBiasedPrecision(0.5)(**batch) == {"precision": 0.375, "residual": 0.125}
    tied = {"scores": jnp.array([[1.0, 1.0]]), "relevance": jnp.array([[1, 0]])}
    assert ranking.RankBiasedPrecision(0.5)(**tied)["precision"] == 0.375
    assert ranking.RankBiasedPrecision(0.5, ties="worst")(**tied)["precision"] == 0.25


def test_the_relevance_has_the_gradient():
    scores = jnp.array([[3.0, 2.0, 2.0]])
    value = lambda x: ranking.RankBiasedPrecision(0.5)(scores=scores, relevance=x)["precision"]
    agree(jax.grad(value)(jnp.array([[0.5, 1.0, 0.25]])), [[0.5, 0.1875, 0.1875]], 1e-6)


def test_what_is_invalid():
    batch = {"scores": jnp.ones((2, 2)), "relevance": jnp.array([[1, 0], [2, 0]])}
    with pytest.raises(eqm.InvalidDataError, match=r"1 row.*|.*relevance in \[0, 1\]"):
        ranking.RankBiasedPrecision(0.5).update(**batch).check()
    for p in (0.0, 1.0, -0.5):
        with pytest.raises(ValueError, match="between 0 and 1"):
            ranking.RankBiasedPrecision(p)
