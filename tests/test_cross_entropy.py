"""`CrossEntropy` beside scipy's and the definitions in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
from scipy import special

import eqmetrics as eqm

from .oracle import few, fold, masks, ROWS, spread, STEPS, weights


LOGITS = st.sampled_from([-np.inf, -60.0, -1.0, 0.0, 0.5, 2.0, 60.0])
SHARES = st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0])


@st.composite
def drawn(draw):
    shape = (STEPS, ROWS, 3)
    batch = {
        "logits": draw(arrays(np.float32, shape, elements=LOGITS)),
        "targets": draw(arrays(np.float32, shape, elements=SHARES)),
        "weights": draw(arrays(np.float32, (STEPS, ROWS), elements=weights)),
        "mask": draw(masks()),
    }
    away = ~(batch["mask"] & (batch["weights"] > 0))
    batch["logits"][away], batch["targets"][away] = np.nan, np.nan
    return batch


def close(got, want):
    np.testing.assert_allclose(got, want, rtol=2e-5, atol=1e-6)


METRICS = eqm.MetricDict(
    classes=eqm.CrossEntropy(eqm.Multiclass(3)),
    smooth=eqm.CrossEntropy(eqm.Multiclass(3), smoothing=0.25),
    each=eqm.CrossEntropy(eqm.Multilabel(3), average=None, smoothing=0.25),
    mean=eqm.CrossEntropy(eqm.Multilabel(3)),
)


@pytest.mark.parametrize("way", [fold, spread])
@few
@given(batch=drawn())
def test_is_the_definition(way, batch):
    got = read(way(METRICS, batch))
    keep = batch["mask"] & (batch["weights"] > 0)
    x, q, w = (batch[n][keep].astype(np.float64) for n in ("logits", "targets", "weights"))
    if not len(x):
        assert all(np.isnan(v).all() for v in got.values())
        return
    x = np.where(np.isinf(x).all(-1, keepdims=True), 0, x)  # they share the probability 1
    with np.errstate(all="ignore"):
        p = special.log_softmax(x, axis=-1)
        cost = lambda q: -(np.where(q > 0, q * p, 0)).sum(-1)
        close(got["classes"], w @ cost(q) / w.sum())
        close(got["smooth"], w @ cost(0.75 * q + 0.25 / 3) / w.sum())
    x = batch["logits"][keep].astype(np.float64)
    with np.errstate(all="ignore"):
        yes, no = np.logaddexp(0, -x), np.logaddexp(0, x)
        cost = lambda q: np.where(q > 0, q * yes, 0) + np.where(q < 1, (1 - q) * no, 0)
        close(got["each"], w @ cost(0.75 * q + 0.125) / w.sum())
        close(got["mean"], (w @ cost(q) / w.sum()).mean())


@jax.jit
def read(metrics):
    return metrics.compute()


def test_probabilities_and_hard_targets():
    p, y = jnp.array([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]]), jnp.array([2, 1])
    task = eqm.Multiclass(3)
    hard = eqm.CrossEntropy(task)(probabilities=p, targets=jax.nn.one_hot(y, 3))
    close(hard, eqm.LogLoss(task)(probabilities=p, labels=y))
    soft = eqm.CrossEntropy(eqm.Binary())
    close(soft(probabilities=jnp.array([0.25]), targets=jnp.array([0.5])), np.log(16 / 3) / 2)
    assert soft(probabilities=jnp.array([0.0]), targets=jnp.array([0.5])) == jnp.inf
    assert soft(probabilities=jnp.array([0.0, 1.0]), targets=jnp.array([0.0, 1.0])) == 0
    shared = jnp.array([[jnp.inf, jnp.inf, 0.0]])
    targets = jnp.array([[0.5, 0.5, 0.0]])
    close(eqm.CrossEntropy(task)(logits=shared, targets=targets), np.log(2))


def test_the_gradient_is_that_of_the_softmax_where_logits_tie():
    x, q = jnp.array([[0.0, 0.0, -1.0]]), jnp.array([[0.7, 0.0, 0.3]])
    slope = jax.grad(lambda x: eqm.CrossEntropy(eqm.Multiclass(3))(logits=x, targets=q))(x)
    close(slope, jax.nn.softmax(x) - q)


def test_what_is_invalid_and_what_is_refused():
    loss = eqm.CrossEntropy(eqm.Binary(), undefined=0.0)
    assert loss.compute() == 0
    bad = loss.update(logits=jnp.zeros(3), targets=jnp.array([0.5, 1.5, jnp.nan]))
    with pytest.raises(eqm.InvalidDataError, match=r"2 invalid.*targets in \[0, 1\]"):
        bad.check()
    with pytest.raises(TypeError, match=r"one_hot\(labels, num_classes\)"):
        eqm.CrossEntropy(eqm.Multiclass(3))(logits=jnp.zeros((2, 3)), targets=jnp.zeros(2))
    with pytest.raises(ValueError, match="smoothing=1.5"):
        eqm.CrossEntropy(eqm.Binary(), smoothing=1.5)
    with pytest.raises(ValueError, match="a label to be ignored"):
        eqm.CrossEntropy(eqm.Binary(ignore_index=-1))
