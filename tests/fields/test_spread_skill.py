"""`eqm.fields.SpreadSkill` beside its definition in float64, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, seeds
from .ensembles import MEMBERS, with_members
from .oracle import rows_of, WAYS


@few
@given(seed=seeds)
def test_float64_agrees(seed):
    for way, _ in WAYS:
        batch = with_members(seed, {"samples": (MEMBERS,), "targets": ()}, 2)
        spread = error = 0.0
        for row, _, w in rows_of(batch):
            x = row["samples"][row["members"] != 0]
            spread += w * np.var(x, ddof=1) * (x.size + 1) / x.size
            error += w * (np.mean(x) - row["targets"]) ** 2
        want = np.sqrt(spread / error) if error > 0 else np.nan
        got = way(eqm.fields.SpreadSkill(), batch).compute()
        np.testing.assert_allclose(got, want, rtol=2e-5)


def test_by_hand():
    ratio = eqm.fields.SpreadSkill()
    x, t = jnp.array([[0.0, 2.0], [1.0, 1.0]]), jnp.array([4.0, 2.0])
    # Variances 2 and 0, errors 3 and 1: the root of the means, not a mean of roots.
    np.testing.assert_allclose(ratio(samples=x, targets=t), (1.5 * 1 / 5) ** 0.5, rtol=1e-6)
    ones = jnp.full((1, 3), 0.1)
    assert ratio(samples=ones, targets=t[:1]) == 0
    np.testing.assert_allclose(
        ratio(samples=x + 2**20, targets=t + 2**20), (1.5 * 1 / 5) ** 0.5, rtol=1e-6
    )


def test_draws_of_one_distribution_have_a_ratio_of_1():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20_000, 3)).astype(np.float32)
    t = rng.normal(size=20_000).astype(np.float32)
    assert abs(eqm.fields.SpreadSkill()(samples=x, targets=t) - 1) < 0.02


def test_undefined_and_invalid():
    x, t = jnp.array([[0.0, 2.0], [1.0, 1.0]]), jnp.array([1.0, 2.0])
    ratio = eqm.fields.SpreadSkill()
    assert jnp.isnan(ratio.compute()) and jnp.isnan(ratio(samples=x[:1], targets=t[:1]))
    assert eqm.fields.SpreadSkill(undefined=1.0)(samples=x[:1], targets=t[:1]) == 1
    one = jnp.array([[True, True], [True, False]])
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*two members in each row"):
        ratio.update(samples=x, targets=t, members=one).check()
    with pytest.raises(TypeError, match=r"with 1 member\(s\), expected at least 2"):
        ratio(samples=x[:, :1], targets=t)
    slope = jax.grad(lambda x: ratio(samples=x, targets=t[1:]))(x[1:])
    assert not slope.any()
