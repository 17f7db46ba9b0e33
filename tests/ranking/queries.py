"""Queries with tied documents, and what scores of theirs are: in float64, over all orders."""

import functools as ft
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ..oracle import masks, ROWS, STEPS, weights


DOCUMENTS = 5
CUTS = 1, 3, 7
SCORES = st.sampled_from([-np.inf, -2.0, -1.0, -0.0, 0.0, 1.0, np.inf])
GRADES = st.sampled_from([0.0, 0.0, 0.0, 1.0, 1.0, 0.5, 3.0])


@st.composite
def queries(draw, documents: int = DOCUMENTS) -> dict[str, np.ndarray]:
    """Stacked batches of ragged lists, NaN where there is no document."""
    rows, shape = (STEPS, ROWS), (STEPS, ROWS, documents)
    batch = {
        "scores": draw(arrays(np.float32, shape, elements=SCORES)),
        "relevance": draw(arrays(np.float32, shape, elements=GRADES)),
        "weights": draw(arrays(np.float32, rows, elements=weights)),
        "mask": draw(masks())[..., None] & draw(arrays(np.bool_, shape, fill=st.just(True))),
    }
    keep = batch["mask"] & (batch["weights"] > 0)[..., None]
    for name in ("scores", "relevance"):
        batch[name] = np.where(keep, batch[name], np.float32(np.nan))
    return batch


def orders(scores: np.ndarray, relevance: np.ndarray, ties: str) -> Iterator[np.ndarray]:
    """All orders of the documents, by their scores."""
    index = np.arange(len(scores))
    if ties == "first":
        yield np.lexsort([index, -scores])
    elif ties == "worst":
        yield np.lexsort([relevance, -scores])
    else:
        each = [index[scores == s] for s in np.unique(scores)[::-1]]
        for parts in itertools.product(*map(itertools.permutations, each)):
            yield np.array([x for part in parts for x in part], int)


Definition = Callable[[np.ndarray, int], float]  # of the relevance in order, and `k`


def of_query(
    definition: Definition, scores: np.ndarray, relevance: np.ndarray, k: int, ties: str
) -> float:
    """The mean over all orders; NaN where it isn't defined."""
    # One of -0.0 and 0.0, and infinities that don't make NaN of differences.
    scores = np.clip(scores.astype(np.float64) + 0, -1e30, 1e30)
    grades = relevance.astype(np.float64)
    ranked = (grades[order] for order in orders(scores, relevance, ties))
    return math.fsum(each := [definition(x, k) for x in ranked]) / len(each)


EMPTY = {"skip": math.nan, "zero": 0.0, "one": 1.0}


def mean_of(
    definition: Definition,
    batch: dict[str, np.ndarray],
    k: int = 10**6,
    ties: str = "expected",
    empty: str = "skip",
) -> float:
    """Over the queries, with their weights."""
    mask = batch["mask"]
    rows = mask.ndim == batch["scores"].ndim
    own = np.broadcast_to(mask if rows else mask[..., None], batch["scores"].shape)
    weights = batch.get("weights", np.ones(own.shape[:-1]))
    total = weight = 0.0
    for place in np.ndindex(own.shape[:-1]):
        if weights[place] == 0 or (not rows and not mask[place]):
            continue
        keep = own[place]
        scores, relevance = (batch[name][place][keep] for name in ("scores", "relevance"))
        x = of_query(definition, scores, relevance, k, ties)
        x = EMPTY[empty] if math.isnan(x) else x
        if not math.isnan(x):
            total, weight = total + x * float(weights[place]), weight + float(weights[place])
    return total / weight if weight else math.nan


def values(
    definition: Definition, batch: dict[str, np.ndarray], cuts: Any = CUTS, **how: str
) -> list[float]:
    return [mean_of(definition, batch, k, **how) for k in cuts]


# ---- of the relevance in order


def _unless(defined: bool, value: float) -> float:
    return value if defined else math.nan


def dcg(x: np.ndarray, k: int, gain: str = "linear") -> float:
    gains = x if gain == "linear" else 2**x - 1
    top = gains[:k]
    return _unless(len(x) > 0, float(np.sum(top / np.log2(np.arange(len(top)) + 2))))


def ndcg(x: np.ndarray, k: int, gain: str = "linear") -> float:
    best = dcg(np.sort(x)[::-1], k, gain)
    return dcg(x, k, gain) / best if best > 0 else math.nan


def precision(x: np.ndarray, k: int) -> float:
    return _unless(len(x) > 0, np.sum(x[:k] > 0) / k)


def precision_of_documents(x: np.ndarray, k: int) -> float:
    return float(np.mean(x[:k] > 0)) if len(x) else math.nan


def recall(x: np.ndarray, k: int) -> float:
    return np.sum(x[:k] > 0) / np.sum(x > 0) if np.any(x > 0) else math.nan


def r_precision(x: np.ndarray, k: int) -> float:
    return recall(x, int(np.sum(x > 0)))


def fall_out(x: np.ndarray, k: int) -> float:
    return np.sum(x[:k] == 0) / np.sum(x == 0) if np.any(x == 0) else math.nan


def reciprocal_rank(x: np.ndarray, k: int) -> float:
    if not np.any(x > 0):
        return math.nan
    rank = int(np.argmax(x > 0)) + 1
    return 1 / rank if rank <= k else 0.0


def hit(x: np.ndarray, k: int) -> float:
    return float(np.any(x[:k] > 0)) if np.any(x > 0) else math.nan


def average_precision(x: np.ndarray, k: int, normalize: str = "relevant") -> float:
    relevant = int(np.sum(x > 0))
    found = [np.mean(x[: i + 1] > 0) for i in range(min(k, len(x))) if x[i] > 0]
    size = relevant if normalize == "relevant" else min(relevant, k)
    return math.fsum(found) / size if relevant else math.nan


exponential = ft.partial(ndcg, gain="exponential")
reachable = ft.partial(average_precision, normalize="reachable")


def auroc(x: np.ndarray, k: int, max_fpr: float = 1.0) -> float:
    """By the relevant documents before each irrelevant one, up to a share of these."""
    before, relevant = np.cumsum(x > 0)[x == 0], int(np.sum(x > 0))
    if not relevant or not len(before):
        return math.nan
    counted = np.clip(max_fpr * len(before) - np.arange(len(before)), 0, 1)
    area, least = float(before @ counted) / (relevant * len(before)), max_fpr**2 / 2
    return 0.5 * (1 + (area - least) / (max_fpr - least))


def biased(x: np.ndarray, k: int, p: float) -> float:
    return _unless(len(x) > 0, (1 - p) * float(np.sum(x * p ** np.arange(len(x)))))


def residual(x: np.ndarray, k: int, p: float) -> float:
    return _unless(len(x) > 0, p ** len(x))


def precision_of_curve(x: np.ndarray, k: int, divide_by: str = "k") -> float:
    some = bool(np.any(x > 0))
    return _unless(some, (precision if divide_by == "k" else precision_of_documents)(x, k))
