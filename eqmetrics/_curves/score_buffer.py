from typing import final, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32

from .._decisions.inputs import Inputs
from .._decisions.scores import log_odds_of_classes, scores_of
from .._decisions.task import AbstractTask, Multiclass
from .._metric.field import state
from .._onepass.sums import plus_invalid
from .._reduction import EXACT_SUM
from .._reduction.pair import add, from_integer, inlined, lift, Pair
from .._reduction.pair_sums import sum_rows
from .._rows.cells import cumulated
from .._rows.rows import Rows
from .._wrap.buffer import Buffer
from .pairs_in_order import share_of_rows, shares_of_cells
from .score_cells import keys_of, NONE
from .score_statistic import AbstractScores, Cells


ABSENT = ~NONE  # above every key: of a place without a row
_LAST = np.uint32(2**32 - 1)
_Signed = Float32[Array, "classes rows"]  # the weight of a positive, or minus that of a negative


def _columns_of(inputs: Inputs, task: AbstractTask) -> tuple[dict[str, Array], Rows]:
    s = scores_of(task, inputs)
    x, labels, taken, w = s.scores, s.labels, s.taken, s.batch.weights
    if isinstance(task, Multiclass):
        x = log_odds_of_classes(x) if s.are_logits else x
    else:
        labels = jnp.where(taken, labels.astype(jnp.int8), -1)
        taken = jnp.any(taken, axis=-1)
    weights = jnp.ones(len(x), jnp.float32) if w is None else w
    return {"key": keys_of(x), "label": labels, "weight": weights, "mask": taken}, s.batch


def _pack(key: Array, signed: _Signed) -> tuple[Array, Array, tuple[Array, Array, Array]]:
    """Keys in 31 bits with the label as the last bit, whether they fit, and what unpacks them. The
    keys around 0 that no score has are taken out: floats are finest there, and scores rare."""
    above, below = (signed != 0) & (key > 0), (signed != 0) & (key < 0)
    smallest = lambda x: jnp.min(x, axis=-1, keepdims=True)
    least = smallest(jnp.where(above, key, ABSENT))
    most = ~smallest(jnp.where(below, ~key, ABSENT))
    near = jnp.where(above, key - least + 1, jnp.where(below, key - most - 1, 0))
    low, high = smallest(near), ~smallest(~near)
    unsigned = lambda x: lax.bitcast_convert_type(x, jnp.uint32)
    fits = unsigned(high) - unsigned(low) < 2**31 - 1
    code = (unsigned(near) - unsigned(low) << 1) | (signed > 0).astype(jnp.uint32)
    return jnp.where(signed == 0, _LAST, code), jnp.all(fits), (least, most, low)


def _unpack(code: Array, ends: tuple[Array, Array, Array]) -> Array:
    least, most, low = ends
    near = lax.bitcast_convert_type(code >> 1, jnp.int32) + low
    key = jnp.where(near > 0, near + least - 1, jnp.where(near < 0, near + most + 1, 0))
    return jnp.where(code == _LAST, ABSENT, key)


def _ties(key: Array, sums: Array) -> tuple[Array, Array, Array]:
    """Which of the sorted keys are the last of equal ones; and the sums up to the last and before
    the first of them. `sums`, over all places before each, has one place more than `key`."""
    ends = jnp.concatenate([key[:, 1:] != key[:, :-1], jnp.ones_like(key[:, :1], bool)], axis=-1)
    place = jnp.where(ends, jnp.arange(1, key.shape[1] + 1, dtype=jnp.int32)[None], 0)
    first = jnp.pad(lax.cummax(place, axis=1), ((0, 0), (1, 0)))[:, :-1]
    first = first.reshape(*(1,) * (sums.ndim - 2), *first.shape)
    after = sums[..., 1:]
    return ends, after, jnp.take_along_axis(sums, jnp.broadcast_to(first, after.shape), axis=-1)


def _sorted_bits(key: Array, signed: _Signed) -> tuple[Array, Pair, Pair]:
    code, _, ends = _pack(key, signed)
    # XLA's CPU sorts integers 6 times faster than floats, or than with a second operand.
    code = lax.sort(code, dimension=1, is_stable=False)
    key, positive = _unpack(code, ends), (code & 1) == 1
    both = jnp.stack([~positive, positive]) & (key != ABSENT)[None]
    sums = jnp.pad(jnp.cumsum(both, axis=-1, dtype=jnp.int32), ((0, 0), (0, 0), (1, 0)))
    last, after, before = _ties(key, sums)
    counts = from_integer(jnp.where(last[None], after - before, 0))
    return key, counts, share_of_rows(both[1], after, before)


