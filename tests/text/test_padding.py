"""More padding changes no bit, wherever it stands; and a token that is masked is one that isn't
there."""

import jax
import numpy as np
import pytest

from eqmetrics._collection.route import arguments_of

from .ids import PADDING
from .table import ROWS


def ids_of(batch):
    return [k for k, x in batch.items() if k in WORDS]


WORDS = "predicted_tokens", "tokens", "references", "predicted_words", "words"
NAMES = [name for name, (_, (batch, *_)) in ROWS.items() if batch.keys() & {*WORDS[:3]}]
bits = lambda tree: [np.asarray(x).tobytes() for x in jax.tree.leaves(tree)]


def after(metric, batch):
    new = metric.update(**batch)
    return bits((new, new.compute()))


def padding_of(metric):
    tokens = getattr(metric, "tokens", None)
    return PADDING if tokens is None else tokens.padding


def padded(ids, rng, padding):
    """With padding at the end, and between the tokens."""
    longer = np.full((*ids.shape[:-1], ids.shape[-1] + 5), padding, ids.dtype)
    places = np.tile(np.arange(longer.shape[-1]), (*ids.shape[:-1], 1))
    places = np.sort(rng.permuted(places, axis=-1)[..., : ids.shape[-1]])
    np.put_along_axis(longer, places, ids, -1)
    return longer


@pytest.mark.parametrize("name", NAMES)
def test_more_padding_changes_no_bit(name):
    metric, (batch, *_) = ROWS[name]
    rng = np.random.default_rng(0)
    for k in ids_of(batch):
        none, more = padding_of(metric), [(0, 0)] * (batch[k].ndim - 1) + [(0, 40)]
        end = np.pad(batch[k], more, constant_values=none)
        assert after(metric, batch | {k: end}) == after(metric, batch), k
        assert after(metric, batch | {k: padded(batch[k], rng, none)}) == after(metric, batch), k


@pytest.mark.parametrize("name", NAMES)
def test_a_masked_token_is_none(name):
    metric, (batch, *_) = ROWS[name]
    rng = np.random.default_rng(0)
    spoilt = np.int32(2**31 - 1)
    for k, mask in (("predicted_tokens", "predicted_mask"), (None, "mask")):
        k = k or ("tokens" if "tokens" in batch else "references")
        if mask not in arguments_of(metric):
            continue
        keep = rng.random(batch[k].shape) < 0.7
        given = batch | {k: np.where(keep, batch[k], spoilt), mask: keep}
        assert after(metric, given) == after(
            metric, batch | {k: np.where(keep, batch[k], padding_of(metric))}
        )


def test_what_has_ids_is_seen():
    assert "text.EditDistance" in NAMES
    metric, (batch, *_) = ROWS["text.EditDistance"]
    # The law can fail: another token is another value.
    other = batch | {"tokens": np.pad(batch["tokens"], ((0, 0), (0, 1)), constant_values=3)}
    assert after(metric, other) != after(metric, batch)
