from collections.abc import Sequence
from typing import Any, final, get_args, Literal, NamedTuple, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32

from .._custom_types import Labels, Mask, Weights
from .._decisions.average import average_classes, AverageKind, check_average
from .._decisions.task import Multiclass
from .._metric.messages import describe
from .._metric.metric import AbstractExact
from .._metric.readout import AbstractReadout, AbstractStatistic
from .._onepass.sums import Sums
from .._reduction.pair import add, Pair, to_float
from .._reduction.pair_sums import sum_pairs
from .._rows.inner import split_mask
from .._rows.nearest_quotient import quotient, quotient_or
from .._rows.rows import flat, narrow, rows


Scheme = Literal["lenient", "strict"]
OUTSIDE, BEGIN, INSIDE = range(3)


class Spans(NamedTuple):
    """Where spans start, the position of the token after each span, and the type of each span."""

    starts: Bool[Array, "rows length"]
    ends: Int32[Array, "rows length"]
    types: Int32[Array, "rows length"]


def _next(marked: Bool[Array, "rows length"]) -> Int32[Array, "rows length"]:
    """For each position, the next marked one after it; the length if there is none."""
    size = marked.shape[1]
    places = jnp.where(marked, jnp.arange(size, dtype=jnp.int32)[None], size)
    from_here = lax.cummin(places, axis=1, reverse=True)
    return jnp.concatenate([from_here[:, 1:], jnp.full_like(places[:, :1], size)], axis=1)


def spans_of(
    prefix: Int32[Array, "rows length"],
    kind: Int32[Array, "rows length"],
    real: Bool[Array, "rows length"],
    scheme: Scheme,
) -> Spans:
    """The spans of each row. A token continues the span of the token before it if its tag is I- and
    has the same type. A span ends before any other token. Tokens that aren't real are skipped."""
    places = jnp.where(real, jnp.arange(real.shape[1], dtype=jnp.int32)[None], -1)
    last = jnp.concatenate([jnp.full_like(places[:, :1], -1), places[:, :-1]], axis=1)
    last = lax.cummax(last, axis=1)
    before = lambda x: jnp.take_along_axis(x, jnp.maximum(last, 0), axis=1)
    follows = (last >= 0) & (before(prefix) != OUTSIDE) & (before(kind) == kind)
    border = real & ~(follows & (prefix == INSIDE))
    starts = border & (prefix != OUTSIDE) if scheme == "lenient" else real & (prefix == BEGIN)
    return Spans(starts, _next(border), kind)


