"""`ProbabilityLosses`, and its parts `LogLosses` and `BrierLosses`: log losses and squared
errors in float64."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.special import log_expit, log_softmax

import eqmetrics as eqm
from eqmetrics._reduction.pair import to_float

from .oracle import few, floats, fold, spread
from .scores import kept, scored


# A logit of infinity that is wrong costs infinity, which the hand-computed cases show.
LOGITS = floats(60)


@pytest.mark.parametrize("way", [fold, spread])
def test_binary_losses_of_logits(way):
    @few
    @given(batch=scored("logits", elements=LOGITS))
    def check(batch):
        got = way(eqm.ProbabilityLosses(eqm.Binary()), batch).compute()
        x, y, w = kept(batch, "logits")
        side = np.where(y == 1, x, -x)
        np.testing.assert_allclose(got["log_loss"], [-(w * log_expit(side)).sum()], rtol=1e-5)
        squares = w * np.exp(log_expit(-side)) ** 2
        np.testing.assert_allclose(got["squared_error"], [squares.sum()], rtol=1e-5, atol=1e-30)
        np.testing.assert_allclose(got["positives"], [w[y == 1].sum()], rtol=1e-6)
        np.testing.assert_allclose(got["weight"], [w.sum()], rtol=1e-6)

    check()


@pytest.mark.parametrize("task", [eqm.Binary(), eqm.Multiclass(3), eqm.Multilabel(3)])
@few
@given(seed=st.integers(0, 2**16), weighted=st.booleans())
def test_a_part_is_that_of_the_whole(task, seed, weighted):
    rng = np.random.default_rng(seed)
    shape = (9,) if isinstance(task, eqm.Binary) else (9, 3)
    yes = rng.integers(0, 2, shape)
    batch = {
        "logits": rng.normal(size=shape).astype(np.float32),
        "labels": rng.integers(0, 3, 9) if isinstance(task, eqm.Multiclass) else yes,
        "mask": rng.random(9) < 0.8,
    }
    if weighted:
        batch["weights"] = rng.random(9).astype(np.float32)
    whole = eqm.ProbabilityLosses(task).update(**batch).update(**batch)
    for part in (eqm.LogLosses(task), eqm.BrierLosses(task)):
        part = part.update(**batch).update(**batch)
        for name, x in type(part).read(whole).exact().items():
            np.testing.assert_array_equal(x, whole.exact()[name])
            # Two programs may round the losses of the rows apart.
            np.testing.assert_allclose(part.compute()[name], to_float(x), rtol=1e-6)
            if name == "weight":
                np.testing.assert_array_equal(part.exact()[name], x)


@few
@given(batch=scored("logits", classes=4, elements=LOGITS))
def test_losses_of_several_classes(batch):
    got = fold(eqm.ProbabilityLosses(eqm.Multiclass(4)), batch).compute()
    x, y, w = kept(batch, "logits")
    x, y = x.reshape(-1, 4), y.astype(int)
    logs = log_softmax(x, axis=-1) if len(x) else x
    own = logs[np.arange(len(y)), y]
    np.testing.assert_allclose(got["log_loss"], [-(w * own).sum()], rtol=1e-5, atol=1e-4)
    squares = ((np.exp(logs) - np.eye(4)[y]) ** 2).sum(-1)
    np.testing.assert_allclose(got["squared_error"], [(w * squares).sum()], rtol=1e-5, atol=1e-3)
    shares = [w[y == c].sum() for c in range(4)]
    np.testing.assert_allclose(got["positives"], shares, rtol=1e-6)


def test_infinite_logits():
    losses = eqm.ProbabilityLosses(eqm.Binary())
    x = jnp.array([jnp.inf, -jnp.inf])
    right, wrong = (losses(logits=x, labels=y) for y in (jnp.array([1, 0]), jnp.array([0, 1])))
    assert right["log_loss"] == 0 and right["squared_error"] == 0
    assert jnp.isinf(wrong["log_loss"]) and wrong["squared_error"] == 2
    classes = eqm.ProbabilityLosses(eqm.Multiclass(2))
    rows = jnp.array([[jnp.inf, 0.0], [0.0, -jnp.inf]])
    sums = classes(logits=rows, labels=jnp.array([0, 0]))
    assert sums["log_loss"] == 0 and sums["squared_error"] == 0
    assert jnp.isinf(classes(logits=rows, labels=jnp.array([1, 0]))["log_loss"])


def test_labels_one_by_one():
    losses = eqm.ProbabilityLosses(eqm.Multilabel(2, ignore_index=-1))
    p, y = jnp.array([[0.5, jnp.nan], [1.0, 0.25]]), jnp.array([[1, -1], [1, 0]])
    sums = losses(probabilities=p, labels=y)
    assert sums["weight"].tolist() == [2, 1] and sums["positives"].tolist() == [2, 0]
    assert sums["squared_error"].tolist() == [0.25, 0.0625]
