"""`eqm.uncertainty.ConformalQuantile` beside sorted scores, and by hand."""

from fractions import Fraction
from math import ceil

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import at_once, batches, few, floats, fold, rows_of, seeds, spread, values_of
from .drawn import each_case, hidden, masked, SHAPE


ALPHA = (0.5, 0.3, 0.1, 0.05)
BUFFER = eqm.uncertainty.ConformalQuantile(ALPHA, exact=24)
SKETCH = eqm.uncertainty.ConformalQuantile(ALPHA)


def definition(scores):
    """Of sorted scores, with the shares as the fractions that their decimals are."""
    n = len(scores)
    ranks = [ceil((n + 1) * (1 - Fraction(str(alpha)))) for alpha in ALPHA]
    each = [scores[k - 1] if k <= n else np.inf for k in ranks]
    return np.array(each) if n else np.full(len(ALPHA), np.nan)


@pytest.mark.parametrize("way", [fold, spread])
@at_once
@given(seed=seeds)
def test_the_order_of_scores(way, seed):
    rng = np.random.default_rng(seed)
    mask, values = masked(rng), rng.normal(size=SHAPE) * rng.choice([1e-3, 1, 1e6], (50, 1, 1))
    values = np.where(rng.random((50, 1, 1)) < 0.3, np.round(values), values)  # with ties
    batch = {"values": hidden(values, mask), "mask": mask}
    for got, rows in each_case(values_of(way, BUFFER, batch), batch):
        np.testing.assert_array_equal(got, definition(np.sort(rows["values"])))


@few
@given(batch=batches(floats(1e6)))
def test_the_sketch_brackets_it(batch):
    batch["weights"] = np.floor(batch["weights"])
    x, w = rows_of(batch)
    want = definition(np.sort(np.repeat(x, w.astype(int))))
    sketch = fold(SKETCH, batch)
    low, high = sketch.bounds()
    np.testing.assert_array_equal(sketch.compute(), high)
    np.testing.assert_array_equal(np.isinf(high), np.isinf(want))
    some = np.isfinite(want)
    low, high, want = (np.asarray(x)[some] for x in (low, high, want))
    assert np.all(low <= want) and np.all(want <= high)
    assert np.all(high - low <= 0.004 * np.abs(want) + 1e-30)


def test_by_hand():
    exact = eqm.uncertainty.ConformalQuantile((0.1, 0.3), exact=30)
    x = np.arange(1, 31, dtype=np.float32)
    # Of 9 scores the 7th at 0.3, a float that is slightly below 3/10.
    tenth = ((8, np.inf), (9, 9), (10, 10), (18, 18), (19, 18), (29, 27))
    for (n, want), third in zip(tenth, (7, 7, 8, 14, 14, 21), strict=True):
        assert exact(x, mask=x <= n).tolist() == [want, third], n
    assert jnp.isnan(exact.compute()).all()
    assert eqm.uncertainty.ConformalQuantile((0.1, 0.3), exact=30, undefined=1.0)(
        x, mask=x < 0
    ).tolist() == [1, 1]
    assert eqm.uncertainty.ValueBuffer(3)(jnp.ones(2)) == 2


def test_new_rows_are_covered():
    """Over many calibrations, a new row is inside with the probability that theory has."""
    rng, n, alpha = np.random.default_rng(0), 11, 0.2
    scores = rng.random((4000, n)).astype(np.float32)
    ordered = np.sort(scores, axis=1)[:, ceil((n + 1) * (1 - Fraction("0.2"))) - 1]
    some = eqm.uncertainty.ConformalQuantile(alpha, exact=n)
    for x, want in zip(scores[:3], ordered, strict=False):
        assert some(x) == want
    assert abs(np.mean(ordered) - 10 / 12) < 0.01 and 10 / 12 > 1 - alpha


def test_invalid_too_many_and_refused():
    x = jnp.array([1.0, jnp.inf, jnp.nan])
    for exact in (None, 5):
        with pytest.raises(eqm.InvalidDataError, match=r"2 invalid row.*finite values"):
            eqm.uncertainty.ConformalQuantile(0.1, exact=exact).update(x).check()
    with pytest.raises(eqm.InvalidDataError, match=r"1 row\(s\) too many.*capacity=3"):
        eqm.uncertainty.ConformalQuantile(0.1, exact=2).update(jnp.ones(3)).check()
    for alpha in (0.0, 1.0, (), (0.1, 2.0)):
        with pytest.raises(ValueError, match="alpha="):
            eqm.uncertainty.ConformalQuantile(alpha)
