from collections.abc import Sequence
from typing import final

import equinox as eqx
from jaxtyping import Array

from .._rows.row_mean import Empty
from .average import AbstractClassScore, AverageKind
from .stat_scores import Counts
from .task import AbstractTask


@final
class F1(AbstractClassScore, init=False):
    r"""The harmonic mean of precision and recall.

    $2\,\mathrm{tp} / (2\,\mathrm{tp} + \mathrm{fp} + \mathrm{fn})$

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].
    - `average`: `"macro"`, the mean over the classes where it is defined; `"weighted"`, that
        weighted by their support; `"micro"`, the value of all counts together; `None`, that of
        each class. A binary task has only the class 1, and ignores it.
    - `include`: the classes of the average, such as `(1, 2)`; all but an ignored one if not given.
        Other classes have no value.
    - `empty`: what an undefined class counts as in a macro or weighted average: `"skip"` leaves it
        out, `"zero"` and `"one"` count it as 0 or 1.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.StatScores`][], shared.
    Undefined when: no row is of the class nor predicted as it. A class that is predicted and never
    true has the F1 0, like one that is true and never predicted.
    Source: van Rijsbergen, Information Retrieval, 1979.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        predicted, labels = jnp.array([1, 1, 0, 0]), jnp.array([1, 0, 0, 1])
        f1 = eqm.F1(eqm.Binary())
        assert f1(predicted_labels=predicted, labels=labels) == 0.5
        ```
    """

    def ratio(self, counts: Counts) -> tuple[Array, Array]:
        return 2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn


@final
class FBeta(AbstractClassScore):
    r"""The weighted harmonic mean of precision and recall, in which recall counts $\beta$ times as
    much as precision.

    $(1 + \beta^2)\,\mathrm{tp} / ((1 + \beta^2)\,\mathrm{tp} + \mathrm{fp} + \beta^2\,\mathrm{fn})$

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].
    - `beta`: above 1 favours recall, below 1 precision; 0 gives precision and infinity recall.
    - `average`: `"macro"`, the mean over the classes where it is defined; `"weighted"`, that
        weighted by their support; `"micro"`, the value of all counts together; `None`, that of
        each class. A binary task has only the class 1, and ignores it.
    - `include`: the classes of the average, such as `(1, 2)`; all but an ignored one if not given.
        Other classes have no value.
    - `empty`: what an undefined class counts as in a macro or weighted average: `"skip"` leaves it
        out, `"zero"` and `"one"` count it as 0 or 1.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.StatScores`][], shared.
    Undefined when: no row is of the class nor predicted as it.
    Source: van Rijsbergen, Information Retrieval, 1979.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        f2 = eqm.FBeta(eqm.Binary(), beta=2.0)
        value = f2(predicted_labels=jnp.array([1, 1, 1, 0]), labels=jnp.array([1, 0, 0, 0]))
        assert value == jnp.float32(5 / 7)
        ```
    """

    beta: float = eqx.field(static=True)

    def __init__(
        self,
        task: AbstractTask,
        *,
        beta: float,
        average: AverageKind = "macro",
        include: Sequence[int] | None = None,
        empty: Empty = "skip",
        undefined: float | None = None,
    ):
        if not 0 <= beta:
            raise ValueError(f"beta={beta}: expected a number of at least 0.")
        AbstractClassScore.__init__(
            self, task, average=average, include=include, empty=empty, undefined=undefined
        )
        self.beta = beta

    def ratio(self, counts: Counts) -> tuple[Array, Array]:
        # In units of the larger of 1 and beta^2, so that neither leaves the range of float32.
        own, rest = (1.0, self.beta**2) if self.beta <= 1 else (self.beta**-2, 1.0)
        top = (own + rest) * counts.tp
        return top, top + own * counts.fp + rest * counts.fn
