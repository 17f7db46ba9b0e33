"""`Hinge` beside scikit-learn's `hinge_loss`."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import hinge_loss

import eqmetrics as eqm

from .oracle import few, floats, fold, spread
from .scores import kept, scored


@pytest.mark.parametrize("classes", [None, 4])
@pytest.mark.parametrize("way", [fold, spread])
def test_hinge_is_scikit_learns(way, classes):
    @few
    @given(batch=scored("logits", classes=classes, elements=floats(100)))
    def check(batch):
        task = eqm.Binary() if classes is None else eqm.Multiclass(classes)
        x, y, w = kept(batch, "logits")
        # scikit-learn's refuses labels of one class
        if np.unique(y).size < 2:
            if classes is None:
                side = (2 * y - 1) * x
            else:
                rest = np.where(np.eye(classes)[y.astype(int)] > 0, -np.inf, x).max(-1)
                side = x[np.arange(len(y)), y.astype(int)] - rest if len(y) else np.zeros(0)
            losses = np.maximum(1 - side, 0)
            want = (w * losses).sum() / w.sum() if len(y) else math.nan
        else:
            labels = None if classes is None else list(range(classes))
            want = hinge_loss(y, x, labels=labels, sample_weight=w)
        np.testing.assert_allclose(way(eqm.Hinge(task), batch).compute(), want, rtol=1e-5)

    check()


def test_by_hand():
    x, y = jnp.array([2.0, 0.5, -0.5, -2.0]), jnp.array([1, 1, 1, 0])
    assert eqm.Hinge(eqm.Binary())(logits=x, labels=y) == (0 + 0.5 + 1.5 + 0) / 4
    rows = jnp.array([[2.0, 0.5, 0.0], [0.0, 0.0, 3.0]])
    assert eqm.Hinge(eqm.Multiclass(3))(logits=rows, labels=jnp.array([0, 1])) == (0 + 4) / 2
    each = eqm.Hinge(eqm.Multilabel(3), average=None)
    assert each(logits=rows, labels=jnp.array([[1, 0, 0], [1, 1, 1]])).tolist() == [0.5, 1.25, 0.5]


def test_squared_and_one_against_all():
    task = eqm.Multiclass(4, ignore_index=3)
    metrics = eqm.MetricDict(
        squared=eqm.Hinge(task, squared=True),
        ovr=eqm.Hinge(task, multi_class="ovr"),
        each=eqm.Hinge(task, multi_class="ovr", squared=True, average=None),
        plain=eqm.Hinge(task),
    )

    @few
    @given(batch=scored("logits", classes=4, elements=floats(100)))
    def check(batch):
        got = fold(metrics, batch).compute()
        x, y, w = kept(batch, "logits")
        x, y, w = x[y < 3], y[y < 3], w[y < 3]
        if not len(y):
            assert all(np.isnan(v).all() for v in got.values())
            return
        yes = np.eye(4)[y] > 0
        each = np.maximum(1 - np.where(yes, x, -x), 0)
        rest = np.where(yes, -np.inf, x).max(-1)
        whole = np.maximum(1 - (x[yes] - rest), 0)
        mean = lambda losses: w @ losses / w.sum()
        np.testing.assert_allclose(got["plain"], mean(whole), rtol=1e-5)
        np.testing.assert_allclose(got["squared"], mean(whole**2), rtol=1e-5)
        np.testing.assert_allclose(got["ovr"], mean(each)[:3].mean(), rtol=1e-5)
        np.testing.assert_allclose(got["each"], [*mean(each**2)[:3], np.nan], rtol=1e-5)

    check()
    with pytest.raises(ValueError, match="'ovr' is for a multiclass task"):
        eqm.Hinge(eqm.Binary(), multi_class="ovr")


def test_infinite_logits():
    hinge = eqm.Hinge(eqm.Multiclass(2))
    rows = jnp.array([[jnp.inf, 0.0], [jnp.inf, -jnp.inf]])
    assert hinge(logits=rows, labels=jnp.array([0, 0])) == 0


def test_undefined():
    assert jnp.isnan(eqm.Hinge(eqm.Binary()).compute())
    assert eqm.Hinge(eqm.Multilabel(2), undefined=0.0).compute() == 0
