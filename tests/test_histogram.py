"""`Histogram` beside numpy."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from .oracle import agree, fold, many, moved, pairs, real_rows, spread


EDGES = np.array([-1.5, -1.0, 0.25, 0.5, 1.0], np.float32)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("way", [fold, spread])
@many
@given(batch=pairs())
def test_numpys(way, weighted, batch):
    batch["values"] = np.round(batch.pop("targets") * 4) / 4  # on the edges too
    del batch["predictions"]
    if not weighted:
        del batch["weights"]
    batch = moved(batch)
    x, w = real_rows(batch, "values")
    got = way(eqm.Histogram(EDGES), batch).compute()
    agree(got["counts"], np.histogram(x, EDGES, weights=w)[0])
    agree(got["below"], w[x < EDGES[0]].sum())
    agree(got["above"], w[x > EDGES[-1]].sum())


def test_by_hand():
    x = jnp.array([-1.0, 0.0, 0.5, 1.0, 2.0, 2.5])
    got = eqm.Histogram([0, 1, 2])(x)
    assert got["counts"].tolist() == [2.0, 2.0]
    assert (got["below"], got["above"]) == (1.0, 1.0)
    got = eqm.Histogram([0, 1, 2])(x, weights=jnp.array([9, 1, 2, 3, 4, 5]))
    assert got["counts"].tolist() == [3.0, 7.0] and got["above"] == 5.0
    assert eqm.Histogram([0, 1])(jnp.array([-jnp.inf, jnp.inf]))["below"] == 1.0
    big = eqm.Histogram([0, 1]).update(jnp.ones(1), weights=jnp.array([2.0**24]))
    assert eqm.to_host(big.update(jnp.zeros(1)))["counts"] == 2**24 + 1


def test_invalid():
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*NaN"):
        eqm.Histogram([0, 1]).update(jnp.array([jnp.nan, 0.5])).check()
    for edges in ([0], [1, 0], [0, 0], [1, 1 + 1e-12], [0, np.nan], [[0, 1]]):
        with pytest.raises(ValueError, match="increasing"):
            eqm.Histogram(np.array(edges))
    with pytest.raises(ValueError, match="`edges` is"):
        eqm.Histogram([0, 1]).merge(eqm.Histogram([0, 2]))
