"""`PrecisionRecallCurve`: every point is one of scikit-learn's curve."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import precision_recall_curve

import eqmetrics as eqm

from .oracle import few, fold, spread
from .scores import kept, scored


def near(points, others):
    distance = np.abs(points[:, :, None] - others[:, None]).max(0).min(1)
    np.testing.assert_allclose(distance, 0, atol=2e-5)


@pytest.mark.parametrize("name", ["logits", "probabilities"])
@pytest.mark.parametrize("way", [fold, spread])
def test_the_points_are_scikit_learns(way, name):
    @few
    @given(batch=scored(name))
    def check(batch):
        scores, labels, weights = kept(batch, name)
        got = way(eqm.PrecisionRecallCurve(eqm.Binary(), resolution=9), batch).compute()
        assert np.isnan(got["recall"]).all() == (not (labels == 1).any())
        assert np.isnan(got["precision"]).all() == (labels.size == 0)
        if (labels == 1).any():
            precision, recall, _ = precision_recall_curve(labels, scores, sample_weight=weights)
            want = np.stack([recall, precision])
            points = np.stack([got["recall"], got["precision"]])
            near(points, want)
            near(want, points)

    check()


def test_by_hand():
    logits, labels = jnp.array([1.0, 2.0, 3.0]), jnp.array([1, 0, 1])
    curve = eqm.PrecisionRecallCurve(eqm.Binary())(logits=logits, labels=labels)
    both = curve["recall"].tolist(), curve["precision"].tolist()
    points = set(zip(*both, strict=True))
    assert points == {(0.0, 1.0), (0.5, 1.0), (0.5, 0.5), (1.0, float(jnp.float32(2 / 3)))}
    assert set(curve["thresholds"].tolist()) == {jnp.inf, 3.0, 2.0, 1.0}


def test_undefined():
    curve = eqm.PrecisionRecallCurve(eqm.Multilabel(2), points=5, resolution=9)
    assert jnp.isnan(curve.compute()["precision"]).all()
    assert curve.compute()["recall"].shape == (2, 5)
