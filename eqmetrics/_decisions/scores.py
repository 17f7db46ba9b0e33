"""Scores as they come: whose they are, which rows count, and what a logit is worth."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32, Shaped

from .._metric.checks import describe
from .._rows.rows import narrow, Rows, rows
from .inputs import (
    check_shape,
    Inputs,
    PREDICTED,
    says_something,
    scores_of as scores_given,
)
from .task import AbstractTask, Binary, Multiclass, Multilabel


class Scores(NamedTuple):
    """Flattened. `labels` and `taken` are of shape `(rows,)` if a row has one of several
    classes, else of shape `(rows, classes)`. Where a row isn't in the mask of `batch`, its
    scores are 0."""

    labels: Shaped[Array, "rows ..."]
    scores: Float32[Array, "rows classes"]
    taken: Bool[Array, "rows ..."]
    are_logits: bool
    batch: Rows

    def each(self) -> tuple[Bool[Array, "rows classes"], Bool[Array, "rows classes"]]:
        """Of each class against all others: which rows are of it, and which take part."""
        if self.labels.ndim == 2:
            return self.labels, self.taken
        classes = jnp.arange(self.scores.shape[1], dtype=jnp.int32)
        taken = jnp.broadcast_to(self.taken[:, None], self.scores.shape)
        return self.labels[:, None] == classes[None, :], taken

    def weights(self) -> Float32[Array, "rows classes"] | None:
        w = self.batch.weights
        return None if w is None else jnp.broadcast_to(w[:, None], self.scores.shape)


def scores_of(task: AbstractTask, inputs: Inputs) -> Scores:
    name, x = scores_given(inputs, PREDICTED[:2])
    labels = inputs.labels
    if jnp.issubdtype(labels.dtype, jnp.floating):
        raise TypeError(f"`labels` is {describe(labels)}, expected integers or booleans.")
    one = isinstance(task, Multiclass)
    shape = (*labels.shape, task.classes) if one else labels.shape
    why = "that of `labels` and the classes" if one else "that of `labels`: one score a label"
    check_shape(name, x, shape, labels, why)
    trailing = (task.num_labels,) if isinstance(task, Multilabel) else ()
    batch = rows(narrow(labels), inputs.mask, inputs.weights, trailing, "labels")
    labels = batch.values if one else batch.values.reshape(-1, task.classes)
    scores = x.astype(jnp.float32).reshape(-1, task.classes)
    taken = jnp.ones(labels.shape, bool)
    if task.ignore_index is not None:
        taken = labels != task.ignore_index
        batch = batch.only(taken if one else jnp.any(taken, axis=-1))
    known = says_something(name, scores)
    if one:
        good = jnp.all(known, axis=-1) & (labels >= 0) & (labels < task.classes)
    else:
        assert isinstance(task, (Binary, Multilabel))
        good = jnp.all(~taken | (known & ((labels == 0) | (labels == 1))), axis=-1)
        labels = labels == 1
    batch = batch.without(~good)
    assert batch.mask is not None
    taken &= batch.mask.reshape(-1, *(1,) * (labels.ndim - 1))
    keep = taken[:, None] if one else taken
    scores = jnp.where(keep, scores, 0)
    return Scores(labels, scores, taken, name == "logits", batch)


def softmax_parts(logits: Float32[Array, "rows classes"]) -> tuple[Array, Array]:
    """The logits less the highest one, and the sum of their exponentials: the softmax of a row, for
    all metrics. Infinite logits share the probability 1 among them; so do all, if none is above
    minus infinity."""
    top = jnp.max(logits, axis=-1, keepdims=True)
    shifted = jnp.where(logits == top, 0, logits - top)
    return shifted, jnp.sum(jnp.exp(shifted), axis=-1, keepdims=True)


def softmax(logits: Float32[Array, "rows classes"]) -> Float32[Array, "rows classes"]:
    shifted, whole = softmax_parts(logits)
    return jnp.exp(shifted) / whole


def log_odds_of_classes(logits: Float32[Array, "rows classes"]) -> Float32[Array, "rows classes"]:
    """Of each class $\\log(p / (1 - p))$, where `p` is its softmax: it orders rows as `p`
    does, and doesn't saturate."""
    best = jnp.argmax(logits, axis=-1, keepdims=True).astype(jnp.int32)
    is_best = jnp.arange(logits.shape[1], dtype=jnp.int32)[None, :] == best
    top = jnp.take_along_axis(logits, best, axis=-1)
    # Of the best class the others are summed anew: taken from the whole, they would cancel.
    others = jnp.where(is_best, -jnp.inf, logits)
    second = jnp.max(others, axis=-1, keepdims=True)
    rest = jnp.sum(jnp.where(is_best, 0, jnp.exp(_minus(others, second))), -1, keepdims=True)
    of_best = -(_minus(second, top) + jnp.log(rest))
    shifted = _minus(logits, top)
    parts = jnp.exp(shifted)
    whole = jnp.sum(parts, axis=-1, keepdims=True)
    return jnp.where(is_best, of_best, shifted - jnp.log(whole - jnp.where(is_best, 0, parts)))


def _minus(x: Array, y: Array) -> Array:
    """With inf - inf = 0."""
    return jnp.where(x == y, 0, x - lax.stop_gradient(y))
