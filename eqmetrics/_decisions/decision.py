"""From scores to decisions: which class each row is predicted as, and which rows count."""

import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32, Shaped

from .._metric.messages import describe
from .._rows.rows import flat, narrow, Rows, rows
from .inputs import check_shape, Inputs, says_something, scores_of, split_entries
from .task import AbstractTask, Binary, has_thresholds, Multiclass, Multilabel, Threshold


class Decisions(NamedTuple):
    """Flattened decisions: integers of shape `(rows,)` if one of several classes is predicted, else
    booleans of shape `(rows, classes)`. `taken`, of the same shape, says which count."""

    labels: Shaped[Array, "rows ..."]
    predicted: Shaped[Array, "rows ..."]
    taken: Bool[Array, "rows ..."]
    batch: Rows


def decide(task: AbstractTask, inputs: Inputs) -> Decisions:
    if isinstance(task, Multiclass):
        return _decide_one(task, inputs)
    return _decide_each(task, inputs)


def hits(task: AbstractTask | None, inputs: Inputs) -> tuple[Bool[Array, "rows ..."], Decisions]:
    """Whether each decision is right. Without a task the scores give the number of classes."""
    name, scores = scores_of(inputs)
    if task is None:
        classes = _MANY if name == "predicted_labels" else scores.shape[-1] if scores.ndim else 0
        if classes == 0:
            raise TypeError(f"`{name}` is {describe(scores)}: it has no classes on its last axis.")
        task = Multiclass(classes)
    if isinstance(task, Multiclass) and task.top_k == 1 and name != "predicted_labels":
        return _hits_of_scores(task, inputs, name, scores)
    d = decide(task, inputs)
    return d.labels == d.predicted, d


_MANY = 2**31 - 1


# ---- one of several classes


def _rows_of_classes(task: Multiclass, inputs: Inputs, name: str, scores: Array) -> Rows:
    """The labels, without ignored rows; those out of range are still there."""
    labels = inputs.labels
    if jnp.issubdtype(labels.dtype, jnp.floating):
        raise TypeError(f"`labels` is {describe(labels)}, expected integers: a class a row.")
    if name == "predicted_labels":
        check_shape(name, scores, labels.shape, labels, "that of `labels`")
    else:
        shape = *labels.shape, task.num_classes
        check_shape(name, scores, shape, labels, "that of `labels` and the classes")
    batch = rows(narrow(labels), inputs.mask, inputs.weights, name="labels")
    if task.ignore_index is None:
        return batch
    return batch.only(batch.values != task.ignore_index)


def _in_range(labels: Array, classes: int) -> Bool[Array, "rows"]:
    return (labels >= 0) & (labels < classes)


def _decide_one(task: Multiclass, inputs: Inputs) -> Decisions:
    name, scores = scores_of(inputs)
    batch = _rows_of_classes(task, inputs, name, scores)
    labels = batch.values
    valid = _in_range(labels, task.num_classes)
    if name == "predicted_labels":
        if task.top_k > 1:
            raise TypeError(
                f"`predicted_labels` was passed, and the task has top_k={task.top_k}: of hard "
                "decisions only the first is known. Pass `logits` or `probabilities`."
            )
        predicted = flat(narrow(scores))
        valid &= _in_range(predicted, task.num_classes)
    else:
        scores = flat(scores, (task.num_classes,))
        predicted, _, known = best(name, scores)
        valid &= known
        if task.top_k > 1:
            own = jnp.where(valid, labels, 0)
            predicted = jnp.where(_rank(scores, own) < task.top_k, own, predicted)
    batch = batch.without(~valid)
    assert batch.mask is not None
    return Decisions(labels, predicted, batch.mask, batch)


# XLA's CPU unrolls an argmax over few classes: 4096 x 10 take 26 us, and 144 us in two passes. With
# more classes an argmax takes ten times as long as two passes.
_FEW = 24
# Beyond, not every integer is a float.
_PLACES = 2**24


def best(
    name: str, scores: Shaped[Array, "rows classes"]
) -> tuple[Int32[Array, "rows"], Float32[Array, "rows"], Bool[Array, "rows"]]:
    """The class of the highest score (the lower one of equals), that score, and whether all scores
    are valid."""
    scores = scores.astype(jnp.float32)
    classes = scores.shape[-1]
    if classes <= _FEW or classes > _PLACES:
        index = jnp.argmax(scores, axis=-1)[:, None]
        top = jnp.take_along_axis(scores, index, axis=-1)[:, 0]  # the first NaN, if there is one
        known = ~jnp.isnan(top)
        if name == "probabilities":
            known &= (top <= 1) & (jnp.min(scores, axis=-1) >= 0)
        return index[:, 0].astype(jnp.int32), top, known
    # As floats: XLA's CPU vectorises a minimum of floats, and not one of integers. Its maximum may
    # drop NaN, so the second pass looks for it.
    top = jnp.max(scores, axis=-1)
    place = jnp.arange(classes, dtype=jnp.float32)[None, :]
    code = jnp.where(scores == top[:, None], place, jnp.float32(classes))
    code = jnp.where(says_something(name, scores), code, -1.0)
    first = jnp.min(code, axis=-1).astype(jnp.int32)
    return jnp.maximum(first, 0), top, first >= 0


