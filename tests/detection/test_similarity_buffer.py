"""`eqm.detection.SimilarityBuffer` beside a matching that is written out, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, seeds


THRESHOLDS = -4.0, -2.0, -1.0  # of distances times -1, as nuScenes has them
METRIC = eqm.detection.MeanAveragePrecision(
    2, None, 200, thresholds=THRESHOLDS, area_ranges={"all": (0, 1)}, average=None
)
seen = jax.jit(lambda batch: METRIC.update(**batch).precision())


def images(seed, n=6, d=5, g=4):
    rng = np.random.default_rng(seed)
    return {
        "similarity": -rng.integers(0, 6, (n, d, g)).astype(np.float32),
        "scores": rng.permutation(n * d).reshape(n, d).astype(np.float32),
        "predicted_labels": rng.integers(0, 2, (n, d)).astype(np.int32),
        "labels": rng.integers(0, 2, (n, g)).astype(np.int32),
        "predicted_mask": rng.random((n, d)) < 0.8,
        "box_mask": rng.random((n, g)) < 0.8,
    }


def precision(batch, label, threshold):
    """Of one class, in float64."""
    rows = []
    total = np.sum(batch["box_mask"] & (batch["labels"] == label))
    for i, similar in enumerate(batch["similarity"]):
        taken = set()
        for j in np.argsort(-batch["scores"][i]):
            if not batch["predicted_mask"][i, j] or batch["predicted_labels"][i, j] != label:
                continue
            free = [
                k
                for k in range(similar.shape[1])
                if batch["box_mask"][i, k] and batch["labels"][i, k] == label
                and k not in taken and similar[j, k] >= threshold
            ]  # fmt: skip
            best = max(free, key=lambda k: (similar[j, k], k), default=None)
            taken.add(best)
            rows.append((batch["scores"][i, j], best is not None))
    if total == 0:
        return np.full(101, np.nan)
    hits = np.array([hit for _, hit in sorted(rows, reverse=True)], bool)
    found = np.cumsum(hits)
    recall, value = found / total, found / (np.arange(len(found)) + 1)
    at = np.linspace(0, 1, 101)
    return np.array([max(value[recall >= r], default=0) for r in at])


@few
@given(seed=seeds)
def test_distances(seed):
    batch = images(seed)
    keep = batch["predicted_mask"][..., None] & batch["box_mask"][:, None]
    spoilt = batch | {"similarity": np.where(keep, batch["similarity"], np.nan)}
    got = seen(spoilt)[..., 0, -1]
    for i, threshold in enumerate(THRESHOLDS):
        for label in range(2):
            want = precision(batch, label, threshold)
            np.testing.assert_allclose(got[i, :, label], want, rtol=1e-6)


def test_what_is_wrong_is_told():
    batch = {k: jnp.asarray(x) for k, x in images(0).items()}
    metric = eqm.detection.SimilarityBuffer(2, 50)
    with pytest.raises(TypeError, match="There are 4 ranges of areas, and no `areas` and"):
        metric.update(**batch)
    with pytest.raises(TypeError, match=r"expected a similarity of shape \(6, 5, 4\)"):
        metric.update(**batch | {"similarity": batch["similarity"][:, :, :3]})
    nan = batch | {"similarity": batch["similarity"].at[2].set(jnp.nan)}
    kept = jax.jit(lambda batch: METRIC.update(**batch))(nan)
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*similarities without NaN"):
        kept.check()
