"""Distances, borders and quantiles beside scipy and NumPy."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from scipy import ndimage

from eqmetrics.segmentation._distances import (
    border,
    eroded,
    FAR,
    root_of_quantile,
    squared_distances,
)

from ..oracle import few, seeds


SHAPES = {(7, 9): (1.0, 0.3), (4, 5, 6): (2.5, 0.7, 1.1), (11,): (2.0,)}
KINDS = {space: jax.jit(lambda m, s=s: (squared_distances(m, s), border(m), eroded(m, 2)))
         for space, s in SHAPES.items()}  # fmt: skip


@pytest.mark.parametrize("space", SHAPES)
@few
@given(seed=seeds)
def test_scipy_agrees(space, seed):
    rng = np.random.default_rng(seed)
    share = rng.choice([0.0, 0.02, 0.3, 0.9, 1.0], (6,) + (1,) * len(space))
    masks = rng.random((6, *space)) < share
    distances, edges, inner = map(np.asarray, KINDS[space](masks))
    for mask, d, edge, left in zip(masks, distances, edges, inner, strict=True):
        if mask.any():
            want: Any = ndimage.distance_transform_edt(~mask, sampling=SHAPES[space])
            np.testing.assert_allclose(np.sqrt(d), want, 1e-6)
        else:
            assert (d == np.float32(FAR)).all()
        inside: Any = ndimage.binary_erosion(mask)
        np.testing.assert_array_equal(edge, mask & ~inside)
        square = np.ones((3,) * len(space))
        np.testing.assert_array_equal(left, ndimage.binary_erosion(mask, square, iterations=2))


QUANTILES = 0.0, 0.25, 0.5, 0.95, 1.0
quantiles = jax.jit(lambda x, on: [root_of_quantile(x, on, q) for q in QUANTILES])


@few
@given(seed=seeds)
def test_numpy_agrees(seed):
    rng = np.random.default_rng(seed)
    values = rng.choice([0.0, 1.0, 4.0, 1e-20, 1e4, 2.25], (8, 30))
    values = np.where(rng.random((8, 30)) < 0.5, values, rng.gamma(1.0, size=(8, 30)))
    on = rng.random((8, 30)) < rng.choice([0.0, 0.05, 0.5, 1.0], (8, 1))
    got = quantiles(values.astype(np.float32), on)
    for q, each in zip(QUANTILES, got, strict=True):
        for x, y, some in zip(each, values.astype(np.float32), on, strict=True):
            want = np.quantile(np.sqrt(y[some].astype(np.float64)), q) if some.any() else 0
            np.testing.assert_allclose(x, want, 2e-6, 1e-7, err_msg=f"{q}")


def test_a_mask_up_to_the_edge_has_a_border_there():
    assert border(jnp.ones((1, 3, 3), bool)).tolist() == [
        [[True, True, True], [True, False, True], [True, True, True]]
    ]
