"""`eqm.uncertainty.BradleyTerry` beside the equations of the largest likelihood, in float64, and by
hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from scipy.sparse.csgraph import connected_components
from scipy.special import expit

import eqmetrics as eqm

from ..oracle import at_once, CASES, fold, seeds, spread, values_of
from .drawn import each_case, masked, SHAPE, weighted


u = eqm.uncertainty
PLAYERS = 5
METRIC = u.BradleyTerry(PLAYERS)
NATURAL = np.log(10) / 400


def drawn(seed):
    rng = np.random.default_rng(seed)
    mask, players = masked(rng), rng.integers(2, PLAYERS + 1, (CASES, 1, 1))
    first = rng.integers(0, players, SHAPE)
    second = (first + rng.integers(1, players, SHAPE)) % players
    # The lower number wins mostly, or ties do.
    better = np.where(rng.random(SHAPE) < rng.choice([0.5, 0.9], (CASES, 1, 1)), 1, -1)
    tied = rng.random(SHAPE) < rng.choice([0.0, 0.3], (CASES, 1, 1))
    outcomes = np.where(tied, 0, np.sign(second - first) * better)
    put = lambda x: np.where(mask, x, 99).astype(np.int32)
    batch = {"first": put(first), "second": put(second), "outcomes": put(outcomes), "mask": mask}
    return batch | {"weights": np.where(rng.random((CASES, 1, 1)) < 0.5, 1, weighted(rng))}


def table(first, second, outcomes, weights):
    wins = np.zeros((PLAYERS, PLAYERS))
    for i, j, won, w in zip(first, second, outcomes, weights, strict=True):
        wins[i, j] += w * (1 + won) / 2
        wins[j, i] += w * (1 - won) / 2
    return wins


def correction(wins, ratings):
    """How far the ratings are from the solution, which is unique, by a step of Newton's."""
    theta = ratings * NATURAL
    chance = expit(theta[:, None] - theta)
    games = wins + wins.T
    slope = (wins - games * chance).sum(1)
    curve = games * chance * chance.T
    return np.linalg.pinv(np.diag(curve.sum(1)) - curve) @ slope / NATURAL


@pytest.mark.parametrize("way", [fold, spread])
@at_once
@given(seed=seeds)
def test_the_equations_hold(way, seed):
    batch, solved = drawn(seed), 0
    for got, rows in each_case(values_of(way, METRIC, batch), batch):
        wins = table(**rows)
        plays = (wins + wins.T).sum(1) > 0
        own = wins[np.ix_(plays, plays)]
        parts = connected_components(own > 0, directed=True, connection="strong")[0]
        want = plays if parts == 1 else np.zeros(PLAYERS, bool)
        np.testing.assert_array_equal(~np.isnan(got), want)
        if want.any():
            solved += 1
            assert np.max(np.abs(correction(own, got[plays]))) < 1e-5 * np.ptp(got[plays]) + 1e-3
            assert abs(np.mean(got[plays])) < 1e-3
    assert solved > 5


def test_by_hand():
    won = lambda n, m: dict(
        first=jnp.zeros(n + m, int),
        second=jnp.ones(n + m, int),
        outcomes=jnp.array([1] * n + [-1] * m),
    )
    odds_of_three = 400 * np.log10(3)
    np.testing.assert_allclose(odds_of_three, 190.8485, atol=1e-4)
    for metric in (u.BradleyTerry(2), u.BradleyTerry(3)):
        value = metric(**won(3, 1))
        np.testing.assert_allclose(value[0] - value[1], odds_of_three, rtol=1e-6)
        np.testing.assert_allclose(value[0] + value[1], 0, atol=1e-4)
        assert jnp.isnan(value[2:]).all()  # without games
        assert jnp.isnan(metric(**won(3, 0))).all()  # never beaten
    other = u.BradleyTerry(2, scale=1 / np.log10(np.e), mean=7.0)(**won(3, 1))
    np.testing.assert_allclose(other, 7 + np.log(3) / np.array([2, -2]), rtol=1e-6)
    assert u.BradleyTerry(2, undefined=0.0)(**won(1, 0)).tolist() == [0, 0]
    assert jnp.isnan(u.BradleyTerry(2).compute()).all()


def test_two_parts_have_no_common_scale():
    first, second = jnp.array([0, 1, 2, 3]), jnp.array([1, 0, 3, 2])
    games = {"first": first, "second": second, "outcomes": jnp.ones(4, int)}
    assert jnp.isnan(u.BradleyTerry(4)(**games)).all()
    bridge = u.BradleyTerry(4).update(**games)
    tie = {"first": jnp.array([0]), "second": jnp.array([3]), "outcomes": jnp.array([0])}
    np.testing.assert_allclose(bridge.update(**tie).compute(), 0, atol=1e-4)


def test_far_apart():
    """Of a ladder of players who each win 1000 of 1001 games against the next."""
    n = 12
    first = np.repeat(np.arange(n - 1), 2)
    games = {"first": first, "second": first + 1, "outcomes": np.tile([1, -1], n - 1)}
    value = u.BradleyTerry(n)(**games, weights=np.tile([1000.0, 1.0], n - 1).astype(np.float32))
    np.testing.assert_allclose(np.diff(value), -1200, rtol=1e-3)


def test_the_gradient_is_that_of_the_solution():
    games = {"first": jnp.array([0, 0]), "second": jnp.array([1, 1]),
             "outcomes": jnp.array([1, -1])}  # fmt: skip
    gap = lambda w: jnp.diff(u.BradleyTerry(2)(**games, weights=w))[0]
    slope = jax.jit(jax.grad(gap))(jnp.array([3.0, 1.0]))
    np.testing.assert_allclose(slope * NATURAL, [-1 / 3, 1], rtol=1e-5)


def test_invalid_and_refused():
    ratings = u.BradleyTerry(3)
    for i, j, won in ((0, 3, 1), (-1, 0, 1), (1, 1, 0), (0, 1, 2)):
        one = {"first": jnp.array([i]), "second": jnp.array([j]), "outcomes": jnp.array([won])}
        with pytest.raises(eqm.InvalidDataError, match=r"1 invalid row.*two players in \[0, 3\)"):
            ratings.update(**one).check()
    with pytest.raises(TypeError, match="`first` is .* and `second` is .* same shape"):
        ratings(first=jnp.zeros(2, int), second=jnp.zeros(1, int), outcomes=jnp.zeros(2, int))
    with pytest.raises(ValueError, match="num_players=1"):
        u.BradleyTerry(1)
    with pytest.raises(ValueError, match="scale="):
        u.BradleyTerry(2, scale=0)
