"""`eqm.audio.PermutationInvariant` beside all permutations in float64, and by hand."""

import itertools
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..fields.oracle import mean_of_rows
from ..oracle import few, seeds
from .oracle import batch_of, WAYS
from .test_snr import centred, sisdr


PIT, SISDR, SNR = eqm.audio.PermutationInvariant, eqm.audio.SISDR, eqm.audio.SNR
value_of = centred(sisdr)


def best(predictions, targets, mask):
    """The mean over the targets in the order where that is largest."""
    keep, order = np.broadcast_to(mask, targets.shape), range(len(targets))
    pair = lambda i, j: value_of(predictions[i][keep[j]], targets[j][keep[j]])
    pairs: Any = np.array([[pair(i, j) if keep[j].any() else np.nan for j in order] for i in order])
    found = [np.mean(pairs[list(p), order]) for p in itertools.permutations(order)]
    return max(found)


@few
@given(seed=seeds)
def test_all_permutations(seed):
    for way, samples in WAYS:
        # As many samples are masked in all sources, or none: each weighs the same in the mean.
        batch = batch_of(seed, False, 3, time=30, silence=0)
        if samples:
            rng = np.random.default_rng(seed)
            keep = rng.random(batch["targets"].shape) < 0.7
            batch["mask"] = keep & batch["mask"][..., None, None]
            for name in ("predictions", "targets"):
                batch[name] = np.where(np.isnan(batch[name]), 0, batch[name])
            batch["targets"] = np.where(keep, batch["targets"], np.nan)
        got = way(PIT(SISDR(), 3), batch).compute()
        np.testing.assert_allclose(got, mean_of_rows(batch, best), 1e-4, 1e-3)


def test_each_mixture_has_its_own_order():
    rng = np.random.default_rng(0)
    t = rng.normal(size=(2, 3, 40)).astype(np.float32)
    p = (t + 0.1 * rng.normal(size=t.shape)).astype(np.float32)
    want = SISDR()(predictions=p, targets=t)
    metric = PIT(SISDR(), 3)
    for orders in itertools.product([[0, 1, 2], [2, 0, 1], [1, 0, 2]], repeat=2):
        mixed = np.stack([x[order] for x, order in zip(p, orders, strict=True)])
        np.testing.assert_allclose(metric(predictions=mixed, targets=t), want, rtol=1e-6)
    each = metric.per_row(predictions=p[:, ::-1], targets=t)
    np.testing.assert_allclose(each, SISDR().per_row(predictions=p, targets=t), rtol=1e-6)


def test_distances_want_the_least():
    t = jnp.array([[[1.0, 2.0], [5.0, 5.0]]])
    metric = eqm.MeanSquaredError()
    assert PIT(metric, 2, mode="min")(predictions=t[:, ::-1] + 1, targets=t) == 1
    assert PIT(metric, 2)(predictions=t[:, ::-1], targets=t) > 1


def test_infinities_and_silence():
    t = jnp.array([[[1.0, -1.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, -1.0]]])
    p = jnp.array([[[1.1, 0.0, -1.0], [1.0, -1.0, 0.0], [0.0, 0.0, 0.0]]])
    # The second target is silent: it has no value, and takes the silent prediction.
    metric = PIT(SNR(), 3)
    assert metric(predictions=p, targets=t) == jnp.inf  # the first is equal to its prediction
    found: Any = metric.update(predictions=p.at[0, 1, 0].set(1.2), targets=t)
    want = 10 * np.log10([2 / 0.04, 2 / 0.01])
    np.testing.assert_allclose(found.compute(), want.mean(), rtol=1e-5)
    assert found.metric.sums.read("weight") == 2


def test_six_sources():
    t = jnp.asarray(np.random.default_rng(1).normal(size=(2, 6, 20)), jnp.float32)
    order = jnp.array([3, 1, 5, 0, 2, 4])
    value = PIT(SNR(), 6)(predictions=1.1 * t[:, order], targets=t)
    np.testing.assert_allclose(value, 20, rtol=1e-4)


def test_what_it_refuses():
    x = jnp.ones((2, 3, 8))
    with pytest.raises(TypeError, match=r"with 3 sources, expected 2"):
        PIT(SNR(), 2)(predictions=x, targets=x)
    with pytest.raises(ValueError, match="sources=7: expected 1 to 6"):
        PIT(SNR(), 7)
    with pytest.raises(ValueError, match="mode='best'"):
        PIT(SNR(), 2, mode="best")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="`Accuracy`, which takes .*expected a metric of `pred"):
        PIT(eqm.Accuracy(), 2)
    with pytest.raises(TypeError, match=r"expected \(\*rows, sources, time\)"):
        PIT(eqm.audio.SASDR(), 3)(predictions=x, targets=x)
    with pytest.raises(TypeError, match=r"one signal has the shape \(8,\), expected one number"):
        PIT(eqm.MultiOutput(eqm.MeanSquaredError(), 8), 3)(predictions=x, targets=x)
