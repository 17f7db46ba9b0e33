"""Ranking and retrieval. One row is one query, with the documents that were scored for it."""

from ._at_k import (
    FallOut as FallOut,
    PrecisionAtK as PrecisionAtK,
    RecallAtK as RecallAtK,
    RPrecision as RPrecision,
)
from ._average_precision import RetrievalAveragePrecision as RetrievalAveragePrecision
from ._first_hit import HitRate as HitRate, MeanReciprocalRank as MeanReciprocalRank
from ._group import group_queries as group_queries
from ._ndcg import DCG as DCG, NDCG as NDCG
from ._similarity import similarity as similarity
