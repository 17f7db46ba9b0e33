from typing import final

from jaxtyping import Array

from .average import AbstractClassScore
from .stat_scores import Counts


@final
class Jaccard(AbstractClassScore, init=False):
    r"""The overlap of the rows of a class with those predicted as it; intersection over union.

    $\mathrm{tp} / (\mathrm{tp} + \mathrm{fp} + \mathrm{fn})$

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
    Undefined when: no row is of the class nor predicted as it.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        predicted, labels = jnp.array([1, 1, 0, 0]), jnp.array([1, 0, 0, 1])
        jaccard = eqm.Jaccard(eqm.Binary())
        assert jaccard(predicted_labels=predicted, labels=labels) == jnp.float32(1 / 3)
        ```
    """

    def ratio(self, counts: Counts) -> tuple[Array, Array]:
        return counts.tp, counts.tp + counts.fp + counts.fn
