import math
from typing import final, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32, Integer

from .._custom_types import Input, Mask, Weights
from .._metric.messages import describe
from .._metric.metric import Metric
from .._metric.node import vary_like
from .._onepass.sums import Sums
from .._rows.quotient import over
from .._rows.rows import narrow, rows, undefined_as


_STEPS, _NEAR = 100, 1e-6


def _connected(wins: Float32[Array, "players players"]) -> Bool[Array, "players players"]:
    """Whether each player has beaten each other, directly or through a chain of players; ties count
    for both."""
    players = len(wins)
    reach = (wins > 0) | jnp.eye(players, dtype=bool)
    for _ in range(math.ceil(math.log2(max(players, 2)))):
        reach = reach.astype(jnp.float32) @ reach.astype(jnp.float32) > 0
    return reach


def _newton(wins: Array, strength: Array) -> tuple[Array, Array]:
    """A step of Newton's method on the log-likelihood, and the spread of its entries."""
    games = wins + wins.T
    chance = jax.nn.sigmoid(strength[:, None] - strength[None])
    # Wins minus expected wins, in a form that subtracts no large numbers where one player wins
    # nearly all games.
    slope = jnp.sum(wins * chance.T - wins.T * chance, axis=1)
    curve = games * chance * chance.T
    each = jnp.sum(curve, axis=1)
    # The games determine neither a common offset of all strengths nor the strength of a player
    # without games. The added terms make the matrix invertible.
    middle = jnp.mean(each) / len(wins)
    matrix = jnp.diag(each + jnp.where(each == 0, 1, 0)) - curve + jnp.where(middle == 0, 1, middle)
    step = jax.scipy.linalg.solve(lax.stop_gradient(matrix), slope, assume_a="pos")
    return step, jnp.max(step) - jnp.min(step)


def _strengths(wins: Array) -> Array:
    """The maximum-likelihood strengths of players who are connected."""
    held = lax.stop_gradient(wins)

    def more(carry):
        _, size, steps = carry
        return (size > _NEAR) & (steps < _STEPS)

    def step(carry):
        strength, _, steps = carry
        move, size = _newton(held, strength)
        # A step of this length can't overshoot, as the third derivative is at most the second: Sun
        # and Tran-Dinh, "Generalized self-concordant functions: a recipe for Newton-type methods",
        # 2019.
        short = jnp.where(size > 1e-3, jnp.log1p(size) / jnp.maximum(size, 1e-3), 1)
        return strength + short * move, size, steps + 1

    start = jnp.zeros(len(wins), jnp.float32), jnp.float32(jnp.inf), jnp.int32(0)
    found, size, _ = lax.while_loop(more, step, vary_like(start, (held, held[0, 0], held[0, 0])))
    # By the implicit function theorem, one more step gives the derivative of the solution.
    strength = found + _newton(wins, found)[0]
    return jnp.where(size > 1e-3, jnp.nan, strength)


