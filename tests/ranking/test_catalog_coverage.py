"""`CatalogCoverage` beside a set of the items."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

import eqmetrics as eqm
from eqmetrics import ranking

from ..oracle import agree, few, fold, masks, ROWS, spread, STEPS, weights


ITEMS, K = 9, 3


@st.composite
def lists(draw):
    """Stacked lists of three items, with numbers out of range where there is none."""
    shape = STEPS, ROWS, K
    mask = draw(masks())[..., None] & draw(arrays(np.bool_, shape, fill=st.just(True)))
    w = draw(arrays(np.float32, shape[:-1], elements=weights))
    items = draw(arrays(np.int32, shape, elements=st.integers(0, ITEMS - 1)))
    keep = mask & (w > 0)[..., None]
    return {"recommended": np.where(keep, items, -5), "mask": mask, "weights": w}


@pytest.mark.parametrize("way", [fold, spread])
def test_a_set_agrees(way):
    @few
    @given(batch=lists())
    def check(batch):
        got = way(ranking.CatalogCoverage(ITEMS), batch).compute()
        seen = set(batch["recommended"].ravel().tolist()) - {-5}
        agree(got, len(seen) / ITEMS if seen else np.nan, 1e-6)

    check()


def test_by_hand():
    new = ranking.CatalogCoverage(41).update(recommended=jnp.arange(41).reshape(1, 41))
    assert new.compute() == 1
    by_user = ranking.CatalogCoverage(4).per_row(recommended=jnp.array([[0, 1], [2, 2]]))
    assert by_user.tolist() == [0.5, 0.25]
    assert ranking.CatalogCoverage(3, undefined=0.0).compute() == 0


def test_what_is_invalid():
    batch = {"recommended": jnp.array([[0, 1], [0, 3], [-1, 0]])}
    new = ranking.CatalogCoverage(3).update(**batch)
    with pytest.raises(eqm.InvalidDataError, match=r"2 rows.*|.*items in \[0, 3\)"):
        new.check()
    assert np.isnan(new.compute())
    mask = jnp.array([[True, True], [True, False], [False, True]])
    assert abs(ranking.CatalogCoverage(3)(**batch, mask=mask) - 2 / 3) < 1e-6
    with pytest.raises(TypeError, match="top_k"):
        ranking.CatalogCoverage(3)(recommended=jnp.ones((2, 3)))
    for items in (0, -1, 2.5):
        with pytest.raises((TypeError, ValueError)):
            ranking.CatalogCoverage(items)  # pyright: ignore[reportArgumentType]
