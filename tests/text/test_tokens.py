"""What ids mean: padding, stops, masks of tokens, and shapes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm
from eqmetrics.text._tokens import compact, token_rows

from ..oracle import at_once
from .ids import listed, one_batch, PADDING, seeds, STOP


TOKENS = eqm.text.Tokens(PADDING, STOP)


@jax.jit
def read(said, meant, mask, predicted_mask):
    found = token_rows(TOKENS, said, meant, mask, predicted_mask, None)
    return found.predicted, found.references


@at_once
@given(seed=seeds)
def test_what_exists_is_moved_together(seed):
    for i in range(50):
        batch = one_batch(seed + i, stop=True)
        said, meant = batch["predicted_tokens"], batch["tokens"]
        rng = np.random.default_rng(seed)
        masks = [rng.random(x.shape) < 0.8 for x in (meant, said)]
        # Without a gap, too: then nothing moves.
        masks = [np.ones_like(m) if i % 2 else m for m in masks]
        both = zip(read(said, meant, *masks), (said, meant), masks[::-1], strict=True)
        for found, ids, there in both:
            want = listed(np.where(there, ids, PADDING).reshape(-1, ids.shape[-1]), STOP)
            columns, lengths = np.asarray(found.ids).T, np.asarray(found.lengths)
            assert [x[:n].tolist() for x, n in zip(columns, lengths, strict=True)] == want


def test_nothing_is_compact():
    for shape in ((0, 3), (3, 0)):
        found = compact(jnp.zeros(shape, jnp.int32), jnp.ones(shape, bool))
        assert found.ids.shape == shape and found.lengths.tolist() == [0] * shape[1]


def test_a_stop_is_no_token_and_ends():
    wer = eqm.text.EditDistance(eqm.text.Tokens(padding=0, stop=9))
    said, meant = jnp.array([[1, 0, 2, 9, 7]]), jnp.array([[1, 2, 3, 0]])
    assert wer(predicted_tokens=said, tokens=meant) == 1
    # One that isn't there ends nothing.
    there = jnp.array([[True, True, True, False, True]])
    given = {"predicted_tokens": said, "tokens": meant}
    assert wer(**given, predicted_mask=there) == 1  # 1 2 7 and 1 2 3
    assert wer(**given, predicted_mask=there, mask=jnp.array([[True, True, False, True]])) == 1


def test_what_ids_may_be():
    with pytest.raises(ValueError, match="both 3"):
        eqm.text.Tokens(3, 3)
    with pytest.raises(ValueError, match="id of 32 bits"):
        eqm.text.Tokens(stop=2**31)
    assert eqm.text.Tokens(padding=np.int64(0)) == eqm.text.Tokens(0)  # pyright: ignore[reportArgumentType]
    said, meant = np.array([[1, 200, 255]], np.uint8), np.array([[1, 200, -1]], np.int16)
    assert eqm.text.EditDistance()(predicted_tokens=said, tokens=meant) == 1
    with pytest.raises(TypeError, match="predicted_tokens"):
        eqm.text.EditDistance()(predicted_tokens=np.ones((1, 2)), tokens=meant)


def test_ids_beyond_32_bits_are_counted():
    wide = np.array([[1, 2], [1, 3 * 10**9], [1, 2**31]], np.uint32)
    metric = eqm.text.EditDistance().update(
        predicted_tokens=wide, tokens=np.array([[1, 2]] * 3, np.int32)
    )
    assert jnp.isnan(metric.compute()) and metric.sums.read("weight") == 1
    with pytest.raises(eqm.InvalidDataError, match="2 .*ids of 32 bits"):
        metric.check()
    with jax.enable_x64(True):
        far = jnp.array([[1, 2**40], [1, -(2**40)], [5, 6]])
        metric = eqm.text.EditDistance().update(predicted_tokens=far, tokens=far)
        assert metric.sums.invalid[0] == 2 and metric.sums.read("weight") == 1


SAID, MEANT = jnp.ones((2, 4), jnp.int32), jnp.ones((2, 5), jnp.int32)


@pytest.mark.parametrize(
    "outputs, told",
    [
        ({"tokens": MEANT[:1]}, "same rows.*padded with -1"),
        ({"tokens": MEANT[0]}, "same rows"),
        ({"tokens": MEANT, "mask": jnp.ones((2, 4), bool)}, "`mask` is bool"),
        ({"tokens": MEANT, "predicted_mask": jnp.ones((2,), bool)}, "`predicted_mask` is bool"),
        ({"tokens": MEANT, "weights": jnp.ones((2, 5))}, "`weights` must have"),
    ],
)
def test_shapes(outputs, told):
    with pytest.raises(TypeError, match=told):
        eqm.text.EditDistance().update(predicted_tokens=SAID, **outputs)


def test_any_axes_are_rows():
    rng = np.random.default_rng(0)
    said, meant = rng.integers(0, 3, (2, 3, 4)), rng.integers(0, 3, (2, 3, 5))
    metric = eqm.text.EditDistance()
    flat = metric(predicted_tokens=said.reshape(6, 4), tokens=meant.reshape(6, 5))
    assert metric(predicted_tokens=said, tokens=meant) == flat
    one = metric(predicted_tokens=said[0, 0], tokens=meant[0, 0])
    assert one == metric.per_row(predicted_tokens=said[0], tokens=meant[0])[0]
    first = np.array([True, False])
    assert metric(predicted_tokens=said, tokens=meant, mask=first) == metric(
        predicted_tokens=said[0], tokens=meant[0]
    )