@final
class BradleyTerry(Metric):
    r"""The maximum-likelihood ratings of players from games between two of them, on Elo's scale:
    the odds of the first against the second are $10^{(r_1 - r_2) / 400}$.

    The games are counted in a table of who beat whom, so that their order doesn't matter (as it
    does for Elo's updates), and tables merge. A tie is half a win for each, as for LMSYS. The
    ratings have the mean `mean`; only their differences have a meaning.

    Ratings are finite and unique if every player has beaten every other, directly or through a
    chain of players (Ford's condition; a tie counts). If the players with games split into two
    groups and one group never beat the other, no player has a rating. A small prior, such as added
    ties, would only hide that. [`eqmetrics.Bootstrap`][] gives standard errors.

    **Arguments:**

    - `num_players`: how many players there are.
    - `scale`: the difference of the ratings where the odds are 10 to 1.
    - `mean`: the mean of the ratings.
    - `undefined`: what replaces an undefined value; NaN if not given.

    Newton's method takes at most 100 steps of $O(p^3)$ each for $p$ players. The gradient with
    respect to the weights is that of the solution.
    State: `2 * num_players ** 2 + 2` floats. Undefined when: a player has no games; for all players
    if the games don't connect those who have some. Games with a player outside `[0, num_players)`
    or against itself, and outcomes other than -1, 0 and 1, are invalid.
    Source: Bradley and Terry, "Rank analysis of incomplete block designs", 1952; Ford, "Solution of
    a ranking problem from binary comparisons", 1957.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        ratings = eqm.uncertainty.BradleyTerry(2)
        value = ratings(
            first=jnp.array([0, 0, 1, 0]),
            second=jnp.array([1, 1, 0, 1]),
            outcomes=jnp.array([1, 1, -1, -1]),  # of the first: won, won, lost, lost
        )
        assert abs(value[0] - value[1] - 190.8485) < 0.001  # 3 wins to 1
        ```
    """

    num_players: int = eqx.field(static=True)
    scale: float = eqx.field(static=True)
    mean: float = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums  # `halves`: half points of each player (row) against each other (column)

    def __init__(
        self,
        num_players: int,
        *,
        scale: float = 400.0,
        mean: float = 0.0,
        undefined: float | None = None,
    ):
        if not isinstance(num_players, int) or not 2 <= num_players < 2**15:
            raise ValueError(f"num_players={num_players!r}: expected a whole number from 2 on.")
        if not 0 < scale < math.inf:
            raise ValueError(f"scale={scale}: expected a number above 0.")
        self.num_players = num_players
        self.scale = float(scale)
        self.mean = float(mean)
        self.undefined = undefined
        valid = (
            f"two players in [0, {num_players}), outcomes of -1, 0 or 1, weights >= 0 and finite"
        )
        self.sums = Sums(valid, halves=num_players**2)

    def update(
        self,
        *,
        first: Integer[Input, "..."],
        second: Integer[Input, "..."],
        outcomes: Integer[Input, "..."],
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """Takes the numbers of two players and the outcome for the first of them (1 where it won, 0
        for a tie, -1 where it lost), all of one shape; each entry is a game."""
        given = {"first": first, "second": second, "outcomes": outcomes}
        found = {name: rows(narrow(jnp.asarray(x)), mask, weights, name=name)
                 for name, x in given.items()}  # fmt: skip
        for name, x in given.items():
            if jnp.shape(x) != jnp.shape(first):
                raise TypeError(
                    f"`first` is {describe(jnp.asarray(first))} and `{name}` is "
                    f"{describe(jnp.asarray(x))}: they must have the same shape."
                )
        batch, i, j, won = found["first"], *(x.values for x in found.values())
        inside = lambda x: (x >= 0) & (x < self.num_players)
        good = inside(i) & inside(j) & (i != j) & (jnp.abs(won) <= 1)
        i, j = (jnp.where(good, x, 0) for x in (i, j))
        ours, theirs = i * self.num_players + j, j * self.num_players + i
        # Two halves a game: both to one, or one to each.
        index = jnp.stack([jnp.where(won >= 0, ours, theirs), jnp.where(won > 0, ours, theirs)], 1)
        one = jnp.ones(index.shape, bool)
        return self.replace(sums=self.sums.add_at(batch.without(~good), "halves", index, one))

    def compute(self) -> Float32[Array, "{self.num_players}"]:
        """The rating of each player, of shape `(num_players,)`."""
        halves = self.sums.read("halves").reshape(self.num_players, -1)
        wins = over(halves, lax.stop_gradient(jnp.max(halves)))
        plays = jnp.sum(halves + halves.T, axis=1) > 0
        reach = _connected(halves) | ~(plays[:, None] & plays[None])
        known = plays & jnp.all(reach)
        # If there is no solution, solve for any games that have one: these values are replaced
        # below.
        wins = jnp.where(jnp.all(reach), wins, wins + wins.T)
        strength = jnp.where(plays, _strengths(wins), 0)
        centre = jnp.sum(strength) / jnp.maximum(jnp.sum(plays), 1).astype(jnp.float32)
        rating = (strength - centre) * jnp.float32(self.scale / math.log(10)) + self.mean
        return undefined_as(rating, ~known, self.undefined)
