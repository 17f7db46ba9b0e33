"""Ranking and retrieval. One row is one query, with the documents that were scored for it."""

from ._at_k import (
    FallOut as FallOut,
    PrecisionAtK as PrecisionAtK,
    RecallAtK as RecallAtK,
    RPrecision as RPrecision,
)
from ._auroc import RetrievalAUROC as RetrievalAUROC
from ._average_precision import RetrievalAveragePrecision as RetrievalAveragePrecision
from ._catalog_coverage import CatalogCoverage as CatalogCoverage
from ._filtered_rank import FilteredRank as FilteredRank
from ._first_hit import HitRate as HitRate, MeanReciprocalRank as MeanReciprocalRank
from ._group import group_queries as group_queries
from ._link_hits import LinkHits as LinkHits
from ._ndcg import DCG as DCG, NDCG as NDCG
from ._novelty import Novelty as Novelty
from ._precision_recall_curve import (
    RetrievalPrecisionRecallCurve as RetrievalPrecisionRecallCurve,
)
from ._rank_biased import RankBiasedPrecision as RankBiasedPrecision
from ._recall_at_precision import RetrievalRecallAtPrecision as RetrievalRecallAtPrecision
from ._similarity import similarity as similarity
