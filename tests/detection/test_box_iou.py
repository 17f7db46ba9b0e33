"""`eqm.detection.BoxIoU` beside its definition in float64."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, fold, ROWS, seeds, STEPS
from .test_boxes import corners, KINDS, of_two, written_as


ALL = eqm.MetricDict(
    {k: eqm.detection.BoxIoU(eqm.detection.Boxes("cxcywh"), kind=k) for k in KINDS}
)


@few
@given(seed=seeds)
def test_the_mean_of_pairs(seed):
    rng = np.random.default_rng(seed)
    x, y = corners(rng, STEPS, ROWS), corners(rng, STEPS, ROWS)
    mask, weights = rng.random((STEPS, ROWS)) < 0.7, rng.integers(0, 3, (STEPS, ROWS))
    given = [np.where(mask[..., None], written_as(b, "cxcywh"), np.nan) for b in (x, y)]
    batch = {"predicted_boxes": given[0], "boxes": given[1]}
    batch = {k: v.astype(np.float32) for k, v in batch.items()}
    got = fold(ALL, batch | {"mask": mask, "weights": weights.astype(np.float32)}).compute()
    keep = mask & (weights > 0)
    for kind in KINDS:
        each = [of_two(a, b, kind) for a, b in zip(x[keep], y[keep], strict=True)]
        want = np.average(each, weights=weights[keep]) if each else np.nan
        np.testing.assert_allclose(got[kind], want, atol=1e-5)


def test_a_box_that_is_none_is_invalid():
    metric = eqm.detection.BoxIoU(eqm.detection.Boxes("xyxy"))
    x = jnp.array([[0.0, 0, 1, 1], [0, 0, -1, 1], [0, 0, jnp.nan, 1]])
    metric = metric.update(predicted_boxes=x, boxes=jnp.abs(x))
    assert jnp.isnan(metric.compute())
    with pytest.raises(eqm.InvalidDataError, match="2 invalid row.*finite boxes of sizes >= 0"):
        metric.check()
    with pytest.raises(TypeError, match="they must have the same shape, one box for each"):
        metric.update(predicted_boxes=x, boxes=x[:2])
    with pytest.raises(TypeError, match=r"\(boxes=None\)`: expected what the four numbers"):
        eqm.detection.BoxIoU(None)  # pyright: ignore[reportArgumentType]
