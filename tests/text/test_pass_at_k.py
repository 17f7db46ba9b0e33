"""`PassAtK` and `PassHatK` beside binomials of whole numbers, and by hand."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import agree, few, fold, ROWS, spread, STEPS
from .drawn import seeds


SAMPLES, K = 6, (1, 2, 5)


def at_k(n, c, k):
    return 1 - math.comb(n - c, k) / math.comb(n, k)


def hat_k(n, c, k):
    return math.comb(c, k) / math.comb(n, k)


METRICS = [(eqm.text.PassAtK, at_k), (eqm.text.PassHatK, hat_k)]


def drawn(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((STEPS, ROWS, SAMPLES)) < rng.choice([0.2, 0.9, 1.0], (STEPS, ROWS, 1))
    right = rng.random(mask.shape) < rng.choice([0.0, 0.4, 1.0], (STEPS, ROWS, 1))
    weights = np.float32(rng.choice([0.0, 1.0, 2.0, 0.25], mask.shape[:2]))
    return {"correct": np.where(mask, right, 9).astype(np.int32), "mask": mask, "weights": weights}


@pytest.mark.parametrize("way", [fold, spread])
@pytest.mark.parametrize(("metric", "form"), METRICS)
def test_beside_binomials(way, metric, form):
    @few
    @given(seed=seeds)
    def check(seed):
        batch = drawn(seed)
        every = batch["mask"].sum(-1).ravel()
        right = (batch["mask"] & (batch["correct"] == 1)).sum(-1).ravel()
        weights = batch["weights"].astype(np.float64).ravel()
        want = []
        for k in K:
            some = every >= k
            pairs = zip(every[some].tolist(), right[some].tolist(), strict=True)
            scores = np.array([form(n, c, k) for n, c in pairs])
            total = weights[some].sum()
            want.append((scores * weights[some]).sum() / total if total else np.nan)
        got = way(metric(K), batch)
        agree(got.compute(), want, atol=1e-6)
        counts = {"num_correct": right, "num_samples": every}
        counts = {name: x.reshape(STEPS, ROWS) for name, x in counts.items()}
        told = way(metric(K), counts | {"weights": batch["weights"]})
        agree(told.compute(), got.compute(), rtol=0)

    check()


def test_by_hand():
    correct = jnp.array([[True, True, False, False]])
    agree(eqm.text.PassAtK(2)(correct=correct), 5 / 6)
    agree(eqm.text.PassHatK(2)(correct=correct), 1 / 6)
    values = eqm.text.PassAtK((4, 1, 3))(correct=correct)
    agree(values, [1, 1 / 2, 1])
    assert values.shape == (3,) and eqm.text.PassAtK(1)(correct=correct).shape == ()


def test_many_samples():
    counts = {"num_correct": jnp.array([3]), "num_samples": jnp.array([10_000])}
    agree(eqm.text.PassAtK(1000)(**counts), at_k(10_000, 3, 1000), rtol=1e-4)
    counts = {"num_correct": jnp.array([9_990]), "num_samples": jnp.array([10_000])}
    agree(eqm.text.PassHatK(1000)(**counts), hat_k(10_000, 9_990, 1000), rtol=1e-4)


def test_problems_with_too_few_samples_are_left_out():
    counts = {"num_correct": jnp.array([1, 2]), "num_samples": jnp.array([1, 2])}
    new = eqm.text.PassHatK((1, 2, 3)).update(**counts)
    assert new.compute().tolist()[:2] == [1, 1] and jnp.isnan(new.compute()[2])
    assert new.sums.read("weight").tolist() == [2, 1, 0]
    told = eqm.text.PassHatK((1, 2, 3), undefined=0.0)
    assert told(**counts)[2] == 0


def test_what_is_invalid_is_counted():
    counts = {"num_correct": jnp.array([3, -1, 1]), "num_samples": jnp.array([2, 2, 2])}
    new = eqm.text.PassAtK(1).update(**counts)
    assert new.sums.invalid.tolist() == [2, 0]
    with pytest.raises(eqm.InvalidDataError, match="0 <= num_correct <= num_samples"):
        new.check()
    new = eqm.text.PassAtK(1).update(correct=jnp.array([[0, 2], [0, 1]]))
    assert new.sums.invalid.tolist() == [1, 0]


def test_errors_say_what_to_do():
    some = jnp.array([1])
    for wrong in (
        {},
        {"num_correct": some},
        {"correct": some[None], "num_correct": some, "num_samples": some},
        {"correct": some[None], "num_samples": some},
    ):
        with pytest.raises(TypeError, match="Either `correct`.*or `num_correct` and `num_samples`"):
            eqm.text.PassAtK(1).update(**wrong)
    with pytest.raises(TypeError, match="expected one shape"):
        eqm.text.PassAtK(1).update(num_correct=some, num_samples=jnp.array([1, 2]))
    with pytest.raises(TypeError, match=r"expected \(\*problems, samples\)"):
        eqm.text.PassAtK(1).update(correct=jnp.array(True))
    for k in (0, (), (1, 0)):
        with pytest.raises(ValueError, match="of at least 1"):
            eqm.text.PassHatK(k)
