"""Of what has entries of its own in a row: masking an entry is removing it, bit for bit, and so is
padding; and what is a function of sums sees each row once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import eqmetrics as eqm
from eqmetrics._onepass import apart

from ..table import ROWS
from ..test_by_rows import in_sums


RNG = np.random.default_rng(0)
SIZE = 5, 4
TAGS = ["O", "B-x", "I-x", "B-y", "I-y"]


def ids(high, *shape):
    return RNG.integers(0, high, shape).astype(np.int32)


# With the names of the arrays whose second axis the mask is of.
CASES = {
    "SequenceAccuracy": (
        eqm.text.SequenceAccuracy(),
        {"labels": ids(2, *SIZE), "predicted_labels": ids(2, *SIZE)},
        ("labels", "predicted_labels"),
    ),
    "MultipleChoice": (
        eqm.text.MultipleChoice("tokens"),
        {
            "log_likelihoods": -RNG.random(SIZE).astype(np.float32),
            "lengths": 1 + ids(3, *SIZE),
            "labels": np.ones(SIZE, np.int32),
        },
        ("log_likelihoods", "lengths", "labels"),
    ),
    "PassAtK": (eqm.text.PassAtK((1, 2)), {"correct": ids(2, *SIZE)}, ("correct",)),
    "MajorityVote": (
        eqm.text.MajorityVote(),
        {"answers": ids(3, *SIZE), "labels": ids(3, 5)},
        ("answers",),
    ),
    "SequenceLabelF1": (
        eqm.text.SequenceLabelF1(TAGS, average=None),
        {"labels": ids(5, *SIZE), "predicted_labels": ids(5, *SIZE)},
        ("labels", "predicted_labels"),
    ),
    "TokenF1": (
        eqm.text.TokenF1(),
        {"tokens": ids(3, *SIZE), "predicted_tokens": ids(3, 5, 3)},
        ("tokens",),
    ),
}


def spoilt(x):
    return np.nan if x.dtype == np.float32 else np.iinfo(x.dtype).max


@pytest.mark.parametrize("name", CASES)
def test_masking_an_entry_is_removing_it(name):
    metric, batch, inner = CASES[name]
    for column in range(SIZE[1]):
        there = np.ones(SIZE, bool)
        there[:, column] = False
        held, gone, padded = dict(batch), dict(batch), dict(batch)
        for key in inner:
            gone[key] = np.delete(batch[key], column, axis=1)
            held[key] = np.where(there, batch[key], spoilt(batch[key]))
            held[key] = held[key].astype(batch[key].dtype)
            end = ((0, 0), (0, 3))
            padded[key] = np.pad(batch[key], end, constant_values=spoilt(batch[key]))
        want = metric.update(**gone)
        jax.tree.map(np.testing.assert_array_equal, metric.update(**held, mask=there), want)
        whole = metric.update(**batch)
        more = metric.update(**padded, mask=np.pad(np.ones(SIZE, bool), ((0, 0), (0, 3))))
        jax.tree.map(np.testing.assert_array_equal, more, whole)


# Those that read rows with the file of padded sequences have them on the last axis.
OF_ROWS = [
    name
    for name, (_, batches) in ROWS.items()
    if name.startswith("text.") and "predicted_tokens" not in batches[0]
]


@pytest.mark.parametrize("name", OF_ROWS)
def test_a_row_is_seen_once(name, monkeypatch):
    refused: list[str] = []

    class Counted(apart.NotASum):
        def __init__(self, why: str):
            refused.append(why)

    monkeypatch.setattr(apart, "NotASum", Counted)
    metric, (first, *_) = ROWS[name]
    assert in_sums(metric)
    count = len(next(iter(first.values())))
    group = jnp.asarray(np.arange(count) % 3, jnp.int32)
    jax.eval_shape(lambda m, b, g: m.update(**b, group=g), eqm.PerGroup(metric, 3), first, group)
    assert refused == []
