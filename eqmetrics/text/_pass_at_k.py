import abc
from collections.abc import Sequence
from typing import Any, final, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int32, Integer

from .._custom_types import Input, Labels, Mask, Weights
from .._metric.messages import describe
from .._rows.inner import split_mask
from .._rows.row_mean import AbstractRowMean
from .._rows.rows import flat, narrow, Rows, rows


def _counted(
    correct: Any, num_correct: Any, num_samples: Any, mask: Any, weights: Any
) -> tuple[Rows, Int32[Array, "rows"], Int32[Array, "rows"]]:
    """How many samples of each problem are right, and how many there are."""
    given = [x is not None for x in (correct, num_correct, num_samples)]
    if given not in ([True, False, False], [False, True, True]):
        raise TypeError(
            "Either `correct`, of shape (*problems, samples), says which samples are right, or "
            "`num_correct` and `num_samples`, of shape `problems`, say how many; exactly one."
        )
    if correct is None:
        if num_correct.shape != num_samples.shape:
            raise TypeError(
                f"`num_correct` is {describe(num_correct)} and `num_samples` is "
                f"{describe(num_samples)}: expected one shape, a number of each problem."
            )
        batch = rows(narrow(num_correct), mask, weights, name="num_correct")
        right, every = batch.values, flat(narrow(num_samples))
        return batch.without(~((right >= 0) & (right <= every))), right, every
    if correct.ndim == 0:
        raise TypeError(f"`correct` is {describe(correct)}, expected (*problems, samples).")
    of_rows, exists = split_mask(mask, correct, 1, "correct")
    batch = rows(narrow(correct), of_rows, weights, correct.shape[-1:], "correct")
    right = batch.values == 1
    valid = jnp.all(~exists | right | (batch.values == 0), axis=-1)
    count = lambda x: jnp.sum(x, axis=-1, dtype=jnp.int32)
    return batch.without(~valid), count(exists & right), count(exists)


def _all_of(chosen: Int32[Array, "rows"], every: Int32[Array, "rows"], most: int) -> Array:
    r"""$\binom{c}{k} / \binom{n}{k}$ for $k = 1, ..., most$, as the product of $(c - j) / (n - j)$:
    the probability that k of n, drawn without replacement, are all among the c `chosen` ones."""
    taken = jnp.arange(most, dtype=jnp.int32)[None]
    left = lambda x: jnp.maximum(x[:, None] - taken, 0).astype(jnp.float32)
    return jnp.cumprod(left(chosen) / jnp.maximum(left(every), 1), axis=-1)


class AbstractPass(AbstractRowMean):
    """The mean over the problems of a probability for each k. A subclass defines the
    probability."""

    k: int | tuple[int, ...] = eqx.field(static=True)

    def __init__(self, k: int | Sequence[int], *, undefined: float | None = None):
        several = k if isinstance(k, int) else tuple(k)
        every = (several,) if isinstance(several, int) else several
        if not every or min(every) < 1:
            raise ValueError(f"k={k!r}: expected a number of samples, or several, of at least 1.")
        self.k = several
        shape = () if isinstance(several, int) else (len(every),)
        valid = "0 <= num_correct <= num_samples, correct 0 or 1, weights >= 0 and finite"
        AbstractRowMean.__init__(self, valid, shape=shape, undefined=undefined)

    def update(
        self,
        *,
        correct: Labels | None = None,
        num_correct: Integer[Input, "..."] | None = None,
        num_samples: Integer[Input, "..."] | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """Takes `correct` of shape `(*problems, samples)`, which says which samples are right; or
        `num_correct` and `num_samples`, of shape `(*problems,)`. `weights` has the shape of the
        problems. A `mask` of that shape removes problems; one with the shape of the samples removes
        samples."""
        batch, right, every = _counted(correct, num_correct, num_samples, mask, weights)
        k = np.reshape(self.k, -1)
        scores = self.of_counts(right, every, int(k.max()))[:, k - 1]
        defined = every[:, None] >= jnp.asarray(k, jnp.int32)[None]
        if isinstance(self.k, int):
            scores, defined = scores[:, 0], defined[:, 0]
        return self.plus(batch, scores, defined)

    @staticmethod
    @abc.abstractmethod
    def of_counts(
        right: Int32[Array, "rows"], every: Int32[Array, "rows"], most: int
    ) -> Float32[Array, "rows most"]:
        """The probability for each problem and each k from 1 to `most`."""


@final
class PassAtK(AbstractPass, init=False):
    r"""The probability that at least one of k samples solves a problem, as a mean over the
    problems. For a problem with $c$ right samples of $n$, the unbiased estimate is
    $1 - \binom{n-c}{k} / \binom{n}{k}$.

    The values for several `k` are one array. A problem with fewer samples than k is left out for
    that k; `metric.sums.read("weight")` is the weight of the problems that count.

    **Arguments:**

    - `k`: how many samples, or several such numbers.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: 4 floats for each k, and 2 for the invalid rows. Undefined when: no problem had k
    samples.
    Source: Chen et al., "Evaluating large language models trained on code", 2021.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        at_k = eqm.text.PassAtK((1, 2))
        values = at_k(correct=jnp.array([[True, True, False, False]]))
        assert values[0] == 0.5 and abs(values[1] - 5 / 6) < 1e-6
        ```
    """

    @staticmethod
    def of_counts(right: Array, every: Array, most: int) -> Float32[Array, "rows most"]:
        return 1 - _all_of(every - right, every, most)


@final
class PassHatK(AbstractPass, init=False):
    r"""The probability that all of k samples solve a problem, as a mean over the problems. For a
    problem with $c$ right samples of $n$, the unbiased estimate is $\binom{c}{k} / \binom{n}{k}$.
    It says how reliable an agent is; [`eqmetrics.text.PassAtK`][] says what it is able to do.

    The values for several `k` are one array. A problem with fewer samples than k is left out for
    that k; `metric.sums.read("weight")` is the weight of the problems that count.

    **Arguments:**

    - `k`: how many samples, or several such numbers.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: 4 floats for each k, and 2 for the invalid rows. Undefined when: no problem had k
    samples.
    Source: Yao, Shinn, Razavi and Narasimhan, "tau-bench: a benchmark for tool-agent-user
    interaction in real-world domains", 2024.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        hat_k = eqm.text.PassHatK(2)
        value = hat_k(num_correct=jnp.array([2]), num_samples=jnp.array([4]))
        assert abs(value - 1 / 6) < 1e-6
        ```
    """

    @staticmethod
    def of_counts(right: Array, every: Array, most: int) -> Float32[Array, "rows most"]:
        return _all_of(right, every, most)
