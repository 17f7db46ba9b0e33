"""`eqm.training.ExpertLoad`, `BalanceLoss` and `CodebookUsage` beside float64, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from scipy.stats import entropy

import eqmetrics as eqm

from ..oracle import agree, at_once, CASES, cases, fold, ROWS, seeds, separate, STEPS, values_of


EXPERTS, TOP_K = 5, 2


def routed(seed: int) -> dict:
    rng, given = np.random.default_rng(seed), cases(seed)
    shape = CASES, STEPS, ROWS
    p = rng.dirichlet(np.full(EXPERTS, 0.5), shape)
    given["experts"] = np.argsort(-p + rng.random(p.shape), axis=-1)[..., :TOP_K].astype(np.int32)
    given["probabilities"] = p.astype(np.float32)
    given["dropped"] = rng.random((*shape, TOP_K)) < 0.3
    out = ~given["mask"][..., None]
    given["experts"] = np.where(out, 99, given["experts"]).astype(np.int32)
    given["probabilities"] = np.where(out, np.float32(np.nan), given["probabilities"])
    return {k: v for k, v in given.items() if k not in ("predictions", "targets")}


METRICS = eqm.MetricDict(
    load=eqm.training.ExpertLoad(EXPERTS),
    loss=eqm.training.BalanceLoss(EXPERTS),
    codes=eqm.training.CodebookUsage(EXPERTS).from_fun(
        lambda experts, mask, weights: {
            "codes": experts[..., 0], "mask": mask, "weights": weights
        }
    ),
)  # fmt: skip


@at_once
@given(seed=seeds)
def test_float64_agrees(seed):
    batch = routed(seed)
    got = values_of(fold, METRICS, batch)
    for i, each in enumerate(separate(batch)):
        value = jax.tree.map(lambda x, i=i: np.asarray(x)[i], got)
        keep = each["mask"] & (each["weights"] > 0)
        ids, w = each["experts"][keep], each["weights"][keep].astype(np.float64)
        if len(w) == 0:
            assert all(np.isnan(x).all() for x in jax.tree.leaves(value))
            continue
        times = np.repeat(w, TOP_K)
        load = np.bincount(ids.ravel(), times, EXPERTS)
        share = load / load.sum()
        agree(value["load"]["utilisation"], share * EXPERTS, 1e-5)
        agree(value["load"]["max_violation"], (share * EXPERTS).max() - 1, 1e-5, 1e-6)
        agree(value["load"]["variation"], load.std() / load.mean(), 1e-5, 1e-6)
        agree(value["load"]["entropy"], entropy(share), 1e-5, 1e-6)
        agree(value["load"]["dead"], (load == 0).mean(), 1e-6)
        agree(value["load"]["dropped"], np.average(each["dropped"][keep].ravel(), weights=times))
        p = np.average(np.float64(each["probabilities"][keep]), axis=0, weights=w)
        agree(value["loss"], EXPERTS * (share * p).sum(), 1e-5)
        codes = np.bincount(ids[:, 0], w, EXPERTS)
        agree(value["codes"]["perplexity"], np.exp(entropy(codes)), 1e-5)
        agree(value["codes"]["dead"], (codes == 0).mean(), 1e-6)


def test_by_hand():
    load = eqm.training.ExpertLoad(3)(experts=jnp.array([[0, 1], [0, 2]]))
    assert load["utilisation"].tolist() == [1.5, 0.75, 0.75]
    assert load["max_violation"] == 0.5 and load["dead"] == load["dropped"] == 0
    # A mask of single assignments: what was dropped, say.
    some = jnp.array([[True, True], [False, True]])
    load = eqm.training.ExpertLoad(3)(experts=jnp.array([[0, 1], [0, 2]]), mask=some)
    np.testing.assert_allclose(load["utilisation"], [1, 1, 1], rtol=1e-6)
    assert abs(load["entropy"] - np.log(3)) < 1e-6 and load["variation"] < 1e-6
    usage = eqm.training.CodebookUsage(4)(codes=jnp.array([[0, 1], [0, 1]]))
    assert abs(usage["perplexity"] - 2) < 1e-6 and usage["dead"] == 0.5


def test_the_loss_is_of_all_tokens_and_not_the_mean_of_batches():
    loss = eqm.training.BalanceLoss(2)
    first = {"experts": jnp.array([[0]]), "probabilities": jnp.array([[1.0, 0.0]])}
    second = {"experts": jnp.array([[1]]), "probabilities": jnp.array([[0.0, 1.0]])}
    assert loss(**first) == loss(**second) == 2
    assert loss.update(**first).update(**second).compute() == 1


def test_undefined_and_invalid():
    assert jnp.isnan(eqm.training.BalanceLoss(2).compute())
    assert jnp.isnan(eqm.training.CodebookUsage(2).compute()["dead"])
    assert eqm.training.ExpertLoad(2, undefined=0.0).compute()["entropy"] == 0
    load = eqm.training.ExpertLoad(2).update(experts=jnp.array([[0, 2], [0, 1]]))
    with pytest.raises(eqm.InvalidDataError, match=r"ExpertLoad.* 1 inv.*experts in \[0, 2\)"):
        load.check()
    bad = jnp.array([[0.5, -0.5], [0.5, 0.5]])
    loss = eqm.training.BalanceLoss(2)
    with pytest.raises(eqm.InvalidDataError, match="BalanceLoss.* 1 inv.*probabilities >= 0"):
        loss.update(experts=jnp.array([[0], [1]]), probabilities=bad).check()
    with pytest.raises(eqm.InvalidDataError, match=r"CodebookUsage.* 2 inv.*codes in \[0, 2\)"):
        eqm.training.CodebookUsage(2).update(codes=jnp.array([-1, 0, 2])).check()


def test_what_it_refuses():
    experts = jnp.array([[0], [1]])
    with pytest.raises(TypeError, match=r"expected the shape \(2, 3\)"):
        eqm.training.BalanceLoss(3).update(experts=experts, probabilities=jnp.ones((2, 2)))
    with pytest.raises(TypeError, match=r"`dropped` is bool\[2\]"):
        eqm.training.ExpertLoad(3).update(experts=experts, dropped=jnp.ones(2, bool))
    with pytest.raises(TypeError, match="`experts` is one number"):
        eqm.training.ExpertLoad(3).update(experts=1)
    with pytest.raises(ValueError, match="size=0"):
        eqm.training.CodebookUsage(0)
