"""`eqm.shape.LDDT` beside its definition in float64, and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from scipy.spatial.distance import pdist

import eqmetrics as eqm

from ..fields.oracle import mean_of_rows
from ..oracle import few, seeds
from .oracle import batch_of, WAYS


LDDT = eqm.shape.LDDT
TOLERANCES = 0.7, 1.3


@few
@given(seed=seeds)
def test_float64_agrees(seed):
    def value(predictions, targets, mask):
        keep = np.broadcast_to(mask, len(targets))
        p, t = pdist(predictions[keep]), pdist(targets[keep])
        near = t < 2.5
        kept = [np.mean(np.abs(p - t)[near] < x) for x in TOLERANCES] if near.any() else np.nan
        return np.mean(kept)

    metric = LDDT(cutoff=2.5, tolerances=TOLERANCES)
    for way, inner in WAYS:
        batch = batch_of(seed, inner)
        for name in ("predictions", "targets"):  # of one scale
            size = np.nanmax(np.abs(batch[name]), axis=(-1, -2), keepdims=True, initial=1e-30)
            batch[name] = (batch[name] / size * 2).astype(np.float32)
        np.testing.assert_allclose(way(metric, batch).compute(), mean_of_rows(batch, value), 1e-5)


def test_by_hand():
    t = jnp.array([[[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 4.0, 0.0], [30.0, 0.0, 0.0]]])
    assert LDDT()(predictions=t, targets=t) == 1
    assert LDDT()(predictions=t[..., ::-1] + 7, targets=t) == 1  # turned and moved
    # The last point is within 15 of none, so it may be anywhere.
    assert LDDT()(predictions=t.at[0, 3].set(0.0), targets=t) == 1
    # The first pair is off by 1.5, which 2 and 4 allow; the others of three aren't.
    moved = t.at[0, 1, 0].add(1.5)
    others = abs(np.hypot(4.5, 4) - 5)  # 1.02: beyond 1
    assert 1 < others < 2
    assert LDDT()(predictions=moved, targets=t) == pytest.approx((0.5 + 0.5 + 1) / 3)
    mask = jnp.array([[True, True, False, True]])
    assert LDDT()(predictions=moved, targets=t, mask=mask) == 0.5
    assert LDDT(cutoff=100.0)(predictions=t.at[0, 3, 0].add(9.0), targets=t) == 0.5
    assert jnp.isnan(LDDT(cutoff=2.0)(predictions=t, targets=t))
    assert LDDT(cutoff=2.0, undefined=1.0)(predictions=t, targets=t) == 1
    assert jnp.isnan(LDDT()(predictions=t.at[0, 0, 0].set(jnp.nan), targets=t))


def test_what_it_refuses():
    with pytest.raises(ValueError, match="cutoff=0"):
        LDDT(cutoff=0)
    for bad in ((), (1.0, 0.0)):
        with pytest.raises(ValueError, match="tolerances="):
            LDDT(tolerances=bad)
