"""`eqm.fields.FractionsSkillScore` beside scipy's windows in float64, and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from scipy.ndimage import uniform_filter

import eqmetrics as eqm

from ..oracle import few, seeds
from .oracle import batch_of, rows_of, WAYS


GRID, WINDOWS = (5, 4), (1, 3, 9)
PAIR = {"predictions": GRID, "targets": GRID}


@few
@given(seed=seeds)
def test_scipy_agrees(seed):
    for way, inner in WAYS:
        batch = batch_of(seed, PAIR, GRID if inner else None)
        apart, whole = np.zeros(len(WINDOWS)), np.zeros(len(WINDOWS))
        for row, mask, w in rows_of(batch):
            events = [((row[name] >= 0.5) & mask).astype(float) for name in PAIR]
            for i, n in enumerate(WINDOWS):
                p, t = (uniform_filter(x, n, mode="constant") for x in events)
                apart[i] += w * np.sum((p - t) ** 2)
                whole[i] += w * np.sum(p**2 + t**2)
        with np.errstate(invalid="ignore"):
            want = 1 - apart / whole
        got = way(eqm.fields.FractionsSkillScore(0.5, WINDOWS), batch).compute()
        np.testing.assert_allclose(got, want, 1e-5, 1e-6)


def test_by_hand():
    score = eqm.fields.FractionsSkillScore(threshold=0.5, windows=(1, 3))
    p = jnp.zeros((1, 4, 4)).at[0, 1, 1].set(1.0)
    t = jnp.zeros((1, 4, 4)).at[0, 1, 2].set(0.5)
    # 6 of 9 windows have both.
    np.testing.assert_allclose(score(predictions=p, targets=t), [0, 2 / 3], rtol=1e-6)
    assert score(predictions=p, targets=p).tolist() == [1, 1]
    # The quotient of sums, not the mean of 1 and 0.
    two = jnp.concatenate([p, p]), jnp.concatenate([p, jnp.zeros_like(p)])
    np.testing.assert_allclose(score(predictions=two[0], targets=two[1])[0], 2 / 3, rtol=1e-6)
    whole = np.full((1, 4, 4), 2**24, np.int32)
    many = eqm.fields.FractionsSkillScore(2**24 + 1, (1,))
    assert many(predictions=whole + 1, targets=whole) == 0


def test_undefined_invalid_and_refused():
    x = jnp.zeros((2, 4, 4))
    score = eqm.fields.FractionsSkillScore(0.5, (3,))
    assert jnp.isnan(score.compute()) and jnp.isnan(score(predictions=x, targets=x))
    assert eqm.fields.FractionsSkillScore(0.5, (3,), undefined=1.0).compute() == 1
    bad = x.at[0, 1, 1].set(jnp.nan)
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*without NaN"):
        score.update(predictions=bad, targets=x).check()
    known = score(predictions=bad, targets=x + 1, mask=~jnp.isnan(bad))
    assert known == 0
    for windows in ((), (2,), (0,)):
        with pytest.raises(ValueError, match="expected odd numbers"):
            eqm.fields.FractionsSkillScore(0.5, windows)
    with pytest.raises(ValueError, match="threshold=nan"):
        eqm.fields.FractionsSkillScore(np.nan, (1,))
