"""`eqm.audio.Improvement` beside the difference of two values, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, seeds
from .oracle import batch_of, mean_of, WAYS
from .test_snr import centred, sisdr


Improvement, SISDR, SNR = eqm.audio.Improvement, eqm.audio.SISDR, eqm.audio.SNR


@few
@given(seed=seeds)
def test_the_difference(seed):
    for way, samples in WAYS:
        batch = batch_of(seed, samples, silence=0)
        noise = np.random.default_rng(seed + 1).normal(size=batch["targets"].shape)
        size = np.nanstd(np.nan_to_num(batch["targets"]), axis=-1, keepdims=True)
        mixture = (batch["targets"] + noise * size).astype("f")
        before = mean_of(batch | {"predictions": mixture}, centred(sisdr))
        want = mean_of(batch, centred(sisdr)) - before
        got = way(Improvement(SISDR()), batch | {"mixture": mixture}).compute()
        np.testing.assert_allclose(got, want, 1e-5, 1e-3)


def test_the_mixture_of_sources():
    rng = np.random.default_rng(0)
    t = rng.normal(size=(4, 2, 50)).astype(np.float32)
    p = (t + 0.2 * rng.normal(size=t.shape)).astype(np.float32)
    mixture = t.sum(axis=1)
    twice = np.stack([mixture, mixture], axis=1)
    value = jax.jit(lambda metric, given: metric(**given))
    of = lambda metric, p, t, **rest: value(metric, {"predictions": p, "targets": t} | rest)
    want = of(SISDR(), p, t) - of(SISDR(), twice, t)
    for mixed in (mixture, twice):
        np.testing.assert_allclose(of(Improvement(SISDR()), p, t, mixture=mixed), want, rtol=1e-5)
    free = Improvement(eqm.audio.PermutationInvariant(SISDR(), 2))
    np.testing.assert_allclose(of(free, p[:, ::-1], t, mixture=mixture), want, rtol=1e-5)


def test_by_hand():
    t = jnp.array([[[1.0, 0.0], [0.0, 2.0]]])
    p = jnp.array([[[0.9, 0.0], [0.0, 1.8]]])
    # The mixture is (1, 2): 10 log(1 / 4) and 10 log(4 / 1) for the two, of mean 0.
    value = Improvement(SNR())(predictions=p, targets=t, mixture=jnp.array([[1.0, 2.0]]))
    np.testing.assert_allclose(value, 20, rtol=1e-5)
    each = Improvement(SNR()).per_row(predictions=p[0], targets=t[0], mixture=jnp.ones((2, 2)))
    np.testing.assert_allclose(each, [20, 20 - 10 * np.log10(4 / 2)], rtol=1e-5)


def test_what_it_refuses():
    x = jnp.ones((3, 2, 8))
    for shape in ((3, 1, 8), (2, 8), (8,)):
        with pytest.raises(TypeError, match=r"a mixture has their shape, or \(3, 8\), without"):
            Improvement(SNR())(predictions=x, targets=x, mixture=jnp.ones(shape))
    with pytest.raises(TypeError, match="`Improvement` got a `Average`, which takes values"):
        Improvement(eqm.Average())
