"""`SpanCounts` and `SequenceLabelF1` beside the loops that define the two schemes, and by hand.
(Beside seqeval 1.2.2 itself, 200 cases of each scheme and average agreed when this was written.)"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import agree, few, fold, ROWS, spread, STEPS
from .drawn import seeds


TAGS = ["O", "B-x", "I-x", "B-a", "I-a"]
LENGTH = 6


def lenient(tags):
    """conlleval: a chunk starts at B-, or at an I- that doesn't continue its type."""
    found, start = set(), None
    for i, tag in enumerate([*tags, "O"]):
        continues = start is not None and tag[0] == "I" and tag[2:] == tags[start][2:]
        if start is not None and not continues:
            found.add((start, i, tags[start][2:]))
            start = None
        if tag != "O" and not continues:
            start = i
    return found


def strict(tags):
    """IOB2: a B-, and as many I- of its type as follow."""
    found = set()
    for i, tag in enumerate(tags):
        if tag[0] == "B":
            end = i + 1
            while end < len(tags) and tags[end] == f"I-{tag[2:]}":
                end += 1
            found.add((i, end, tag[2:]))
    return found


SCHEMES = {"lenient": lenient, "strict": strict}


def drawn(seed):
    rng = np.random.default_rng(seed)
    shape = STEPS, ROWS, LENGTH
    p = [0.3, 0.15, 0.3, 0.05, 0.2]
    labels = rng.choice(5, shape, p=p).astype(np.int32)
    other = rng.choice(5, shape, p=p).astype(np.int32)
    predicted = np.where(rng.random(shape) < rng.choice([0.1, 0.5]), other, labels)
    mask = rng.random(shape) < rng.choice([0.0, 0.6, 1.0], (STEPS, ROWS, 1))
    weights = np.float32(rng.choice([0.0, 1.0, 2.0, 0.25], shape[:2]))
    return {
        "labels": np.where(mask, labels, -7),
        "predicted_labels": np.where(mask, predicted, 99).astype(np.int32),
        "mask": mask,
        "weights": weights,
    }


def counted(batch, scheme):
    cells = np.zeros((3, 2))
    for place in np.ndindex(STEPS, ROWS):
        keep, w = batch["mask"][place], float(batch["weights"][place])
        sides = [
            SCHEMES[scheme]([TAGS[i] for i in batch[name][place][keep]])
            for name in ("labels", "predicted_labels")
        ]
        for row, spans in zip(cells, [*sides, sides[0] & sides[1]], strict=True):
            for _, _, kind in spans:
                row["ax".index(kind)] += w
    return cells


@pytest.mark.parametrize("way", [fold, spread])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_counts_and_averages(way, scheme):
    @few
    @given(seed=seeds)
    def check(seed):
        batch = drawn(seed)
        support, predicted, tp = counted(batch, scheme)
        got = way(eqm.text.SpanCounts(TAGS, scheme=scheme), batch)
        assert not got.sums.invalid.any()
        values = got.compute()
        want = [tp, predicted - tp, support - tp, support]
        agree([values[n] for n in ("tp", "fp", "fn", "support")], want)
        some = support + predicted > 0
        each = 2 * tp / np.where(some, support + predicted, 1)
        micro = [2 * tp.sum(), (support + predicted).sum()]
        averages = {
            "micro": micro[0] / micro[1] if some.any() else np.nan,
            "macro": each[some].mean() if some.any() else np.nan,
            "weighted": np.sum(each * support) / support.sum() if support.any() else np.nan,
            None: np.where(some, each, np.nan),
        }
        for average, value in averages.items():
            score = eqm.text.SequenceLabelF1(TAGS, scheme=scheme, average=average)
            agree(score.replace(statistic=got).compute(), value)

    check()


def test_by_hand():
    labels = jnp.array([[1, 2, 0, 3, 4, 4]])
    right = eqm.text.SequenceLabelF1(TAGS)
    assert right(labels=labels, predicted_labels=labels) == 1
    cut = jnp.array([[1, 2, 0, 3, 4, 0]])  # the second ends too early
    assert right(labels=labels, predicted_labels=cut) == 0.5
    orphan = jnp.array([[2, 2, 0, 3, 4, 4]])  # no B- at the start
    assert right(labels=labels, predicted_labels=orphan) == 1
    strictly = eqm.text.SequenceLabelF1(TAGS, scheme="strict", average=None)
    agree(strictly(labels=labels, predicted_labels=orphan), [1, 0])
    assert jnp.isnan(right.compute())
    assert eqm.text.SequenceLabelF1(TAGS, undefined=0.0).compute() == 0


def test_ignored_tokens_stand_between_none():
    """As the later pieces of words, whose labels are -100."""
    labels, predicted = jnp.array([[1, -100, 2, 0, 1]]), jnp.array([[1, 0, 2, 0, 1]])
    ignoring = eqm.text.SequenceLabelF1(TAGS, ignore_index=-100)
    assert ignoring(labels=labels, predicted_labels=predicted) == 1
    masked = eqm.text.SequenceLabelF1(TAGS)
    mask = labels >= 0
    value = masked.update(labels=labels, predicted_labels=predicted, mask=mask)
    alone = masked.update(
        labels=labels[:, [0, 2, 3, 4]], predicted_labels=predicted[:, [0, 2, 3, 4]]
    )
    jax.tree.map(np.testing.assert_array_equal, value, alone)
    empty = jnp.zeros((2, 0), jnp.int32)
    assert jnp.isnan(masked(labels=empty, predicted_labels=empty))


def test_what_is_invalid_is_counted():
    labels, predicted = jnp.array([[0, 5], [0, 1], [1, 2]]), jnp.array([[0, 1], [0, -1], [1, 2]])
    new = eqm.text.SpanCounts(TAGS).update(labels=labels, predicted_labels=predicted)
    assert new.sums.invalid.tolist() == [2, 0]
    with pytest.raises(eqm.InvalidDataError, match=r"labels and predicted_labels in \[0, 5\)"):
        new.check()


def test_errors_say_what_to_do():
    for tags, found in (
        (["O", "S-x"], "'S-x' is none of them"),
        (["O", "B-"], "'B-' is none of them"),
        (["O", "B-x", "B-x"], "once, in the order"),
        (["O"], "no tag begins a span"),
    ):
        with pytest.raises(ValueError, match=found):
            eqm.text.SpanCounts(tags)
    with pytest.raises(ValueError, match="scheme='IOB1'"):
        eqm.text.SequenceLabelF1(TAGS, scheme="IOB1")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"scores.argmax\(-1\)"):
        eqm.text.SpanCounts(TAGS).update(
            labels=jnp.zeros((2, 3), jnp.int32), predicted_labels=jnp.zeros((2, 3, 5), jnp.int32)
        )