def _rank(scores: Array, index: Array) -> Float32[Array, "rows"]:
    """How many scores of its row come before the one at `index`."""
    own = jnp.take_along_axis(scores, index[:, None], axis=-1)
    earlier = jnp.arange(scores.shape[-1], dtype=jnp.int32)[None, :] < index[:, None]
    before = (scores > own) | ((scores == own) & earlier)
    return jnp.sum(before.astype(jnp.float32), axis=-1)


def _hits_of_scores(
    task: Multiclass, inputs: Inputs, name: str, scores: Array
) -> tuple[Bool[Array, "rows"], Decisions]:
    batch = _rows_of_classes(task, inputs, name, scores)
    labels = batch.values
    valid = _in_range(labels, task.num_classes)
    index = jnp.where(valid, labels, 0)
    scores = flat(scores, (task.num_classes,))
    if task.num_classes <= _FEW:
        predicted, _, known = best(name, scores)
        hit = predicted == index
        valid &= known
    else:
        # Whether one score is the best needs no argmax, only the maximum of a code in one pass: 0
        # is a score below that of the label, 1 is above it (or equal and earlier), 2 is invalid. As
        # floats: XLA's CPU vectorises a maximum of floats, and neither one of integers nor a sum,
        # and no NaN reaches it.
        top = jnp.take_along_axis(scores, index[:, None], axis=-1)
        before = jnp.arange(task.num_classes, dtype=jnp.int32)[None, :] < index[:, None]
        beats = jnp.where((scores > top) | before, 1.0, 0.0)
        code = jnp.where(says_something(name, scores), jnp.where(scores < top, 0.0, beats), 2.0)
        code = jnp.max(code, axis=-1)
        hit = code == 0
        valid &= code < 2
    batch = batch.without(~valid)
    assert batch.mask is not None
    return hit, Decisions(labels, labels, batch.mask, batch)


# ---- yes or no, of one class or of each


def _decide_each(task: AbstractTask, inputs: Inputs) -> Decisions:
    assert isinstance(task, (Binary, Multilabel))
    name, scores = scores_of(inputs)
    labels = inputs.labels
    if jnp.issubdtype(labels.dtype, jnp.floating):
        raise TypeError(f"`labels` is {describe(labels)}, expected 0 and 1, or booleans.")
    check_shape(name, scores, labels.shape, labels, "that of `labels`: one score a label")
    shape = () if isinstance(task, Binary) else (task.num_labels,)
    mask, entries = split_entries(inputs, isinstance(task, Multilabel))
    batch = rows(narrow(labels), mask, inputs.weights, shape, name="labels")
    labels = batch.values.reshape(-1, task.classes)
    scores = flat(scores, shape).reshape(-1, task.classes)
    positive, known = _positive(task, name, scores)
    known &= (labels == 0) | (labels == 1)
    taken = jnp.ones(labels.shape, bool)
    if task.ignore_index is not None:
        taken = labels != task.ignore_index
    if entries is not None:
        taken &= entries
    if task.ignore_index is not None or entries is not None:
        batch = batch.only(jnp.any(taken, axis=-1))
    batch = batch.without(jnp.any(taken & ~known, axis=-1))
    assert batch.mask is not None
    if isinstance(task, Multilabel) and task.top_k is not None:
        positive = _highest(scores, taken, task.top_k)
    yes, taken = labels == 1, taken & batch.mask[:, None]
    if has_thresholds(task):  # a decision for each
        yes, taken = (jnp.broadcast_to(x, positive.shape) for x in (yes, taken))
    return Decisions(yes, positive, taken, batch)


def _positive(task: Binary | Multilabel, name: str, scores: Array) -> tuple[Array, Array]:
    """Which scores are a yes, and which are valid."""
    threshold = task.threshold
    if name == "predicted_labels":
        if has_thresholds(task) or (isinstance(task, Multilabel) and task.top_k is not None):
            raise TypeError(
                f"`predicted_labels` was passed, and the task is {task}: hard decisions are made, "
                "and no threshold or rank is asked. Pass `logits` or `probabilities`."
            )
        scores = narrow(scores)
        return scores == 1, (scores == 0) | (scores == 1)
    scores = scores.astype(jnp.float32)
    least = threshold if name == "probabilities" else log_odds(threshold)
    if isinstance(least, tuple):
        least = jnp.asarray(np.array(least, np.float32))[None, :]
    return scores > least, says_something(name, scores)


def _highest(
    scores: Array, taken: Bool[Array, "rows labels"], k: int
) -> Bool[Array, "rows labels"]:
    """The `k` highest scores of each row among those that are taken; the earlier of equals."""
    # 0.0 and -0.0 are equal, and minus infinity comes before what isn't taken.
    x = jnp.maximum(scores.astype(jnp.float32) + 0.0, -float(jnp.finfo(jnp.float32).max))
    _, places = lax.top_k(jnp.where(taken, x, -jnp.inf), min(k, x.shape[1]))
    row = jnp.arange(x.shape[0], dtype=jnp.int32)[:, None]
    return jnp.zeros(x.shape, bool).at[row, places].set(True) & taken


def log_odds(probability: Threshold) -> Threshold:
    if isinstance(probability, tuple):
        return tuple(_log_odds(x) for x in probability)
    return _log_odds(probability)


def _log_odds(probability: float) -> float:
    if probability in (0, 1):
        return math.copysign(math.inf, probability - 0.5)
    return math.log(probability / (1 - probability))
