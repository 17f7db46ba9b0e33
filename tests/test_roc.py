"""`ROC` and `DET`: every point is one of scikit-learn's curve, and of tied rows all."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import roc_curve

import eqmetrics as eqm

from .oracle import few, fold, spread
from .scores import drawn_of, kept, KINDS, scored


def exact(labels, scores, weights=None):
    fpr, tpr, _ = roc_curve(labels, scores, sample_weight=weights, drop_intermediate=False)
    return np.stack([fpr, tpr])


def distinct(points):
    return np.unique(np.round(points, 5), axis=1)


@pytest.mark.parametrize("name", ["logits", "probabilities"])
@pytest.mark.parametrize("way", [fold, spread])
def test_the_points_are_scikit_learns(way, name):
    @few
    @given(batch=scored(name))
    def check(batch):
        scores, labels, weights = kept(batch, name)
        metrics = eqm.MetricDict(
            roc=eqm.ROC(eqm.Binary(), resolution=9), det=eqm.DET(eqm.Binary(), resolution=9)
        )
        got = way(metrics, batch).compute()
        assert np.isnan(got["roc"]["tpr"]).all() == (not (labels == 1).any())
        assert np.isnan(got["roc"]["fpr"]).all() == (not (labels == 0).any())
        if np.unique(labels).size == 2:
            points = np.stack([got["roc"]["fpr"], got["roc"]["tpr"]])
            want = exact(labels, scores, weights)
            # those that differ by a row of weight 1e-3 of the whole are told apart
            np.testing.assert_allclose(
                np.abs(distinct(points)[:, :, None] - want[:, None]).max(0).min(1), 0, atol=2e-5
            )
            np.testing.assert_allclose(
                np.abs(points[:, :, None] - want[:, None]).max(0).min(0), 0, atol=2e-5
            )
            np.testing.assert_allclose(got["det"]["fnr"], 1 - points[1], atol=1e-6)

    check()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("points", [None, 50])
def test_thresholds_part_the_rows_as_the_points_say(kind, points):
    metric = eqm.ROC(eqm.Binary(), points=points, resolution=9)
    name, scores, labels = drawn_of(kind, 2000, 3)
    got = jax.jit(lambda m, **b: m.update(**b).compute())(metric, **{name: scores}, labels=labels)
    fpr, tpr, thresholds = (np.asarray(got[k]) for k in ("fpr", "tpr", "thresholds"))
    for i in range(0, len(fpr), max(len(fpr) // 60, 1)):
        # beyond what was seen nothing is above, also of infinite scores
        above = scores >= thresholds[i] if (fpr[i], tpr[i]) != (0, 0) else scores > np.inf
        np.testing.assert_allclose(tpr[i], above[labels].mean(), rtol=1e-6)
        np.testing.assert_allclose(fpr[i], above[~labels].mean(), rtol=1e-6)
    assert (np.diff(fpr) >= 0).all() and (np.diff(tpr) >= 0).all()
    assert fpr[0] == tpr[0] == 0 and fpr[-1] == tpr[-1] == 1
    if points is not None and kind == "normal":
        assert np.diff(fpr + tpr).max() < 2 / 50 + 0.05


def test_by_hand():
    logits, labels = jnp.array([1.0, 2.0, 2.0, 3.0]), jnp.array([0, 0, 1, 1])
    roc = eqm.ROC(eqm.Binary(), points=5)(logits=logits, labels=labels)
    assert roc["tpr"].tolist() == [0, 0.5, 1, 1, 1]
    assert roc["fpr"].tolist() == [0, 0, 0.5, 0.5, 1]
    assert roc["thresholds"].tolist() == [jnp.inf, 3, 2, 2, 1]
    det = eqm.DET(eqm.Binary(), points=5)(logits=logits, labels=labels)
    assert det["fnr"].tolist() == [1, 0.5, 0, 0, 0]
    both = eqm.ROC(eqm.Multiclass(2, ignore_index=1), points=4, resolution=9)
    assert both.compute()["tpr"].shape == (2, 4)


def test_undefined():
    roc = eqm.ROC(eqm.Binary(), resolution=9)
    assert jnp.isnan(roc.compute()["tpr"]).all()
    assert (eqm.DET(eqm.Binary(), resolution=9, undefined=0.0).compute()["fnr"] == 0).all()
    with pytest.raises(ValueError, match="points"):
        eqm.ROC(eqm.Binary(), points=1)
