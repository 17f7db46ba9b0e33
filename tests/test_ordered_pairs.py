import jax
import jax.numpy as jnp
import numpy as np
import pytest

from eqmetrics._reduction.pair import to_float
from eqmetrics._regression.ordered_pairs import order_by, ordered_pairs, scaled


WEIGHTS = {
    "none": lambda rng, rows: np.ones(rows),
    "equal": lambda rng, rows: np.full(rows, 0.3),
    "some 0": lambda rng, rows: rng.integers(0, 3, rows),
    "fractions": lambda rng, rows: rng.random(rows) ** 4,
}


@pytest.mark.parametrize("rows", [1, 65, 300])  # one block, and a row more than whole blocks
@pytest.mark.parametrize("kinds", [2, 20, 10**6])  # ties that reach over blocks, and none
@pytest.mark.parametrize("weights", WEIGHTS)
def test_all_pairs_are_compared(rows, kinds, weights):
    rng = np.random.default_rng([rows, kinds])
    first, second = rng.integers(0, min(2 * rows, kinds), (2, rows))
    earlier = rng.random(kinds + 1)[first] < 0.7  # equal where `first` is
    w = WEIGHTS[weights](rng, rows).astype(np.float32)
    w = np.asarray(scaled(jnp.asarray(w), jnp.ones(rows, bool)))
    pairs = jax.jit(ordered_pairs)(*map(jnp.asarray, (first, second, earlier, w)))
    products = w[:, None].astype(np.float64) * w * earlier[:, None]
    products *= first[:, None] < first
    total = products.sum()
    difference = (products * np.sign(second[None] - second[:, None])).sum()
    assert float(to_float(pairs.total)) == pytest.approx(total, rel=1e-6)
    assert float(to_float(pairs.difference)) == pytest.approx(difference, abs=1e-6 * total)
    if weights in ("none", "some 0"):  # exact, but for the rounding to one float
        assert to_float(pairs.difference) == np.float32(difference)


@pytest.mark.parametrize("rows", [1, 2, 1000, 2**17 + 1])  # up to three sorts of words
def test_order_is_that_of_both_keys_and_of_the_rows(rows):
    rng = np.random.default_rng(rows)
    first, second = rng.integers(0, 2 * rows, (2, rows)).astype(np.int32) // 3
    bits = (2 * rows).bit_length()
    both = order_by(jnp.asarray(first), jnp.asarray(second), bits=bits)
    assert (np.asarray(both) == np.lexsort((second, first))).all()
    one = order_by(jnp.asarray(first), bits=bits)
    assert (np.asarray(one) == np.argsort(first, stable=True)).all()
