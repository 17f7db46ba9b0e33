"""`CalibrationError` and `ReliabilityDiagram` beside a plain NumPy form, and torchmetrics'."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

import eqmetrics as eqm

from .oracle import few, fold, spread
from .scores import kept, scored


P = st.sampled_from([0.0, 0.05, 0.1, 0.25, 0.4, 0.55, 0.7, 0.95, 1.0])


def bins_of(p, right, w, bins):
    index = np.minimum((p.astype(np.float32) * np.float32(bins)).astype(int), bins - 1)
    found = []
    for b in range(bins):
        here = index == b
        total = w[here].sum()
        mean = lambda x: (w[here] * x[here]).sum() / total if total else math.nan
        found.append((mean(p), mean(right), total))
    return np.array(found).T


def expected(p, right, w, bins, norm):
    if not w.size:
        return math.nan
    confidence, accuracy, weight = bins_of(p, right, w, bins)
    gap = np.where(weight > 0, np.abs(accuracy - confidence), 0)
    share = weight / w.sum()
    if norm == "max":
        return gap.max()
    return (share * gap).sum() if norm == "l1" else math.sqrt((share * gap**2).sum())


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
@pytest.mark.parametrize("way", [fold, spread])
def test_binary(way, norm):
    @few
    @given(batch=scored("probabilities", elements=P))
    def check(batch):
        p, y, w = kept(batch, "probabilities")
        got = way(eqm.CalibrationError(eqm.Binary(), norm=norm, bins=4), batch).compute()
        np.testing.assert_allclose(got, expected(p, y, w, 4, norm), rtol=1e-5, atol=1e-6)

    check()


@few
@given(batch=scored("probabilities", classes=3, elements=P))
def test_classes(batch):
    p, y, w = kept(batch, "probabilities")
    p = p.reshape(-1, 3)
    task = eqm.Multiclass(3)
    top = fold(eqm.CalibrationError(task, bins=4), batch).compute()
    want = expected(p.max(-1, initial=0), p.argmax(-1) == y, w, 4, "l1")
    np.testing.assert_allclose(top, want, rtol=1e-5, atol=1e-6)
    each = [expected(p[:, c], y == c, w, 4, "l1") for c in range(3)]
    kinds = {"each": None, "mean": "macro"}
    metrics = eqm.MetricDict(
        {k: eqm.CalibrationError(task, bins=4, per_class=True, average=a) for k, a in kinds.items()}
    )
    got = fold(metrics, batch).compute()
    np.testing.assert_allclose(got["each"], each, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(got["mean"], np.mean(each), rtol=1e-5, atol=1e-6)


@few
@given(batch=scored("probabilities", elements=P))
def test_the_diagram(batch):
    p, y, w = kept(batch, "probabilities")
    got = fold(eqm.ReliabilityDiagram(eqm.Binary(), bins=5), batch).compute()
    confidence, accuracy, weight = bins_of(p, y, w, 5)
    np.testing.assert_allclose(got["confidence"], confidence, rtol=1e-5)
    np.testing.assert_allclose(got["accuracy"], accuracy, rtol=1e-5)
    np.testing.assert_allclose(got["weight"], weight, rtol=1e-6)


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
def test_torchmetrics_agrees(norm):
    torch = pytest.importorskip("torch")
    peers = pytest.importorskip("torchmetrics.classification")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 4)).astype(np.float32)
    p = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
    y = rng.integers(0, 4, 500)
    theirs = peers.MulticlassCalibrationError(num_classes=4, n_bins=15, norm=norm)
    want = float(theirs(torch.from_numpy(p), torch.from_numpy(y)))
    ours = eqm.CalibrationError(eqm.Multiclass(4), norm=norm)
    np.testing.assert_allclose(ours(probabilities=p, labels=y), want, rtol=1e-4)
    np.testing.assert_allclose(ours(logits=x, labels=y), want, rtol=1e-3)
    binary = peers.BinaryCalibrationError(n_bins=15, norm=norm)
    want = float(binary(torch.from_numpy(p[:, 0]), torch.from_numpy((y == 0).astype(int))))
    ours = eqm.CalibrationError(eqm.Binary(), norm=norm)
    np.testing.assert_allclose(ours(probabilities=p[:, 0], labels=y == 0), want, rtol=1e-4)


def test_by_hand():
    p, y = jnp.array([0.0, 1.0, 1.0, 1.0]), jnp.array([0, 1, 1, 0])
    diagram = eqm.ReliabilityDiagram(eqm.Binary(), bins=4)(probabilities=p, labels=y)
    assert diagram["weight"].tolist() == [1, 0, 0, 3]
    error = eqm.CalibrationError(eqm.Binary(), bins=4)
    np.testing.assert_allclose(error(probabilities=p, labels=y), 0.25, rtol=1e-6)
    labels = eqm.CalibrationError(eqm.Multilabel(2), average=None)
    two = labels(probabilities=jnp.stack([p, p], 1), labels=jnp.stack([y, 1 - y], 1))
    np.testing.assert_allclose(two, [0.25, 0.75], rtol=1e-6)
    each = eqm.ReliabilityDiagram(eqm.Multilabel(2), bins=4).compute()
    assert each["weight"].shape == (2, 4)


def test_undefined():
    assert jnp.isnan(eqm.CalibrationError(eqm.Binary()).compute())
    assert eqm.CalibrationError(eqm.Multiclass(3), undefined=0.0).compute() == 0
    with pytest.raises(ValueError, match="norm"):
        eqm.CalibrationError(eqm.Binary(), norm="l3")  # pyright: ignore[reportArgumentType]