def _sorted_pairs(key: Array, signed: _Signed) -> tuple[Array, Pair, Pair]:
    key = jnp.where(signed == 0, ABSENT, key)
    key, signed = lax.sort((key, signed), dimension=1, is_stable=False, num_keys=1)
    sums = cumulated(lift(jnp.stack([jnp.maximum(-signed, 0), jnp.maximum(signed, 0)])))
    last, after, before = _ties(key, sums)
    counts = jnp.where(last[None, None], add(after, -before), 0)
    return key, counts, shares_of_cells(counts[:, 0], counts[:, 1], jnp.ones_like(last))[0]


@inlined
def cells_of_rows(key: Int32[Array, "classes rows"], signed: _Signed) -> Cells:
    """A cell for each row in order; that of the last of tied rows has the weight of all of them."""
    once = jnp.all(jnp.isin(jnp.abs(signed), jnp.array([0, 1], jnp.float32)))
    plain = once & _pack(key, signed)[1]
    key, counts, in_order = lax.cond(plain, _sorted_bits, _sorted_pairs, key, signed)
    # Else XLA finds that every cell is tied and folds the sums of what isn't, all zeros, while it
    # compiles: 40 s instead of 4 for 3e6 rows.
    smallest, largest = lax.optimization_barrier((key, key + 0))
    return Cells(counts[:, 0], counts[:, 1], smallest, largest, in_order)


@final
class ScoreBuffer(AbstractScores):
    r"""The scores and labels of up to `capacity` rows: the statistic that [`eqmetrics.AUROC`][] and
    all other readouts of curves share if they are built with `exact=capacity`.

    Their values are then those of the sorted rows, not of cells. Rows beyond the capacity are
    counted as lost: the values are NaN, and `metric.check()` says which capacity is needed.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].
    - `capacity`: how many rows there is room for, on all devices together.

    The gradient is 0: the value is piecewise constant.
    State: an [`eqmetrics.Buffer`][] with, for each row of a multiclass task, 4 bytes a class and 8
    more; of other tasks, 5 bytes a label and 4 more. Undefined when: more rows were seen than there
    is room for, or both logits and probabilities, which have no common order; empty counts are 0.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        scores = eqm.ScoreBuffer(eqm.Binary(), 1000)
        counts = scores(logits=jnp.array([-1.0, 0.5, 2.0]), labels=jnp.array([0, 1, 1]))
        assert counts["positives"].tolist() == [2] and counts["negatives"].tolist() == [1]
        ```
    """

    task: AbstractTask = eqx.field(static=True)
    rows: Buffer
    kinds: Bool[Array, "2"] = state(reduce="max")
    invalid: Float32[Array, "2"] = state(reduce=EXACT_SUM, valid="{self.task.valid}")

    def __init__(self, task: AbstractTask, capacity: int):
        self.task = task
        classes = (task.classes,)
        one = isinstance(task, Multiclass)
        self.rows = Buffer(
            capacity,
            key=jax.ShapeDtypeStruct(classes, jnp.int32),
            # -1 where a label doesn't take part
            label=jnp.int32 if one else jax.ShapeDtypeStruct(classes, jnp.int8),
            weight=jnp.float32,
        )
        self.kinds = jnp.zeros(2, jnp.bool_)
        self.invalid = jnp.zeros(2, jnp.float32)

    def see(self, inputs: Inputs) -> Self:
        columns, batch = _columns_of(inputs, task=self.task)
        seen = np.array([inputs.logits is not None, inputs.logits is None])
        return self.replace(
            rows=self.rows.update(**columns),
            kinds=self.kinds | (jnp.asarray(seen) & jnp.any(columns["mask"])),
            invalid=plus_invalid(self.invalid, batch),
        )

    def _signed(self, other: Array | None = None) -> _Signed:
        """0 where there is no row, or none that takes part."""
        columns, mask = self.rows.rows()
        w, label = jnp.where(mask, columns["weight"], 0)[None], columns["label"]
        if label.ndim == 2:
            label = label.T
            return jnp.where(label == 1, w, jnp.where(label == 0, -w, 0))
        own = label[None] == jnp.arange(self.task.classes, dtype=jnp.int32)[:, None]
        rest = -w if other is None else jnp.where(label[None] == other, -w, 0)
        return jnp.where(own, w, rest)

    def layouts(self, joined: tuple[int, ...] | None = None) -> tuple[Cells, ...]:
        key, signed = self.rows.rows()[0]["key"].T, self._signed()
        if joined is not None:
            part = np.array(joined)
            key, signed = (x[part].reshape(1, -1) for x in (key, signed))
        return (cells_of_rows(key, signed),)

    def against(self, other: Int32[Array, ""]) -> tuple[Cells, ...]:
        return (cells_of_rows(self.rows.rows()[0]["key"].T, self._signed(other)),)

    def totals(self) -> tuple[Pair, Pair]:
        signed = self._signed().T
        return sum_rows(jnp.maximum(-signed, 0)), sum_rows(jnp.maximum(signed, 0))
