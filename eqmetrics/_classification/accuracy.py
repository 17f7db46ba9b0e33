from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Float32, Integer

from .._checks import describe
from .._custom_types import Input, Mask, Weights
from .._field import state
from .._metric import Metric
from .._reduction import EXACT_SUM
from .._reduction.pair import add, fused, to_float
from .._rows import rows, undefined_as


def _hits(logits: Array, labels: Array) -> tuple[Array, Array]:
    """Whether each label's own score is the best of its row, and whether the row is valid.
    Ties go to the lower class."""
    classes = logits.shape[-1]
    # 8 bits don't hold 300 classes: the comparison below would wrap.
    labels = labels.astype(jnp.int32)
    valid = (labels >= 0) & (labels < classes)
    index = jnp.where(valid, labels, 0)[:, None]
    if classes <= 24:
        # XLA's CPU unrolls a short argmax: 4096 x 10 in 9 us, 32 in the form below. It
        # answers with the first NaN, if there is one.
        best = jnp.argmax(logits, axis=-1)[:, None]
        top = jnp.take_along_axis(logits, best, axis=-1)
        return (best == index)[:, 0], valid & ~jnp.isnan(top)[:, 0]
    # The rank of one score needs no argmax, and the maximum of one code per score is one
    # pass: 0 is beaten by the label's, 1 beats it (or ties and comes first), 2 is NaN. As
    # floats: XLA's CPU vectorises a float maximum and not an integer one or a sum, and no
    # NaN reaches it.
    own = jnp.take_along_axis(logits, index, axis=-1)
    before = jnp.arange(classes, dtype=jnp.int32)[None, :] < index
    beats = jnp.where((logits > own) | before, 1.0, 0.0)
    code = jnp.where(logits < own, 0.0, jnp.where(jnp.isnan(logits), 2.0, beats))
    code = jnp.max(code, axis=-1)
    return code == 0, valid & (code < 2)


@fused
def _updated(
    sums: Array,
    invalid: Array,
    logits: Array,
    labels: Array,
    mask: Array | None,
    weights: Array | None,
) -> dict[str, Array]:
    if logits.shape[-1] == 0:
        raise TypeError(f"`logits` is {describe(logits)}: it has no classes on its last axis.")
    batch = rows(labels, mask, weights, name="labels")
    hit, valid = _hits(logits.reshape(-1, logits.shape[-1]), batch.values)
    batch = batch.without(~valid)
    both = jnp.stack([batch._replace(values=hit).total(), batch.weight()], axis=-1)
    return {"sums": add(sums, both), "invalid": batch.left_out(invalid)}


@final
class Accuracy(Metric):
    r"""The share of rows whose highest score is the label's (top-1, micro average).

    Takes `logits` of shape `(*rows, classes)` and integer `labels` of shape `rows`, with
    any leading axes. Ties go to the lower class. NaN scores and labels outside
    `[0, classes)` are invalid: such rows are left out and counted.

    **Arguments:**

    - `undefined`: what replaces an undefined value; NaN if not given.

    State: 6 floats, whatever the number of classes. Undefined when: no row was seen.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        logits = jnp.array([[-1.0, 1.0], [1.0, -1.0]])
        assert eqm.Accuracy()(logits=logits, labels=jnp.array([0, 0])) == 0.5
        ```
    """

    undefined: float | None = eqx.field(static=True)
    sums: Float32[Array, "2 2"] = state(reduce=EXACT_SUM)  # pairs of (hits, weight)
    invalid: Float32[Array, "2"] = state(
        reduce=EXACT_SUM, valid="labels in [0, classes), logits without NaN, weights >= 0"
    )

    def __init__(self, *, undefined: float | None = None):
        self.undefined = undefined
        self.sums = jnp.zeros((2, 2), jnp.float32)
        self.invalid = jnp.zeros(2, jnp.float32)

    def update(
        self,
        *,
        logits: Float[Input, "*rows classes"],
        labels: Integer[Input, "*rows"],
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        return self.replace(
            **_updated(self.sums, self.invalid, logits, labels, mask, weights)
        )

    def compute(self) -> Float32[Array, ""]:
        hits, weight = to_float(self.sums)
        return undefined_as(hits / weight, weight == 0, self.undefined)
