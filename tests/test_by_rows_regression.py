"""Which metrics of values, and of predictions beside targets, `PerGroup` updates in one pass over
the rows, and that each group then has what its rows alone give."""

from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import eqmetrics as eqm
from eqmetrics._onepass import apart
from eqmetrics._wrap import per_group

from .table import ROWS


FAMILIES = "eqmetrics._aggregate.", "eqmetrics._regression."
TABLE = {name: row for name, row in ROWS.items() if type(row[0]).__module__.startswith(FAMILIES)}
# Where a row is put depends on those before it, or on others of its batch.
BY_MASKS = {
    "QuantileSketch", "Quantile", "Median", "IQR", "Distinct", "Reservoir", "Moments",
    "OneSidedErrors", "D2Pinball", "D2AbsoluteError", "Wasserstein1D", "MedianAbsoluteError",
    "PairBuffer", "Spearman", "Kendall", "ConcordanceIndex", "NormalizedGini", "Significance",
} & set(TABLE)  # fmt: skip


def _of_groups(name: str):
    metric, (batch, *_) = TABLE[name]
    batch = {key: jnp.asarray(x) for key, x in batch.items()}
    rows = next(iter(batch.values())).shape[0]
    return metric, batch, jnp.arange(rows, dtype=jnp.int32) % 3


@pytest.fixture
def refused(monkeypatch):
    """The reasons why something wasn't done in one pass."""
    found: list[str] = []

    class Counted(apart.NotASum):
        def __init__(self, why: str):
            found.append(why)

    monkeypatch.setattr(apart, "NotASum", Counted)
    cast(Any, per_group._by_rows).clear_cache()  # what was traced before isn't traced again
    return found


@pytest.mark.parametrize("name", TABLE)
def test_sums_moments_and_maxima_go_by_rows(name, refused):
    metric, batch, group = _of_groups(name)
    jax.eval_shape(lambda m: m.update(**batch, group=group), eqm.PerGroup(metric, 3))
    assert bool(refused) == (name in BY_MASKS), refused


@pytest.mark.parametrize(
    "name", ["Max", "Histogram", "CrossMoments", "Throughput", "R2", "D2Tweedie", "WeightedMAPE"]
)
def test_each_group_has_its_rows_alone(name):
    metric, batch, group = _of_groups(name)
    mask = group < 2  # the last group is empty
    got = eqm.PerGroup(metric, 3).update(**batch, group=group, mask=mask).compute()
    alone = jax.jit(lambda mask: metric.update(**batch, mask=mask).compute())
    for g in range(3):
        want, found = alone(mask & (group == g)), jax.tree.map(lambda x: x[g], got)
        for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(want), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-6)
