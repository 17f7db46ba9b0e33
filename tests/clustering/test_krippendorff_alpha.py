"""`KrippendorffAlpha` and `Coincidences` beside the definition over pairs of ratings."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import at_once, seeds
from .ratings import cases_of, CATEGORIES


NUMBERS = (0.0, 1.0, 10.0, -2.5)
METRICS = eqm.MetricDict(
    matrix=eqm.clustering.Coincidences(CATEGORIES),
    nominal=eqm.clustering.KrippendorffAlpha(CATEGORIES),
    ordinal=eqm.clustering.KrippendorffAlpha(CATEGORIES, level="ordinal"),
    interval=eqm.clustering.KrippendorffAlpha(CATEGORIES, level="interval"),
    numbers=eqm.clustering.KrippendorffAlpha(CATEGORIES, level="interval", values=NUMBERS),
)
assert len(METRICS.states.all()) == 1


def difference(level: str, c: int, k: int, all_of: np.ndarray) -> float:
    if level == "nominal":
        return float(c != k)
    if level == "ordinal":
        low, high = min(c, k), max(c, k)
        between = ((all_of >= low) & (all_of <= high)).sum()
        return float(between - ((all_of == c).sum() + (all_of == k).sum()) / 2) ** 2
    return float((c - k) if level == "interval" else NUMBERS[c] - NUMBERS[k]) ** 2


def definition(level: str, rows: list[np.ndarray]) -> float:
    if not rows:
        return float("nan")
    all_of = np.concatenate(rows)
    table = [
        [difference(level, c, k, all_of) for k in range(CATEGORIES)] for c in range(CATEGORIES)
    ]
    d = np.array(table)
    seen = sum(d[row[:, None], row[None]].sum() / (len(row) - 1) for row in rows) / len(all_of)
    pairs = len(all_of) * (len(all_of) - 1)
    expected = d[all_of[:, None], all_of[None]].sum() / pairs
    return 1 - seen / expected if expected > 0 else float("nan")


@at_once
@given(seed=seeds)
def test_is_its_definition(seed):
    for got, rows in cases_of(METRICS, seed):
        want = np.zeros((CATEGORIES, CATEGORIES))
        for row in rows:
            for c, k in itertools.permutations(row, 2):
                want[c, k] += 1 / (len(row) - 1)
        np.testing.assert_allclose(got.pop("matrix"), want, rtol=1e-6)
        for level, value in got.items():
            np.testing.assert_allclose(value, definition(level, rows), rtol=1e-5, atol=1e-6)


def test_krippendorffs_own_example():
    """Four raters, twelve rows, some ratings missing: 0.743, 0.815 and 0.849."""
    raters = "123321412...", "1233224125.3", ".3332342251.", "12332441251."
    given = np.array([[0 if c == "." else int(c) for c in row] for row in raters]).T
    ratings, mask = jnp.asarray(np.maximum(given - 1, 0)), jnp.asarray(given > 0)
    levels = "nominal", "ordinal", "interval"
    alphas = eqm.MetricDict({x: eqm.clustering.KrippendorffAlpha(5, level=x) for x in levels})
    got = jax.jit(lambda: alphas(ratings=ratings, mask=mask))()
    for level, want in zip(levels, (0.743, 0.815, 0.849), strict=True):
        np.testing.assert_allclose(got[level], want, atol=5e-4)


def test_many_rows_near_chance():
    rng = np.random.default_rng(0)
    ratings = rng.integers(0, 4, (1_000_000, 3)).astype(np.int8)
    got = jax.jit(lambda x: METRICS(ratings=x))(ratings)
    matrix = np.zeros((4, 4))
    for i, j in itertools.permutations(range(3), 2):
        np.add.at(matrix, (ratings[:, i], ratings[:, j]), 0.5)
    each = matrix.sum(0)
    c = np.arange(4)
    middle = np.cumsum(each) - each / 2
    for level, d in (
        ("nominal", c[:, None] != c),
        ("interval", (c[:, None] - c) ** 2),
        ("ordinal", (middle[:, None] - middle) ** 2),
    ):
        want = 1 - (each.sum() - 1) * (matrix * d).sum() / (each[:, None] * each * d).sum()
        np.testing.assert_allclose(got[level], want, rtol=0, atol=1e-7)


def test_undefined_and_errors():
    alpha = eqm.clustering.KrippendorffAlpha(2)
    same = jnp.array([[1, 1], [1, 1]])
    assert jnp.isnan(alpha.compute()) and jnp.isnan(alpha(ratings=same))
    assert eqm.clustering.KrippendorffAlpha(2, undefined=1.0)(ratings=same) == 1
    with pytest.raises(eqm.InvalidDataError, match=r"1 invalid row.*ratings in \[0, 2\)"):
        alpha.update(ratings=jnp.array([[0, 2], [0, 1]])).check()
    with pytest.raises(ValueError, match="level='ratio'"):
        eqm.clustering.KrippendorffAlpha(
            2, level="ratio"  # pyright: ignore[reportArgumentType]
        )
    with pytest.raises(ValueError, match="numbers of 2 categories"):
        eqm.clustering.KrippendorffAlpha(2, level="interval", values=[1.0, 2.0, 3.0])
