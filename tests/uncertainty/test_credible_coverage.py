"""`eqm.uncertainty.CredibleCoverage` beside numpy's quantiles, and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import agree, at_once, fold, seeds, spread, values_of
from .drawn import each_case, hidden, masked, SHAPE, weighted


LEVELS, DRAWS = (0.5, 0.6, 0.9), 6
METRIC = eqm.uncertainty.CredibleCoverage(LEVELS)


def drawn(seed):
    rng = np.random.default_rng(seed)
    mask, scale = masked(rng), rng.choice([1e-6, 1.0, 1e6], (50, 1, 1))
    samples, targets = rng.normal(size=(*SHAPE, DRAWS)), rng.normal(size=SHAPE)
    members = rng.random(samples.shape) < rng.choice([0.5, 1.0], (50, 1, 1, 1))
    members[..., 0] = True
    return {
        "samples": hidden(np.where(members, samples * scale[..., None], np.inf), mask),
        "targets": hidden(targets * scale, mask),
        "members": members,
        "mask": mask,
        "weights": weighted(rng),
    }


def definition(samples, targets, members, weights):
    if len(targets) == 0:
        return np.full(len(LEVELS), np.nan)
    inside = []
    for x, t, real in zip(samples, targets, members, strict=True):
        ends = [np.quantile(x[real], [(1 - p) / 2, (1 + p) / 2]) for p in LEVELS]
        # An end that is the target but for rounding is drawn by no seed.
        assert all(np.all(np.abs(end - t) > 1e-7 * np.abs(t)) or real.sum() == 1 for end in ends)
        inside.append([low <= t <= high for low, high in ends])
    return np.average(inside, axis=0, weights=weights)


@pytest.mark.parametrize("way", [fold, spread])
@at_once
@given(seed=seeds)
def test_numpy_agrees(way, seed):
    batch = drawn(seed)
    for got, rows in each_case(values_of(way, METRIC, batch), batch):
        agree(got, definition(**rows), rtol=1e-6, atol=1e-7)


def test_by_hand():
    of = lambda level, x, t: eqm.uncertainty.CredibleCoverage((level,))(
        samples=jnp.array([x]), targets=jnp.array([t])
    ).tolist()
    # A half of 0..4 is from 1 to 3, ends included; 0.9 of 21 draws from the 2nd to the 20th.
    x = [0.0, 4.0, 2.0, 1.0, 3.0]
    assert [of(0.5, x, t) for t in (0.99, 1.0, 3.0, 3.01)] == [[0], [1], [1], [0]]
    wide = [float(i) for i in range(21)]
    assert [of(0.9, wide, t) for t in (0.99, 1.0, 19.0, 19.01)] == [[0], [1], [1], [0]]
    assert of(0.9, [2.0], 2.0) == [1] and of(0.9, [2.0], 2.1) == [0]
    # A large offset costs no digits, of integers either.
    big = np.array([[2**24, 2**24 + 1, 2**24 + 3]], np.int32)
    half = eqm.uncertainty.CredibleCoverage((0.5,))
    inside = [half(samples=big, targets=np.array([2**24 + i], np.int32)) for i in range(4)]
    assert [x.tolist() for x in inside] == [[0], [1], [1], [0]]
    assert jnp.isnan(half.compute()).all()


def test_few_draws_cover_less():
    rng, m, p = np.random.default_rng(0), 9, 0.5
    x = rng.normal(size=(20000, m + 1)).astype(np.float32)
    got = eqm.uncertainty.CredibleCoverage((p,))(samples=x[:, 1:], targets=x[:, 0])
    agree(got, [p * (m - 1) / (m + 1)], atol=0.01)


def test_invalid_and_refused():
    x = jnp.array([[1.0, jnp.nan], [1.0, 3.0]])
    half = eqm.uncertainty.CredibleCoverage((0.5,))
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*without NaN"):
        half.update(samples=x, targets=jnp.ones(2)).check()
    none = jnp.array([[False, False], [True, False]])
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*a draw in each row"):
        half.update(samples=jnp.ones((2, 2)), targets=jnp.ones(2), members=none).check()
    for levels in ((), (0.0,), (0.5, 1.0), 0.5):
        with pytest.raises(ValueError, match="levels="):
            eqm.uncertainty.CredibleCoverage(levels)  # pyright: ignore[reportArgumentType]
