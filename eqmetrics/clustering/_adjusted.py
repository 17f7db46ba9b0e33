"""Mutual information beyond what chance gives."""

import math
from typing import final

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln
from jaxtyping import Array, Float32

from .._reduction.pair import add, lift, multiply, Pair, to_float
from .._rows.quotient import over, root
from ._deviance import deviance, Information
from ._information import AbstractAveragedScore, mean_of
from ._table import per, Table, total_of


# Points at which the distribution of each cell is summed. If it has more, only every `step`-th is
# taken: with at least four points per standard deviation, the sum of a smooth function is the same.
_POINTS = 128
_FEW = 8.0  # below, the series of the logarithm of a factorial has too few digits
_AT_ONCE = 2**19


def _rarity(d: Float32[Array, "..."], m: Float32[Array, "..."]) -> Float32[Array, "..."]:
    r"""$\log x! - x \log m + m$ with $x = m + d$. Summed over the four cells it is the negative
    logarithm of a probability, but for a constant, and small where that probability is large."""
    x = m + d
    s = jnp.maximum(x, _FEW)
    r = 1 / (s * s)
    tail = (1 / 12 - (1 / 360 - (1 / 1260) * r) * r) / s
    large = deviance(jnp.where(x < _FEW, 0, d), m) + (0.5 * jnp.log(2 * math.pi * s) + tail)
    few = jnp.clip(x, -0.5, _FEW)
    small = gammaln(few + 1) - few * jnp.log(jnp.where(m > 0, m, 1)) + m
    return jnp.where(x < _FEW, small, large)


def _expected_of(a: Pair, clusters: Pair, n: Pair) -> Float32[Array, "clusters"]:
    """What the cells of one class, which has `a` rows, add to the expected information if rows are
    assigned to the clusters at random: each cell has a hypergeometric distribution."""
    a = jnp.broadcast_to(a[:, None], clusters.shape)
    rest_a, rest_b = (add(jnp.broadcast_to(n[:, None], x.shape), -x) for x in (a, clusters))
    # The means of the four cells: of this class and all others, this cluster and all others.
    shares = [per(clusters, n), per(rest_b, n)]
    means = [multiply(x, share) for x in (a, rest_a) for share in shares]
    m = [to_float(x) for x in means]
    total = to_float(n)
    spread = root(over(m[0] * m[3], jnp.maximum(total - 1, 1)[None]))
    # Offsets from the whole number below the mean, which may be too large for a float.
    floor = jnp.floor(means[0][0])
    start = to_float(add(lift(floor), -means[0]))
    width = jnp.ceil(8 * spread + 6)
    # The ends are whole numbers of rows.
    low = jnp.maximum(-width, jnp.round(jnp.maximum(-m[0], -m[3]) - start))
    high = jnp.minimum(width, jnp.round(jnp.minimum(m[1], m[2]) - start))
    step = jnp.maximum(1, jnp.ceil((high - low) / (_POINTS - 1)))
    k = low[:, None] + step[:, None] * jnp.arange(_POINTS, dtype=jnp.float32)[None, :]
    inside = k <= high[:, None]
    d = jnp.where(inside, k, low[:, None]) + start[:, None]
    wide = [jnp.broadcast_to(x[:, None], d.shape) for x in m]
    own = deviance(d, wide[0])
    signs = (1, -1, -1, 1)
    log = -sum(_rarity(sign * d, mean) for mean, sign in zip(wide, signs, strict=True))
    log = jnp.where(inside, log, -jnp.inf)
    top = jnp.max(log, axis=1)
    p = jnp.where(inside, jnp.exp(log - jnp.where(jnp.isfinite(top), top, 0)[:, None]), 0)
    return over(jnp.sum(p * own, axis=1), jnp.sum(p, axis=1))


def expected_information(table: Table) -> Float32[Array, ""]:
    """The mean mutual information, times the total of the table, of random partitions with the same
    numbers of rows."""
    one = 1 / table.unit
    classes, clusters, n = (x * one for x in (table.classes, table.clusters, table.total))
    size = max(1, min(classes.shape[1], _AT_ONCE // (_POINTS * clusters.shape[1])))
    each = jax.lax.map(lambda a: _expected_of(a, clusters, n), classes.T, batch_size=size)
    return total_of(each) * table.unit


@final
class AdjustedMutualInformation(AbstractAveragedScore, init=False):
    r"""The mutual information adjusted for chance: $(I - E) / (m - E)$, where $m$ is a mean of the
    entropies of labels and clusters, and $E$ the mean of $I$ if rows are assigned at random to
    clusters of these sizes. It is 0 for chance, and 1 if both are the same.

    Computing $E$ takes a time that doesn't depend on the number of rows. A weight repeats a row:
    the scale of the weights matters.

    **Arguments:**

    - `num_classes`: the number of classes: `labels` are in `[0, num_classes)`.
    - `num_clusters`: the number of clusters, in `predicted_labels`; `num_classes` if not given.
    - `average`: `"arithmetic"`, `"geometric"`, `"min"` or `"max"`: which mean of the entropies.
    - `undefined`: what replaces an undefined value; NaN if not given (scikit-learn: 1).

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.clustering.ContingencyCounts`][], shared. Undefined when: $E = m$:
    both sides have a single group, or both have one group for each row; with `"geometric"` also if
    one side has a single group, with `"min"` also if one side is either.
    Source: Vinh, Epps and Bailey, "Information theoretic measures for clusterings comparison",
    2010.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        score = eqm.clustering.AdjustedMutualInformation(2)
        value = score(predicted_labels=jnp.array([0, 0, 0, 1]), labels=jnp.array([0, 0, 1, 1]))
        assert abs(value) < 1e-6
        ```
    """

    def of(self, table: Table) -> tuple[Array, Array]:
        i = Information.of(table)
        chance = expected_information(table)
        most = mean_of(*i.entropies, self.average)
        # Decided by counts, since the difference is rounded.
        single, alone = [], []
        for groups in (table.classes, table.clusters):
            single.append(jnp.sum(groups[0] > 0, dtype=jnp.int32) <= 1)
            alone.append(jnp.max(groups[0]) <= table.unit)
        none = {
            "arithmetic": (single[0] & single[1]) | (alone[0] & alone[1]),
            "max": (single[0] & single[1]) | (alone[0] & alone[1]),
            "geometric": single[0] | single[1] | (alone[0] & alone[1]),
            "min": single[0] | single[1] | alone[0] | alone[1],
        }[self.average]
        defined = table.some & ~none
        # Where one side has a single group, or one for each row, the score is that of chance.
        certain = single[0] | single[1] | alone[0] | alone[1]
        beyond = jnp.where(certain, 0, i.mutual - chance)
        return over(beyond, jnp.where(defined, most - chance, 1)), defined
