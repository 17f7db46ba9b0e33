"""`CohenKappa` and `MatthewsCorrelation` beside scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn import metrics as skl

import eqmetrics as eqm

from .classification import batches, close, kept, NAN, TASKS
from .oracle import few, fold


WEIGHTS = (None, "linear", "quadratic")


def by_label(fn, task, batch):
    """The mean over the problems where it is defined; a label is a problem of two classes."""
    y, p, w = kept(task, batch)
    if not isinstance(task, eqm.Multilabel):
        y, p = y[:, None], p[:, None]
    values = [fn(a, b, w) for a, b in zip(y.T, p.T, strict=True)] if len(y) else []
    values = [v for v in values if not np.isnan(v)]
    return np.mean(values) if values else NAN


def kappa(y, p, w, weights, classes):
    if len(np.unique(np.concatenate([y, p]))) < 2:
        return NAN
    return skl.cohen_kappa_score(y, p, weights=weights, sample_weight=w, labels=range(classes))


def matthews(y, p, w):
    if len(np.unique(y)) < 2 or len(np.unique(p)) < 2:
        return NAN  # 0/0; scikit-learn says 0
    return skl.matthews_corrcoef(y, p, sample_weight=w)


@pytest.mark.parametrize("name", TASKS)
def test_is_scikit_learns(name):
    task = TASKS[name]
    classes = task.classes if isinstance(task, eqm.Multiclass) else 2
    metrics = eqm.MetricDict(
        {str(w): eqm.CohenKappa(task, weights=w) for w in WEIGHTS}
        | {"matthews": eqm.MatthewsCorrelation(task)}
    )
    assert len(metrics.states) == 1

    @few
    @given(batch=batches(task))
    def check(batch):
        got = fold(metrics, batch).compute()
        for w in WEIGHTS:
            want = by_label(lambda y, p, v, w=w: kappa(y, p, v, w, classes), task, batch)
            close(got[str(w)], want, 1e-5)
        close(got["matthews"], by_label(matthews, task, batch), 1e-5)

    check()


def test_costs_of_ones_own():
    task, costs = TASKS["multiclass"], np.arange(25.0).reshape(5, 5) * (1 - np.eye(5))
    metrics = eqm.MetricDict(
        own=eqm.CohenKappa(task, weights=costs.tolist()),
        linear=eqm.CohenKappa(task, weights=abs(np.arange(5) - np.arange(5)[:, None]).tolist()),
    )

    @few
    @given(batch=batches(task))
    def check(batch):
        got = fold(metrics, batch).compute()
        y, p, w = kept(task, batch)
        table = np.bincount(5 * y + p, weights=w, minlength=25).reshape(5, 5)
        chance = table.sum(1)[:, None] * table.sum(0)[None]
        bottom = (costs * chance).sum()
        want = 1 - (costs * table).sum() * table.sum() / bottom if bottom else NAN
        close(got["own"], want, 1e-5)
        close(got["linear"], kappa(y, p, w, "linear", 5) if len(y) else NAN, 1e-5)

    check()
    with pytest.raises(ValueError, match=r"`weights` has the shape \(2, 2\)"):
        eqm.CohenKappa(task, weights=[[0, 1], [1, 0]])
    with pytest.raises(ValueError, match="0 for what is right"):
        eqm.CohenKappa(eqm.Multiclass(2), weights=[[1, 1], [1, 0]])


def test_rare_classes_keep_their_digits():
    """1 in 1000 is positive: p_o and p_e are both near 1, and float32 would keep three digits
    of their difference."""
    rng = np.random.default_rng(0)
    y = rng.random(1_000_000) < 1e-3
    p = np.where(rng.random(y.size) < 0.3, rng.random(y.size) < 1e-3, y)
    for metric, fn in (
        (eqm.CohenKappa(eqm.Binary()), skl.cohen_kappa_score),
        (eqm.MatthewsCorrelation(eqm.Binary()), skl.matthews_corrcoef),
    ):
        got = jax.jit(lambda y, p, m=metric: m(predicted_labels=p, labels=y))(y, p)
        np.testing.assert_allclose(got, fn(y, p), rtol=1e-6)


def test_by_hand():
    y, p = jnp.array([0, 0, 1, 1]), jnp.array([0, 0, 1, 0])
    # p_o = 3/4, p_e = 1/2 * 3/4 + 1/2 * 1/4 = 1/2
    assert eqm.CohenKappa(eqm.Binary())(predicted_labels=p, labels=y) == 0.5
    # (2 * 1 - 1 * 0) / sqrt(3 * 1 * 2 * 2)
    got = eqm.MatthewsCorrelation(eqm.Binary())(predicted_labels=p, labels=y)
    np.testing.assert_allclose(got, 2 / np.sqrt(12), rtol=1e-6)
    task = eqm.Multiclass(3)
    y, p = jnp.array([0, 1, 2]), jnp.array([0, 1, 0])
    # cost 4 of one mistake by 2; expected: (0 + 1 + 4) * 2/9 + (1 + 0 + 1) * 1/9 = 12/9 a row
    got = eqm.CohenKappa(task, weights="quadratic")(predicted_labels=p, labels=y)
    np.testing.assert_allclose(got, 1 - (4 / 3) / (12 / 9), atol=1e-6)


def test_a_perfect_predictor_has_1():
    rng = np.random.default_rng(0)
    for classes in (2, 3, 10):
        y = rng.integers(0, classes, 100)
        for cls in (eqm.CohenKappa, eqm.MatthewsCorrelation):
            got = cls(eqm.Multiclass(classes))(predicted_labels=y, labels=y)
            np.testing.assert_allclose(got, 1, rtol=1e-7)


def test_undefined():
    y = jnp.array([1, 1])
    for cls in (eqm.CohenKappa, eqm.MatthewsCorrelation):
        assert jnp.isnan(cls(eqm.Binary()).compute())
        assert jnp.isnan(cls(eqm.Binary())(predicted_labels=y, labels=y))
        assert cls(eqm.Multiclass(2), undefined=0.0)(predicted_labels=y, labels=y) == 0
    weighted = eqm.CohenKappa(eqm.Multiclass(2), weights="linear")
    assert jnp.isnan(weighted(predicted_labels=y, labels=y))
    with pytest.raises(ValueError, match="weights='cubic': expected one of"):
        eqm.CohenKappa(eqm.Binary(), weights="cubic")  # pyright: ignore[reportArgumentType]
