"""`ranking.RetrievalRecallAtPrecision` beside the points of the curve."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm
from eqmetrics import ranking

from ..oracle import agree, few, fold, spread
from . import queries as q


LEAST, CUTS = (0.3, 0.5, 0.9), range(1, 4)
ALL = eqm.MetricDict({str(x): ranking.RetrievalRecallAtPrecision(x, 3) for x in LEAST})


@pytest.mark.parametrize("way", [fold, spread])
def test_points_agree(way):
    @few
    @given(batch=q.queries())
    def check(batch):
        got = way(ALL, batch).compute()
        precision = np.array(q.values(q.precision_of_curve, batch, CUTS))
        recall = np.array(q.values(q.recall, batch, CUTS))
        for least in LEAST:
            value = got[str(least)]
            if not np.any(precision >= least - 1e-6):
                assert np.isnan(value["recall"]) and np.isnan(value["k"])
                continue
            best = np.max(recall[precision >= least - 1e-6])
            agree(value["recall"], best, 2e-6)
            # The least `k`, but for rounding: another of as high a recall.
            assert precision[int(value["k"]) - 1] >= least - 1e-6
            agree(recall[int(value["k"]) - 1], best, 2e-6)

    check()


def test_by_hand():
    batch = {"scores": jnp.array([[4.0, 3.0, 2.0, 1.0]]), "relevance": jnp.array([[1, 0, 1, 0]])}
    at = lambda least, **how: ranking.RetrievalRecallAtPrecision(least, 4, **how)(**batch)
    assert at(0.5) == {"recall": 1.0, "k": 3.0}
    assert at(1.0) == {"recall": 0.5, "k": 1.0}
    wrong = {"scores": batch["scores"], "relevance": jnp.array([[0, 1, 0, 0]])}
    assert np.isnan(ranking.RetrievalRecallAtPrecision(0.9, 4)(**wrong)["k"])
    none = ranking.RetrievalRecallAtPrecision(0.9, 4, undefined=0.0).compute()
    assert none == {"recall": 0.0, "k": 0.0}


def test_a_precision_that_is_reached_but_for_rounding():
    # Of 10 documents 7 and 9 are relevant: as floats, 0.7 and 0.9 are less than twice 0.8.
    scores = jnp.tile(jnp.arange(10, 0, -1, dtype=jnp.float32)[None], (2, 1))
    relevance = jnp.array([[0] * 3 + [1] * 7, [0] + [1] * 9])
    got = ranking.RetrievalRecallAtPrecision(0.8, 10)(scores=scores, relevance=relevance)
    assert got == {"recall": 1.0, "k": 10.0}


def test_it_shares_the_curve():
    both = eqm.MetricDict(
        curve=ranking.RetrievalPrecisionRecallCurve(3),
        recall=ranking.RetrievalRecallAtPrecision(0.5, 3),
    )
    assert len(both.states) == 1
    with pytest.raises(ValueError, match="expected above 0 and at most 1"):
        ranking.RetrievalRecallAtPrecision(0.0, 3)
