import numpy as np

import eqmetrics as eqm

from ..draws import drawn, scores, SIZES


def grades(rng, n):
    return rng.integers(0, 3, (n, 5)).astype(np.int32)


QUERIES = drawn(SIZES, scores=scores(5), relevance=grades)
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
}
