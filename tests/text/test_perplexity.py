"""`Perplexity`, `BitsPerByte` and `WordPerplexity` beside float64 definitions, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, fold, spread
from .drawn import losses, seeds, tokens


METRICS = {
    "tokens": (eqm.text.Perplexity, np.exp),
    "bytes": (eqm.text.BitsPerByte, lambda x: x / np.log(2)),
    "words": (eqm.text.WordPerplexity, np.exp),
}


@pytest.mark.parametrize("way", [fold, spread])
@pytest.mark.parametrize("unit", METRICS)
def test_beside_the_definition(way, unit):
    metric, form = METRICS[unit]

    @few
    @given(seed=seeds)
    def check(seed):
        batch, rng = tokens(seed)
        loss, weights = losses(batch)
        count = np.sum(weights)
        if unit != "tokens":
            units = rng.integers(0, 5, batch["mask"].shape).astype(np.float32)
            keep = batch["mask"] & (batch["weights"] > 0)[..., None]
            batch[unit] = np.where(keep, units, np.float32(np.nan))
            count = np.sum(units[keep] * weights)
        with np.errstate(over="ignore"):
            want = np.float32(form(np.sum(loss * weights) / count)) if count else np.nan
        # An error of the mean loss is one of that many parts of its exponential.
        np.testing.assert_allclose(way(metric(), batch).compute(), want, rtol=5e-5)

    check()


def test_by_hand():
    given = {"log_probabilities": jnp.log(jnp.array([1 / 2, 1 / 4]))}
    np.testing.assert_allclose(eqm.text.Perplexity()(**given), 2**1.5, rtol=1e-6)
    np.testing.assert_allclose(eqm.text.BitsPerByte()(**given, bytes=jnp.array([1, 2])), 1.0)
    np.testing.assert_allclose(eqm.text.WordPerplexity()(**given, words=jnp.array([0, 1])), 8.0)


def test_lm_evaluation_harness():
    """Its `weighted_perplexity` and `bits_per_byte`, lm_eval/api/metrics.py: of documents with a
    log-likelihood and a number of words, or bytes."""
    items = [(-12.5, 4, 21), (-3.25, 2, 9), (-40.0, 11, 60)]
    total = sum(x for x, _, _ in items)
    documents = {"log_probabilities": jnp.array([x for x, _, _ in items])}
    words, count = (jnp.array([x[i] for x in items]) for i in (1, 2))
    want = np.exp(-total / sum(x for _, x, _ in items))
    np.testing.assert_allclose(eqm.text.WordPerplexity()(**documents, words=words), want, rtol=1e-6)
    want = -total / sum(x for _, _, x in items) / np.log(2)
    np.testing.assert_allclose(eqm.text.BitsPerByte()(**documents, bytes=count), want, rtol=1e-6)


def test_batches_and_padding_change_nothing():
    """The mean of the batches' perplexities does (ml-explore/mlx-lm#1855)."""
    logits = jax.random.normal(jax.random.key(0), (4, 6, 9))
    labels = jax.random.randint(jax.random.key(1), (4, 6), 0, 9)
    mask = jnp.asarray(np.arange(6) < np.array([[6], [1], [3], [2]]))
    whole = eqm.text.Perplexity()(logits=logits, labels=labels, mask=mask)
    parts = eqm.text.Perplexity()
    for i, n in enumerate([6, 1, 3, 2]):
        parts = parts.update(logits=logits[i, :n], labels=labels[i, :n])
    np.testing.assert_allclose(parts.compute(), whole, rtol=1e-6)
    longer = jnp.pad(logits, ((0, 0), (0, 3), (0, 0)), constant_values=jnp.nan)
    marked = jnp.pad(jnp.where(mask, labels, -100), ((0, 0), (0, 3)), constant_values=-100)
    same = eqm.text.Perplexity(ignore_index=-100)(logits=longer, labels=marked)
    assert same == whole


def test_an_impossible_token_is_infinite_and_no_token_undefined():
    perplexity = eqm.text.Perplexity()
    assert perplexity(log_probabilities=jnp.array([-1.0, -jnp.inf])) == jnp.inf
    for metric in (perplexity, eqm.text.BitsPerByte(), eqm.text.WordPerplexity()):
        assert jnp.isnan(metric.compute())
    none = {"log_probabilities": jnp.array([-1.0])}
    assert jnp.isnan(eqm.text.BitsPerByte()(**none, bytes=jnp.array([0])))
    assert eqm.text.BitsPerByte(undefined=0.0)(**none, bytes=jnp.array([0])) == 0
    assert eqm.text.Perplexity(undefined=0.0).compute() == 0
    assert eqm.text.WordPerplexity(undefined=1.0).compute() == 1


def test_bfloat16_is_summed_in_float32():
    logits = jnp.zeros((1, 4096), jnp.bfloat16)
    assert eqm.text.Perplexity()(logits=logits, labels=jnp.array([7])) == pytest.approx(
        4096, rel=1e-5
    )
