"""Scores as they were given: of which class, in which rows, and the log-odds of logits."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32, Shaped

from .._metric.messages import describe
from .._rows.rows import narrow, Rows, rows
from .inputs import (
    check_shape,
    Inputs,
    PREDICTED,
    says_something,
    scores_of as scores_given,
    split_entries,
)
from .softmax import without_nan
from .task import AbstractTask, Binary, Multiclass, Multilabel


class Scores(NamedTuple):
    """Flattened scores. `labels` and `taken` are of shape `(rows,)` if a row has one of several
    classes, else `(rows, classes)`. `scores` are 0 where a row isn't taken; `given` is unchanged,
    since the softmax of that is fastest."""

    labels: Shaped[Array, "rows ..."]
    scores: Float32[Array, "rows classes"]
    given: Float32[Array, "rows classes"]
    taken: Bool[Array, "rows ..."]
    are_logits: bool
    batch: Rows

    def each(self) -> tuple[Bool[Array, "rows classes"], Bool[Array, "rows classes"]]:
        """Each class against all others: which rows are of the class, and which take part."""
        if self.labels.ndim == 2:
            return self.labels, self.taken
        classes = jnp.arange(self.scores.shape[1], dtype=jnp.int32)
        taken = jnp.broadcast_to(self.taken[:, None], self.scores.shape)
        return self.labels[:, None] == classes[None, :], taken

    def weights(self) -> Float32[Array, "rows classes"] | None:
        w = self.batch.weights
        return None if w is None else jnp.broadcast_to(w[:, None], self.scores.shape)


def scores_of(
    task: AbstractTask,
    inputs: Inputs,
    without_nan: Callable[[Array], Bool[Array, "rows"]] = without_nan,
) -> Scores:
    """The scores and labels of a batch. A metric that computes the softmax may say how to look for
    NaN among the logits of a row, in a step that it needs anyway."""
    name, x = scores_given(inputs, PREDICTED[:2])
    labels = inputs.labels
    if jnp.issubdtype(labels.dtype, jnp.floating):
        raise TypeError(f"`labels` is {describe(labels)}, expected integers or booleans.")
    one = isinstance(task, Multiclass)
    shape = (*labels.shape, task.classes) if one else labels.shape
    why = "that of `labels` and the classes" if one else "that of `labels`: one score a label"
    check_shape(name, x, shape, labels, why)
    trailing = (task.num_labels,) if isinstance(task, Multilabel) else ()
    mask, entries = split_entries(inputs, isinstance(task, Multilabel))
    batch = rows(narrow(labels), mask, inputs.weights, trailing, "labels")
    labels = batch.values if one else batch.values.reshape(-1, task.classes)
    scores = x.astype(jnp.float32).reshape(-1, task.classes)
    taken = jnp.ones(labels.shape, bool)
    if task.ignore_index is not None:
        taken = labels != task.ignore_index
    if entries is not None:
        taken &= entries
    if task.ignore_index is not None or entries is not None:
        batch = batch.only(taken if one else jnp.any(taken, axis=-1))
    if one:
        logits = name == "logits"
        known = without_nan(scores) if logits else jnp.all(says_something(name, scores), axis=-1)
        good = known & (labels >= 0) & (labels < task.classes)
    else:
        assert isinstance(task, (Binary, Multilabel))
        known = says_something(name, scores) & ((labels == 0) | (labels == 1))
        good = jnp.all(~taken | known, axis=-1)
        labels = labels == 1
    batch = batch.without(~good)
    assert batch.mask is not None
    taken &= batch.mask.reshape(-1, *(1,) * (labels.ndim - 1))
    keep = taken[:, None] if one else taken
    return Scores(labels, jnp.where(keep, scores, 0), scores, taken, name == "logits", batch)


def log_odds_of_classes(logits: Float32[Array, "rows classes"]) -> Float32[Array, "rows classes"]:
    """For each class $\\log(p / (1 - p))$, where $p$ is its softmax probability: it orders rows as
    $p$ does, and doesn't saturate."""
    best = jnp.argmax(logits, axis=-1, keepdims=True).astype(jnp.int32)
    is_best = jnp.arange(logits.shape[1], dtype=jnp.int32)[None, :] == best
    top = jnp.take_along_axis(logits, best, axis=-1)
    # For the best class the others are summed anew: the difference from the whole would cancel.
    others = jnp.where(is_best, -jnp.inf, logits)
    second = jnp.max(others, axis=-1, keepdims=True)
    rest = jnp.sum(jnp.where(is_best, 0, jnp.exp(_minus(others, second))), -1, keepdims=True)
    of_best = -(_minus(second, top) + jnp.log(rest))
    shifted = _minus(logits, top)
    parts = jnp.exp(shifted)
    whole = jnp.sum(parts, axis=-1, keepdims=True)
    return jnp.where(is_best, of_best, shifted - jnp.log(whole - jnp.where(is_best, 0, parts)))


def _minus(x: Array, y: Array) -> Array:
    """The difference, where inf - inf is 0."""
    return jnp.where(x == y, 0, x - lax.stop_gradient(y))
