import numpy as np

import eqmetrics as eqm

from ..draws import drawn, labels, of_binary, scores, SIZES


def grades(rng, n):
    return rng.integers(0, 3, (n, 5)).astype(np.int32)


def parts(rng, n):
    return (rng.integers(1, 4, (n, 5)) / 4).astype(np.float32)


def items(rng, n):
    return rng.integers(0, 9, (n, 2)).astype(np.int32)


QUERIES = drawn(SIZES, scores=scores(5), relevance=grades)
RECOMMENDED = drawn(SIZES, recommended=items)
ROWS = {
    "ranking.NDCG": (eqm.ranking.NDCG((2, 4)), QUERIES),
    "ranking.DCG": (eqm.ranking.DCG(), QUERIES),
    "ranking.RetrievalAveragePrecision": (eqm.ranking.RetrievalAveragePrecision(), QUERIES),
    "ranking.MeanReciprocalRank": (eqm.ranking.MeanReciprocalRank(), QUERIES),
    "ranking.HitRate": (eqm.ranking.HitRate((1, 2)), QUERIES),
    "ranking.PrecisionAtK": (eqm.ranking.PrecisionAtK((2, 3)), QUERIES),
    "ranking.RecallAtK": (eqm.ranking.RecallAtK(2), QUERIES),
    "ranking.RPrecision": (eqm.ranking.RPrecision(), QUERIES),
    "ranking.FallOut": (eqm.ranking.FallOut(2), QUERIES),
    "ranking.RetrievalAUROC": (eqm.ranking.RetrievalAUROC(max_fpr=0.5), QUERIES),
    "ranking.RetrievalPrecisionRecallCurve": (
        eqm.ranking.RetrievalPrecisionRecallCurve(4),
        QUERIES,
    ),
    "ranking.RetrievalRecallAtPrecision": (
        eqm.ranking.RetrievalRecallAtPrecision(0.4, 4),
        QUERIES,
    ),
    "ranking.RankBiasedPrecision": (
        eqm.ranking.RankBiasedPrecision(0.8),
        drawn(SIZES, scores=scores(5), relevance=parts),
    ),
    "ranking.FilteredRank": (
        eqm.ranking.FilteredRank((1, 2)),
        drawn(SIZES, scores=scores(5), labels=labels),
    ),
    "ranking.LinkHits": (eqm.ranking.LinkHits((1, 2), exact=24), of_binary()),
    "ranking.CatalogCoverage": (eqm.ranking.CatalogCoverage(9), RECOMMENDED),
    "ranking.Novelty": (eqm.ranking.Novelty([0.5, 0.2, 0.1] * 3), RECOMMENDED),
}
