"""`CalibrationBins`: sums over the rows of each bin, in float64."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

import eqmetrics as eqm
from eqmetrics._probabilities.calibration_bins import bin_of

from .oracle import few, fold, spread
from .scores import kept, scored


P = st.one_of(
    st.floats(0, 1, width=32), st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 1.0])
)


def sums(p, right, w, bins):
    edges = (np.arange(bins + 1) / bins).astype(np.float32)
    index = np.minimum(np.searchsorted(edges, p.astype(np.float32), side="right") - 1, bins - 1)
    add = lambda x: np.bincount(index, x, bins)
    return {"weight": add(w), "confidence": add(w * p), "right": add(w * right)}


def near(got, want, problem=0):
    for name, x in want.items():
        np.testing.assert_allclose(got[name][problem], x, rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("way", [fold, spread])
def test_binary(way):
    @few
    @given(batch=scored("probabilities", elements=P))
    def check(batch):
        got = way(eqm.CalibrationBins(eqm.Binary(), bins=10), batch).compute()
        p, y, w = kept(batch, "probabilities")
        near(got, sums(p, y, w, 10))
        np.testing.assert_allclose(got["weight"].sum(), w.sum(), rtol=1e-6)

    check()


@few
@given(batch=scored("probabilities", classes=3, elements=P))
def test_classes(batch):
    p, y, w = kept(batch, "probabilities")
    p = p.reshape(-1, 3)
    got = fold(eqm.CalibrationBins(eqm.Multiclass(3), bins=4), batch).compute()
    best = p.argmax(-1)
    near(got, sums(p.max(-1, initial=0), best == y, w, 4))
    metric = eqm.CalibrationBins(eqm.Multiclass(3), bins=4, per_class=True)
    got = fold(metric, batch).compute()
    for c in range(3):
        near(got, sums(p[:, c], y == c, w, 4), c)


@pytest.mark.parametrize("bins", [1, 3, 7, 10, 15, 100, 1000])
def test_edges_belong_to_the_bin_above(bins):
    edges = (np.arange(bins) / bins).astype(np.float32)
    np.testing.assert_array_equal(bin_of(jnp.asarray(edges), bins), np.arange(bins))
    below = np.nextafter(edges[1:], np.float32(0))
    np.testing.assert_array_equal(bin_of(jnp.asarray(below), bins), np.arange(bins - 1))
    assert bin_of(jnp.array(1.0), bins) == bins - 1


def test_many_rows_are_scattered():
    rng = np.random.default_rng(0)
    p, y = rng.random((60_000, 20)).astype(np.float32), rng.random((60_000, 20)) < 0.5
    w = rng.random(60_000).astype(np.float32)
    got = eqm.CalibrationBins(eqm.Multilabel(20))(probabilities=p, labels=y, weights=w)
    near(got, sums(p[:, 3].astype(np.float64), y[:, 3], w.astype(np.float64), 15), 3)


def test_arguments():
    with pytest.raises(ValueError, match="bins"):
        eqm.CalibrationBins(eqm.Binary(), bins=0)
    with pytest.raises(ValueError, match="per_class"):
        eqm.CalibrationBins(eqm.Binary(), per_class=True)