def _read(tags: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """The types, sorted, and for each tag its prefix and the index of its type."""
    parts = [(tag[:1], tag[2:]) for tag in tags]
    wrong = [tag for tag in tags if tag != "O" and not (tag[:2] in ("B-", "I-") and len(tag) > 2)]
    if wrong or len(set(tags)) < len(tags):
        raise ValueError(
            f"tags={list(tags)}: expected each of 'O', 'B-type' and 'I-type' once, in the order of "
            "the labels" + (f"; {wrong[0]!r} is none of them." if wrong else ".")
        )
    types = tuple(sorted({kind for _, kind in parts if kind}))
    if not types:
        raise ValueError(f"tags={list(tags)}: no tag begins a span, as 'B-type' does.")
    prefix = ["OBI".index(start) for start, _ in parts]
    kind = [types.index(kind) if kind else 0 for _, kind in parts]
    return types, np.array(prefix, np.int32), np.array(kind, np.int32)


@final
class SpanCounts(AbstractStatistic, AbstractExact):
    """How many spans of each type the labels have, how many were predicted, and how many of these
    are right: the statistic of [`eqmetrics.text.SequenceLabelF1`][].

    **Arguments:**

    - `tags`: the name of each label, in their order: `["O", "B-place", "I-place"]`.
    - `scheme`: `"lenient"` or `"strict"`, as in [`eqmetrics.text.SequenceLabelF1`][].
    - `ignore_index`: tokens with this label are left out, as if they weren't there.

    The gradient is 0: the value is piecewise constant.
    State: 6 floats per type, and 2 for the invalid rows. Undefined when: never; empty counts are 0.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        counts = eqm.text.SpanCounts(["O", "B-place", "I-place"])
        labels, predicted = jnp.array([[1, 2, 0, 1]]), jnp.array([[1, 2, 0, 0]])
        values = counts(labels=labels, predicted_labels=predicted)
        assert values["tp"].tolist() == [1] and values["fn"].tolist() == [1]
        ```
    """

    tags: tuple[str, ...] = eqx.field(static=True)
    scheme: Scheme = eqx.field(static=True)
    ignore_index: int | None = eqx.field(static=True)
    sums: Sums

    def __init__(
        self, tags: Sequence[str], *, scheme: Scheme = "lenient", ignore_index: int | None = None
    ):
        if scheme not in get_args(Scheme):
            raise ValueError(f"scheme={scheme!r}: expected one of {get_args(Scheme)}.")
        self.tags = tuple(tags)
        self.scheme = scheme
        self.ignore_index = ignore_index
        types, _, _ = _read(self.tags)
        ignored = "" if ignore_index is None else f", or labels {ignore_index} to be ignored"
        valid = f"labels and predicted_labels in [0, {len(self.tags)}){ignored}, weights >= 0 and "
        self.sums = Sums(valid + "finite", cells=(3, len(types)))

    def update(
        self,
        *,
        labels: Labels,
        predicted_labels: Labels,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """Takes `labels` and `predicted_labels` of shape `(*rows, length)`: the index of the tag of
        each token. `weights` has the shape of the rows. A `mask` of that shape removes rows. One
        with the shape of the labels removes tokens; the tokens before and after a removed one
        become neighbours. A row with an invalid token is invalid."""
        return self._see(labels, predicted_labels, mask, weights)

    def _see(self, labels: Any, predicted: Any, mask: Any, weights: Any) -> Self:
        if labels.shape != predicted.shape or labels.ndim == 0:
            raise TypeError(
                f"`labels` is {describe(labels)} and `predicted_labels` is {describe(predicted)}: "
                "expected both of shape (*rows, length). Of scores it is `scores.argmax(-1)`."
            )
        of_rows, real = split_mask(mask, labels, 1, "labels")
        batch = rows(narrow(labels), of_rows, weights, labels.shape[-1:], "labels")
        true, predicted = batch.values, flat(narrow(predicted), predicted.shape[-1:])
        if self.ignore_index is not None:
            real &= true != self.ignore_index
        known = lambda x: (x >= 0) & (x < len(self.tags))
        both = known(true) & known(predicted)
        batch = batch.without(jnp.any(real & ~both, axis=-1))
        real &= both
        if labels.shape[-1] == 0:
            return self.replace(sums=self.sums.add(batch))
        types, prefix, kind = _read(self.tags)
        there, found = (
            spans_of(jnp.asarray(prefix)[at], jnp.asarray(kind)[at], real, self.scheme)
            for at in (jnp.where(real, x, 0) for x in (true, predicted))
        )
        right = there.starts & found.starts
        right &= (there.types == found.types) & (there.ends == found.ends)
        size = len(types)
        index = [there.types, size + found.types, 2 * size + there.types]
        counted = jnp.concatenate([there.starts, found.starts, right], axis=1)
        index = jnp.concatenate(index, axis=1)
        return self.replace(sums=self.sums.add_at(batch, "cells", index, counted))

    def exact(self) -> dict[str, Pair]:
        cells = self.sums.pair("cells")
        support, predicted, tp = cells[:, 0], cells[:, 1], cells[:, 2]
        return {
            "tp": tp,
            "fp": add(predicted, -tp),
            "fn": add(support, -tp),
            "support": support,
        }

    def compute(self) -> dict[str, Float32[Array, "types"]]:
        """`tp`, `fp`, `fn` and `support` of each type, in the order of their names."""
        return {name: to_float(x) for name, x in self.exact().items()}


@final
class SequenceLabelF1(AbstractReadout):
    r"""The F1 of the spans that tags of tokens mark: names, places, events. A predicted span is
    right if a span of the labels has the same start, end and type:
    $2\,\mathrm{tp} / (2\,\mathrm{tp} + \mathrm{fp} + \mathrm{fn})$.

    There are two ways to read an I- that continues no span of its type:

    - `"lenient"`, as conlleval and the default of seqeval: the I- starts a span.
    - `"strict"`, as `mode="strict", scheme=IOB2` of seqeval: only a B- starts a span, so the I-
        is in no span.

    Tokens that the mask or `ignore_index` leaves out don't separate their neighbours. Examples are
    the second and later pieces of a word, with the label -100.

    **Arguments:**

    - `tags`: the name of each label, in their order: `["O", "B-place", "I-place"]`.
    - `scheme`: see above.
    - `ignore_index`: tokens with this label are left out.
    - `average`: `"micro"` (the default here, but not of [`eqmetrics.F1`][]): of all spans together,
        as in CoNLL; `"macro"`: the mean over the types that occur in the labels or the predictions
        (in seqeval a type without a span counts as 0); `"weighted"`: the mean weighted by their
        support; `None`: a value for each type, in the order of their names.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.text.SpanCounts`][], shared. Undefined when: neither the labels nor
    the predictions have a span; with `average=None`, a type is undefined if it has no span.
    Source: Tjong Kim Sang and De Meulder, "Introduction to the CoNLL-2003 shared task", 2003;
    Nakayama, "seqeval", 2018.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        f1 = eqm.text.SequenceLabelF1(["O", "B-place", "I-place"], ignore_index=-100)
        labels, predicted = jnp.array([[1, 2, -100, 1]]), jnp.array([[1, 2, 0, 0]])
        assert abs(f1(labels=labels, predicted_labels=predicted) - 2 / 3) < 1e-6
        ```
    """

    average: AverageKind = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: SpanCounts

    def __init__(
        self,
        tags: Sequence[str],
        *,
        scheme: Scheme = "lenient",
        ignore_index: int | None = None,
        average: AverageKind = "micro",
        undefined: float | None = None,
    ):
        check_average(average)
        self.average = average
        self.undefined = undefined
        self.statistic = SpanCounts(tags, scheme=scheme, ignore_index=ignore_index)

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(types,)` if `average` is `None`."""
        cells = self.statistic.sums.pair("cells")
        kinds = (cells[:, i] for i in range(3))
        if self.average == "micro":
            support, predicted, tp = (to_float(sum_pairs(x)) for x in kinds)
            both = support + predicted
            return quotient_or(2 * tp, both, self.undefined)
        support, predicted, tp = (to_float(x) for x in kinds)
        both = support + predicted
        task = Multiclass(support.shape[0])
        value = quotient(2 * tp, both)
        return average_classes(value, both > 0, support, task, self.average, self.undefined)
