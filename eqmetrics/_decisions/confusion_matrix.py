from typing import Any, final, get_args, Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._metric.html import html_of_matrices
from .._metric.metric import AbstractExact
from .._metric.readout import AbstractReadout
from .._reduction.pair import Pair, to_float
from .._reduction.pair_sums import sum_pairs
from .._rows.nearest_quotient import quotient_or
from .confusion_counts import ConfusionCounts
from .stat_scores import StatScores
from .task import AbstractTask, Binary, Multiclass, one_threshold


Normalize = Literal["true", "pred", "all"] | None


def pairs_of(statistic: ConfusionCounts | StatScores) -> Pair:
    """Pairs of shape `(2, *, true, predicted)`: one matrix, or one matrix for each label."""
    if isinstance(statistic, ConfusionCounts):
        return statistic.sums.pair("cells")
    tp, fp, fn, tn = statistic.counts()
    rows = jnp.stack([tn, fp], axis=-1), jnp.stack([fn, tp], axis=-1)
    matrices = jnp.stack(rows, axis=-2)
    return matrices[:, 0] if isinstance(statistic.task, Binary) else matrices


@final
class ConfusionMatrix(AbstractReadout, AbstractExact):
    """How often each class was predicted as each: true classes in rows, predicted in columns.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][], or
        [`eqmetrics.Multilabel`][], which has a matrix of no and yes for each label.
    - `normalize`: `None` for counts; `"true"` divides each row by its sum, `"pred"` each
        column, `"all"` by the sum of all.
    - `undefined`: what replaces undefined entries; NaN if not given (scikit-learn: 0).

    The gradient is 0: the value is piecewise constant.
    State: `2 * num_classes**2` floats, 8 if binary, 8 a label if multilabel; and 2 for the invalid
    rows. Undefined when: normalized, and the sum is 0; counts never. `eqm.to_host` reads counts
    exactly up to $2^{48}$. Rows with an ignored label don't count; predictions of an ignored class
    do.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        confusion = eqm.ConfusionMatrix(eqm.Multiclass(2))
        matrix = confusion(predicted_labels=jnp.array([0, 1, 1]), labels=jnp.array([0, 0, 1]))
        assert matrix.tolist() == [[1, 1], [0, 1]]
        ```
    """

    task: AbstractTask = eqx.field(static=True)
    normalize: Normalize = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: ConfusionCounts | StatScores

    def __init__(
        self,
        task: AbstractTask,
        *,
        normalize: Normalize = None,
        undefined: float | None = None,
    ):
        kinds = get_args(get_args(Normalize)[0])
        if normalize is not None and normalize not in kinds:
            raise ValueError(f"normalize={normalize!r}: expected one of {kinds}, or None.")
        one_threshold("ConfusionMatrix", task)
        self.task = task
        self.normalize = normalize
        self.undefined = undefined
        self.statistic = ConfusionCounts(task) if isinstance(task, Multiclass) else StatScores(task)

    def exact(self) -> Any:
        return pairs_of(self.statistic) if self.normalize is None else None

    def compute(self) -> Float32[Array, "... classes classes"]:
        """Of shape `(classes, classes)`; for a binary task `(2, 2)`, multilabel
        `(labels, 2, 2)`."""
        pairs = pairs_of(self.statistic)
        counts = to_float(pairs)
        if self.normalize is None:
            return counts
        axes = {"true": (-1,), "pred": (-2,), "all": (-2, -1)}[self.normalize]
        for axis in axes:
            pairs = jnp.expand_dims(sum_pairs(jnp.moveaxis(pairs, axis, 1)), axis)
        total = to_float(pairs)
        return quotient_or(counts, total, self.undefined)

    def _repr_html_(self) -> str | None:
        return html_of_matrices(self)
