"""Integers of 8 and 16 bits, which the sizes that they are compared with don't fit."""

import functools as ft

import jax
import numpy as np
import pytest

import eqmetrics as eqm

from .groups import in_tens, narrow
from .table import ROWS


SMALL = np.int8, np.uint8, np.int16, np.uint16
WORDS = "labels", "predicted_labels", "group", "ids"


def integers_of(batch):
    return [k for k in WORDS if k in batch and np.issubdtype(batch[k].dtype, np.integer)]


OF_INTEGERS = [name for name, (_, batches) in ROWS.items() if integers_of(batches[0])]


def check_types(names):
    batches = {name: ROWS[name][1][0] for name in names}
    read = jax.jit(lambda given: {n: ROWS[n][0](**batch) for n, batch in given.items()})
    want = read(batches)
    for dtype in SMALL:
        given = {
            n: batch | {k: batch[k].astype(dtype) for k in integers_of(batch)}
            for n, batch in batches.items()
        }
        for name, got in read(given).items():
            same = lambda x, y, n=name: np.testing.assert_array_equal(x, y, f"{n}, {dtype}")
            jax.tree.map(same, got, want[name])


@pytest.mark.parametrize("names", in_tens(OF_INTEGERS))
def test_every_type_gives_the_same(names):
    narrow(check_types, names)


@pytest.mark.parametrize("dtype", SMALL)
@pytest.mark.parametrize("size", [128, 256, 300, 40_000, 65_536])
def test_sizes_that_do_not_fit(dtype, size):
    last = min(np.iinfo(dtype).max, size - 1)
    group = np.array([0, last, last], dtype)
    values = np.array([1.0, 2.0, 4.0], np.float32)
    groups = eqm.PerGroup(eqm.Average(), size)(values=values, group=group)
    assert (groups[0], groups[last]) == (1.0, 3.0)
    by_masks = eqm.PerGroup(eqm.Max(), 300)
    small = min(np.iinfo(dtype).max, 299)
    own = np.array([0, small, small], dtype)
    assert by_masks(values=values, group=own)[small] == 4.0
    labels, right = np.array([0, last, last], dtype), np.array([0, last, 0], dtype)
    task = eqm.Multiclass(size)
    assert eqm.Accuracy(task)(predicted_labels=right, labels=labels) == np.float32(2 / 3)
    counts = eqm.StatScores(task)(predicted_labels=right, labels=labels)
    assert counts["tp"][last] == 1 and counts["fn"][last] == 1
    ignored = eqm.Accuracy(eqm.Multiclass(size, ignore_index=size - 1))
    hits = ignored(predicted_labels=right, labels=labels)
    assert hits == (1.0 if last == size - 1 else np.float32(2 / 3))
    # Of a negative one, or of one too large, the row is invalid still.
    if np.iinfo(dtype).min < 0:
        bad = eqm.PerGroup(eqm.Average(), size).update(values=values, group=-group - 1)
        assert bad.invalid[0] == 3
    elif size < 300:
        few = eqm.PerGroup(eqm.Average(), last).update(values=values, group=group)
        assert few.invalid[0] == 2


@pytest.mark.parametrize("dtype", SMALL)
def test_fairness(dtype):
    fairness = eqm.GroupFairness(256)
    batch = {"predicted_labels": np.array([1, 1, 1, 0]), "labels": np.array([1, 0, 1, 1])}
    value = fairness(**batch, group=np.array([0, 0, 127, 127], dtype))
    assert value["demographic_parity"] == 0.5 and value["equal_opportunity"] == 0.5


@pytest.mark.parametrize("name", ["logits", "probabilities"])
def test_classes_beyond_the_whole_floats(name):
    from eqmetrics._decisions.decision import best

    classes = 2**24 + 8
    for place in (2**24 + 1, 2**24 + 3, classes - 1):
        scores = np.zeros((1, classes), np.float16)
        scores[0, place] = 1
        found, _, known = jax.jit(ft.partial(best, name))(scores)
        assert found[0] == place and known[0]
