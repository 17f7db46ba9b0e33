"""`eqm.training.PopulationStability` beside its definition in float64, and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import agree, at_once, cases, fold, seeds, separate, taken, values_of


EDGES = np.array([-1.0, -0.25, 0.5])
COUNTS = [3, 0, 5, 2]


def psi(p: np.ndarray, q: np.ndarray, pseudocount: float) -> float:
    if p.sum() == 0 or q.sum() == 0:
        return np.nan
    p, q = ((x + pseudocount) / (x + pseudocount).sum() for x in (p, q))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sum(np.where(p == q, 0, (p - q) * np.log(p / q)))


def counts(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    # The last edge belongs to the bin below it.
    bins = np.where(x == EDGES[-1], len(EDGES) - 1, np.digitize(x, EDGES))
    return np.bincount(bins, w, len(EDGES) + 1)


@pytest.mark.parametrize("pseudocount", [0.0, 0.5])
@pytest.mark.parametrize("given_counts", [False, True])
@at_once
@given(seed=seeds)
def test_float64_agrees(given_counts, pseudocount, seed):
    batch = cases(seed)
    x, y = batch.pop("predictions"), batch.pop("targets")
    batch["values"] = np.where(taken(batch), x, np.float32(np.nan))
    if not given_counts:
        batch["reference"] = y > 0
    metric = eqm.training.PopulationStability(
        EDGES, reference=COUNTS if given_counts else None, pseudocount=pseudocount
    )
    got = values_of(fold, metric, batch)
    for value, each in zip(got, separate(batch), strict=True):
        keep = taken(each)
        x, w = each["values"][keep], each["weights"][keep].astype(np.float64)
        if given_counts:
            want = psi(counts(x, w), np.array(COUNTS, np.float64), pseudocount)
        else:
            of = each["reference"][keep]
            want = psi(counts(x[~of], w[~of]), counts(x[of], w[of]), pseudocount)
        agree(value, want, 2e-5, 1e-6)


def test_by_hand():
    want = 0.25 * np.log(2) + 0.25 * np.log(1.5)
    given = eqm.training.PopulationStability([0.0, 1.0], reference=[0, 2, 2])
    values = jnp.array([0.5, 1.5, 2.5, 3.5])
    assert abs(given(values) - want) < 1e-6
    both = eqm.training.PopulationStability([0.0, 1.0])
    value = both(
        jnp.concatenate([values, jnp.array([0.5, 1.5])]), reference=jnp.arange(6) >= 4
    )
    assert abs(value - want) < 1e-6
    assert given(jnp.array([0.5, 1.5])) == 0
    assert given(jnp.array([0.5])) == jnp.inf
    assert eqm.training.PopulationStability([0, 1], reference=[0, 1, 1], pseudocount=1)(
        jnp.array([0.5])
    ) < 1  # fmt: skip


def test_undefined_and_invalid():
    both = eqm.training.PopulationStability([0.0, 1.0])
    assert jnp.isnan(both.compute())
    assert jnp.isnan(both(jnp.ones(2), reference=jnp.ones(2, bool)))
    assert eqm.training.PopulationStability([0, 1], undefined=0.0).compute() == 0
    bad = both.update(jnp.array([jnp.nan, 1.0]), reference=jnp.array([True, False]))
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*values that aren't NaN"):
        bad.check()
    rows = both.update(
        jnp.ones((2, 3)), reference=jnp.zeros((2, 3), bool), mask=jnp.array([True, False])
    )
    assert rows.values.compute()["counts"].tolist() == [3]


def test_what_it_refuses():
    both = eqm.training.PopulationStability([0.0, 1.0])
    given = eqm.training.PopulationStability([0.0, 1.0], reference=[0, 2, 2])
    with pytest.raises(TypeError, match="`update` needs `reference`"):
        both.update(jnp.ones(2))
    with pytest.raises(TypeError, match="takes no `reference`"):
        given.update(jnp.ones(2), reference=jnp.ones(2, bool))
    with pytest.raises(TypeError, match=r"`reference` is bool\[1\] and `values` is float32\[2\]"):
        both.update(jnp.ones(2), reference=jnp.ones(1, bool))
    with pytest.raises(TypeError, match=r"`mask` is bool\[1\] and `values` is float32\[2\]"):
        both.update(jnp.ones(2), reference=jnp.ones(2, bool), mask=jnp.ones(1, bool))
    with pytest.raises(ValueError, match="a count for each of the 3 bins"):
        eqm.training.PopulationStability([0.0, 1.0], reference=[1, 2])
    with pytest.raises(ValueError, match="pseudocount=-1"):
        eqm.training.PopulationStability([0.0, 1.0], pseudocount=-1)
