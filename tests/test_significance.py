"""`Significance` beside scipy."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from scipy.stats import kendalltau, pearsonr, spearmanr

import eqmetrics as eqm

from .oracle import agree, at_once, cases, fold, real_rows, seeds, separate, values_of


ALL = eqm.MetricDict(
    pearson=eqm.Significance(eqm.Pearson()),
    spearman=eqm.Significance(eqm.Spearman(24)),
    kendall=eqm.Significance(eqm.Kendall(24)),
)
SCIPYS: dict[str, Callable[..., Any]] = {
    "pearson": pearsonr,
    "spearman": spearmanr,
    "kendall": lambda p, t: kendalltau(p, t, method="asymptotic"),
}


# How statistics merge is tested where they are.
@at_once
@given(seed=seeds)
def test_scipys_and_whole_weights_repeat(seed):
    batches = cases(seed)
    rng = np.random.default_rng(seed)
    kinds = rng.integers(1, 9, 50)[:, None, None]  # many ties, and few
    for name in ("predictions", "targets"):
        batches[name] = np.where(kinds < 8, np.round(batches[name] * kinds / 4), batches[name])
    batches["weights"] = rng.integers(0, 4, batches["weights"].shape).astype(np.float32)
    # in half of the cases correlated
    strong = rng.random((50, 1, 1)) < 0.5
    batches["targets"] = batches["targets"] + np.where(strong, batches["predictions"], 0)
    got = separate(jax.device_get(values_of(fold, ALL, batches)))
    seen = 0
    for value, batch in zip(got, separate(batches), strict=True):
        p, t, w = real_rows(batch, "predictions", "targets")
        p, t = (np.repeat(x, w.astype(int)) for x in (p, t))
        some = p.size > 2 and np.ptp(p) > 0 and np.ptp(t) > 0
        seen += some
        for name, oracle in SCIPYS.items():
            want = oracle(p, t) if some else (np.nan, np.nan)
            if p.size > 2 or name == "kendall":
                agree(value[name]["value"], want[0], atol=1e-5)
            agree(value[name]["p_value"], want[1], rtol=2e-4, atol=1e-6)
    assert seen > 15


@pytest.mark.parametrize("counts", [(19_600, 200, 190, 10), (900_000, 99_000, 1_000, 150)])
def test_many_rows_and_few_of_a_kind(counts):
    """The variance is a difference of what is nearly equal. A row for each cell of the table."""
    p, t = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    metric = eqm.Significance(eqm.Kendall(24))
    weights = np.array(counts, np.float32)
    found = metric(predictions=np.float32(p), targets=np.float32(t), weights=weights)
    _, want = SCIPYS["kendall"](np.repeat(p, counts), np.repeat(t, counts))
    assert 1e-9 < want < 0.999
    agree(found["p_value"], want, rtol=1e-3)


def test_by_hand():
    p, t = jnp.arange(4.0), jnp.array([0.0, 2.0, 1.0, 3.0])
    # t = 0.8 sqrt(2 / 0.36) with 2 degrees of freedom, whose p-value is 1 - r
    pearson = eqm.Significance(eqm.Pearson())(predictions=p, targets=t)
    agree(pearson["value"], 0.8)
    agree(pearson["p_value"], 0.2)
    # 5 of 6 pairs in order: S = 4, its variance 4 * 3 * 13 / 18
    for variant in ("a", "b", "c"):
        kendall = eqm.Significance(eqm.Kendall(24, variant=variant))(predictions=p, targets=t)
        agree(kendall["value"], 4 / 6)
        agree(kendall["p_value"], 0.17423, rtol=1e-4)
    columns = eqm.Significance(eqm.Pearson(outputs=2))
    both = columns(predictions=jnp.stack([p, p], 1), targets=jnp.stack([t, -p], 1))
    agree(both["value"], [0.8, -1.0])
    agree(both["p_value"], [0.2, 0.0])


def test_undefined_and_errors():
    for metric in (eqm.Pearson(), eqm.Spearman(24), eqm.Kendall(24)):
        tested = eqm.Significance(metric)
        assert all(jnp.isnan(x) for x in tested.compute().values())
        two = tested(predictions=jnp.arange(2.0), targets=jnp.arange(2.0))
        assert jnp.isnan(two["p_value"])
        many = tested(predictions=jnp.arange(25.0), targets=jnp.arange(25.0))
        assert jnp.isnan(many["p_value"]) == (not isinstance(metric, eqm.Pearson))
        same = eqm.MetricDict(a=metric, b=tested)
        assert sum(x.size for x in jax.tree.leaves(same)) == sum(
            x.size for x in jax.tree.leaves(metric)
        )
    with pytest.raises(TypeError, match="`Significance` got R2, expected a `Pearson`"):
        eqm.Significance(eqm.R2())
    with pytest.raises(TypeError, match="`Significance` got .*, expected a `Pearson`"):
        eqm.Significance(eqm.Pearson)  # pyright: ignore[reportArgumentType]
