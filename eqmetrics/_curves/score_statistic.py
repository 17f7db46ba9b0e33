"""What readouts of curves know of the rows: cells of scores, from low to high."""

import abc
from typing import NamedTuple, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Float32, Int32

from .._custom_types import Input, Labels, Mask, Weights
from .._decisions.inputs import Inputs
from .._decisions.task import AbstractTask
from .._metric.metric import AbstractExact
from .._metric.readout import AbstractStatistic
from .._reduction.pair import Pair, to_float


class Cells(NamedTuple):
    """The cells of one layout, from low scores to high ones. `smallest` and `largest` are keys."""

    negatives: Pair  # (2, classes, cells)
    positives: Pair
    smallest: Int32[Array, "classes cells"]
    largest: Int32[Array, "classes cells"]
    # The share of pairs of a positive and a negative that are in order, with half of those that
    # tie; only if the cells are rows, where it takes a fifth of the time that it does from cells.
    in_order: Pair | None = None

    @property
    def tied(self) -> Bool[Array, "classes cells"]:
        """Whether all rows of a cell have one score."""
        return self.smallest == self.largest


class AbstractScores(AbstractStatistic, AbstractExact):
    """A statistic of labels and scores. A subclass writes `see`, `layouts`, `against` and
    `totals`."""

    task: eqx.AbstractVar[AbstractTask]
    kinds: eqx.AbstractVar[Bool[Array, "2"]]  # whether logits were seen, and probabilities

    def update(
        self,
        *,
        labels: Labels,
        logits: Float[Input, "..."] | None = None,
        probabilities: Float[Input, "..."] | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """Takes exactly one of `logits` and `probabilities`, the same one in all updates; their
        shapes are the task's. `mask` and `weights` have the shape of the rows."""
        return self.see(Inputs(labels, logits, probabilities, None, mask, weights))

    @abc.abstractmethod
    def see(self, inputs: Inputs) -> Self:
        """The statistic that has also seen these rows."""

    @abc.abstractmethod
    def layouts(self, joined: tuple[int, ...] | None = None) -> tuple[Cells, ...]:
        """The rows of each class against all others; or those of the classes `joined`, as one
        class. Each layout alone holds all rows."""

    @abc.abstractmethod
    def against(self, other: Int32[Array, ""]) -> tuple[Cells, ...]:
        """The rows of each class against those of one other alone."""

    @abc.abstractmethod
    def totals(self) -> tuple[Pair, Pair]:
        """The weight of negatives and of positives, of each class."""

    def mixed(self) -> Bool[Array, ""]:
        """Whether both logits and probabilities were given."""
        return jnp.all(self.kinds)

    def exact(self) -> dict[str, Pair]:
        negatives, positives = self.totals()
        bad = self.mixed()
        return {
            "negatives": jnp.where(bad, jnp.nan, negatives),
            "positives": jnp.where(bad, jnp.nan, positives),
        }

    def compute(self) -> dict[str, Float32[Array, "classes"]]:
        """The weight of `negatives` and of `positives`, of each class."""
        return {name: to_float(x) for name, x in self.exact().items()}
