"""What every classification metric is given: labels, and exactly one of three kinds of scores."""

import abc
from typing import Any, NamedTuple, Self

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .._custom_types import Input, Labels, Mask, Weights
from .._metric.messages import describe
from .._metric.metric import Metric
from .._rows.inner import split_mask


class Inputs(NamedTuple):
    """What a classification metric is given: arrays, or `None` where nothing is."""

    labels: Any
    logits: Any
    probabilities: Any
    predicted_labels: Any
    mask: Any
    weights: Any


class AbstractLabelled(Metric):
    """Reads labels and scores. A subclass writes `see`."""

    def update(
        self,
        *,
        labels: Labels,
        logits: Float[Input, "..."] | None = None,
        probabilities: Float[Input, "..."] | None = None,
        predicted_labels: Labels | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """Takes exactly one of `logits`, `probabilities` and `predicted_labels`; their shapes are
        the task's. `mask` and `weights` have the shape of the rows. A `mask` of the shape of
        multilabel `labels` removes single labels."""
        return self.see(Inputs(labels, logits, probabilities, predicted_labels, mask, weights))

    @abc.abstractmethod
    def see(self, inputs: Inputs) -> Self:
        """The metric that has also seen these rows."""


PREDICTED = "logits", "probabilities", "predicted_labels"


def scores_of(inputs: Inputs, names: tuple[str, ...] = PREDICTED) -> tuple[str, Array]:
    """The scores that were given, and under which name."""
    given = {n: x for n in names if (x := getattr(inputs, n)) is not None}
    if len(given) != 1:
        first = ", ".join(f"`{n}`" for n in names[:-1])
        raise TypeError(
            f"Exactly one of {first} and `{names[-1]}` says what was "
            f"predicted; got {' and '.join(f'`{n}`' for n in given) or 'none of them'}."
            + (
                f" Leave one out: `metric.from_output({list(given)[-1]}=None)`."
                if given
                else " Pass the one you have; `metric.from_output(logits=...)` renames it."
            )
        )
    ((name, x),) = given.items()
    integers = jnp.issubdtype(x.dtype, jnp.integer) or x.dtype == jnp.bool_
    if (name == "predicted_labels") != integers:
        raise TypeError(
            f"`{name}` is {describe(x)}, expected "
            + ("integers: a class for each row." if name == "predicted_labels" else "floats.")
        )
    return name, x


def split_entries(inputs: Inputs, of_labels: bool) -> tuple[Any, Bool[Array, "rows labels"] | None]:
    """The mask of the rows; and that of their labels, if each label has its own."""
    if of_labels and inputs.mask is not None and inputs.mask.ndim == inputs.labels.ndim:
        return split_mask(inputs.mask, inputs.labels, 1, "labels")
    return inputs.mask, None


def says_something(name: str, scores: Array) -> Bool[Array, "..."]:
    """Which scores are valid. Every metric of a task counts the same rows."""
    if name == "probabilities":
        return (scores >= 0) & (scores <= 1)
    return ~jnp.isnan(scores)


def check_shape(name: str, x: Array, shape: tuple[int, ...], labels: Array, why: str) -> None:
    if x.shape != shape:
        raise TypeError(
            f"`{name}` is {describe(x)} and `labels` is {describe(labels)}: expected the shape "
            f"{shape} for `{name}`, {why}.{_way_out(name, x, shape, labels)}"
        )


def _way_out(name: str, x: Array, shape: tuple[int, ...], labels: Array) -> str:
    if x.shape == labels.shape and len(shape) == x.ndim + 1:
        if x.ndim > 1 and x.shape[-1] == shape[-1]:
            return (
                " Labels that are one-hot are made classes by `labels.argmax(-1)`; a yes or no "
                f"for each of several labels is the task `eqm.Multilabel({shape[-1]})`."
            )
        return (
            " One score a row is a binary task: pass the metric `eqm.Binary()`, as in "
            "`eqm.Accuracy(eqm.Binary())`."
        )
    if x.shape[:-1] == shape == labels.shape and x.shape[-1:] == (1,):
        return f" Leave out the last axis: `{name}[..., 0]`."
    if x.shape[:-1] == shape == labels.shape:
        if name == "predicted_labels":
            return " One-hot predictions are made classes by `predicted_labels.argmax(-1)`."
        return f" Several scores a row are the task `eqm.Multiclass({x.shape[-1]})`."
    last = labels.ndim - 1
    if labels.shape[last:] == (1,) and x.shape == (*shape[:last], *shape[last + 1 :]):
        return " Leave out the last axis of the labels: `labels[..., 0]`."
    for axis in range(x.ndim - 1):
        if (*x.shape[:axis], *x.shape[axis + 1 :], x.shape[axis]) == shape:
            return f" The classes are the last axis: `jnp.moveaxis({name}, {axis}, -1)`."
    return ""
