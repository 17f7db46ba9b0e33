"""`TokenAccuracy` and `SequenceAccuracy` beside NumPy's argmax, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, fold, spread
from .drawn import seeds, tokens


def drawn(seed):
    """With ties, and nothing that NumPy orders otherwise."""
    batch, rng = tokens(seed)
    batch["logits"] = np.round(batch["logits"] / rng.choice([1.0, 5.0])).astype(np.float32)
    right = np.argmax(batch["logits"], axis=-1)
    some = rng.random(right.shape) < rng.choice([0.3, 0.9])
    batch["labels"] = np.where(batch["mask"] & some, right, batch["labels"]).astype(np.int32)
    return batch


@pytest.mark.parametrize("way", [fold, spread])
def test_tokens(way):
    @few
    @given(seed=seeds)
    def check(seed):
        batch = drawn(seed)
        right = np.argmax(batch["logits"], axis=-1) == batch["labels"]
        weights = np.where(batch["mask"], batch["weights"][..., None], 0).astype(np.float64)
        total = weights.sum()
        want = (right * weights).sum() / total if total else np.nan
        np.testing.assert_allclose(way(eqm.text.TokenAccuracy(), batch).compute(), want, rtol=1e-6)

    check()


@pytest.mark.parametrize("way", [fold, spread])
def test_sequences(way):
    @few
    @given(seed=seeds)
    def check(seed):
        batch = drawn(seed)
        right = np.argmax(batch["logits"], axis=-1) == batch["labels"]
        whole = (right | ~batch["mask"]).all(-1)
        weights = np.where(batch["mask"].any(-1), batch["weights"], 0).astype(np.float64)
        total = weights.sum()
        want = (whole * weights).sum() / total if total else np.nan
        got = way(eqm.text.SequenceAccuracy(), batch)
        np.testing.assert_allclose(got.compute(), want, rtol=1e-6)
        marked = batch | {"labels": np.where(batch["mask"], batch["labels"], -100)}
        del marked["mask"]
        ignored = way(eqm.text.SequenceAccuracy(ignore_index=-100), marked)
        jax.tree.map(np.testing.assert_array_equal, ignored.sums.pairs, got.sums.pairs)

    check()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_first_of_equals_in_a_vocabulary(dtype):
    rng = np.random.default_rng(0)
    logits = jnp.asarray(rng.normal(size=(64, 5000)) * rng.choice([1e-3, 1, 1e4], (64, 1)), dtype)
    logits = logits.at[0].set(0).at[1].set(-jnp.inf).at[2].set(-3e38).at[3, 4999].set(3e38)
    labels = np.argmax(np.asarray(logits, np.float32), axis=-1)
    metric = eqm.text.TokenAccuracy()
    assert (jax.jit(lambda x: metric(logits=x, labels=labels))(logits)) == 1
    assert metric(logits=logits, labels=(labels + 1) % 5000) == 0


def test_by_hand():
    labels = jnp.array([[1, 2, 3], [4, 5, 0], [0, 0, 0]])
    predicted = jnp.array([[1, 2, 3], [4, 9, 7], [8, 8, 8]])
    given = {"labels": labels, "predicted_labels": predicted, "mask": labels > 0}
    assert eqm.text.TokenAccuracy()(**given) == np.float32(4 / 5)
    assert eqm.text.SequenceAccuracy()(**given) == 0.5  # the third has no token
    assert eqm.text.SequenceAccuracy(empty="zero")(**given) == np.float32(1 / 3)
    assert eqm.text.SequenceAccuracy(empty="one")(**given) == np.float32(2 / 3)
    assert eqm.text.SequenceAccuracy()(**given | {"mask": jnp.array([1, 0, 0]) > 0}) == 1
    assert eqm.text.TokenAccuracy(0)(labels=labels, predicted_labels=predicted) == np.float32(0.8)
    for metric in (eqm.text.TokenAccuracy, eqm.text.SequenceAccuracy):
        assert jnp.isnan(metric().compute()) and metric(undefined=0.0).compute() == 0


def test_what_is_invalid_is_counted():
    logits = jnp.zeros((4, 2, 3)).at[0, 0, 1].set(jnp.nan).at[1, 1, 0].set(jnp.inf)
    labels = jnp.array([[0, 0], [0, 0], [0, 3], [0, 0]])
    for metric, count in ((eqm.text.TokenAccuracy(), 3), (eqm.text.SequenceAccuracy(), 3)):
        new = metric.update(logits=logits, labels=labels)
        assert new.sums.invalid.tolist() == [count, 0] and jnp.isnan(new.compute())
        with pytest.raises(eqm.InvalidDataError, match=r"3 .*labels in \[0, vocabulary\)"):
            new.check()
    new = eqm.text.TokenAccuracy().update(predicted_labels=jnp.array([1, -1]), labels=labels[0])
    assert new.sums.invalid.tolist() == [1, 0]


def test_errors_say_what_to_do():
    labels = jnp.zeros((2, 3), jnp.int32)
    with pytest.raises(TypeError, match="Exactly one of `logits` and `predicted_labels`.*neither"):
        eqm.text.TokenAccuracy().update(labels=labels)
    with pytest.raises(TypeError, match="leave out the last"):
        eqm.text.SequenceAccuracy().update(labels=labels, logits=jnp.zeros((2, 4, 7)))
    with pytest.raises(TypeError, match=r"of shape \(\*rows, length\)"):
        eqm.text.SequenceAccuracy().update(labels=labels[0, 0], logits=jnp.zeros(7))
    with pytest.raises(TypeError, match="`mask` is .*removes what is in them"):
        eqm.text.SequenceAccuracy().update(
            labels=labels, logits=jnp.zeros((2, 3, 7)), mask=jnp.ones((2, 2), bool)
        )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_nothing_of_the_size_of_the_logits_is_made(dtype):
    logits = jax.ShapeDtypeStruct((4, 64, 8000), dtype)
    labels = jax.ShapeDtypeStruct((4, 64), jnp.int32)
    both = eqm.MetricDict(tokens=eqm.text.TokenAccuracy(), perplexity=eqm.text.Perplexity())
    for metric in (both, eqm.text.TokenAccuracy(), eqm.text.SequenceAccuracy()):
        step = jax.jit(lambda m, x, y: m.update(logits=x, labels=y))
        memory = step.lower(metric, logits, labels).compile().memory_analysis()
        assert memory is not None and memory.temp_size_in_bytes < 4 * 64 * 8000 * 2 / 50
