"""`MultipleChoice` beside a loop over the questions in float64, the formulas of
lm-evaluation-harness, and by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import agree, few, fold, ROWS, spread, STEPS
from .drawn import seeds


CHOICES = 4
NAMES = "accuracy", "probability", "brier"


def drawn(seed):
    rng = np.random.default_rng(seed)
    shape = STEPS, ROWS, CHOICES
    mask = rng.random(shape) < rng.choice([0.0, 0.5, 1.0], (STEPS, 1, 1))
    x = -np.round(rng.gamma(2.0, 3.0, shape))  # with ties
    x[rng.random(shape) < 0.1] = -np.inf
    right = rng.random(shape) < 0.4
    right[..., 0] |= ~(right & mask).any(-1)  # of those that there are, one is
    mask[..., 0] |= mask.any(-1)
    right &= mask
    junk = lambda x: np.where(mask, x, np.nan).astype(np.float32)
    return {
        "log_likelihoods": junk(x),
        "lengths": junk(rng.integers(1, 9, shape)),
        "unconditional": junk(-rng.integers(0, 9, shape)),
        "labels": np.where(mask, right, 7).astype(np.int32),
        "mask": mask,
        "weights": np.float32(rng.choice([0.0, 1.0, 2.0, 0.25], shape[:2])),
    }


def oracle(batch, normalization):
    total, weight = np.zeros(3), 0.0
    for index in np.ndindex(STEPS, ROWS):
        keep, w = batch["mask"][index], float(batch["weights"][index])
        if not keep.any() or w == 0:
            continue
        x = batch["log_likelihoods"][index][keep].astype(np.float64)
        if normalization == "unconditional":
            x = x - batch["unconditional"][index][keep]
        elif normalization:
            x = x / batch["lengths"][index][keep]
        right = batch["labels"][index][keep] == 1
        p = np.exp(x - x.max()) if x.max() > -np.inf else np.ones_like(x)
        p /= p.sum()
        own = p[right].sum()
        scores = right[np.argmax(x)], own, (1 - own) ** 2 + np.sum(p[~right] ** 2)
        total, weight = total + w * np.array(scores), weight + w
    return total / weight if weight else np.full(3, np.nan)


@pytest.mark.parametrize("way", [fold, spread])
@pytest.mark.parametrize("normalization", [None, "tokens", "unconditional"])
def test_beside_a_loop(way, normalization):
    @few
    @given(seed=seeds)
    def check(seed):
        batch = drawn(seed)
        got = way(eqm.text.MultipleChoice(normalization), batch)
        assert not got.sums.invalid.any()
        values = got.compute()
        want = oracle(batch, normalization)
        agree([values[n] for n in NAMES], want, rtol=2e-5, atol=1e-6)

    check()


def test_lm_evaluation_harness():
    """`process_results` of lm_eval/api/task.py: `acc`, `acc_norm` by characters, `acc_bytes`,
    `acc_mutual_info`, and `brier_score` of lm_eval/api/metrics.py."""
    choices, gold = [" naïve", " no", " größer als"], 1
    lls, unconditional = np.array([-6.0, -5.0, -9.0]), np.array([-3.0, -5.5, -9.5])
    characters = np.array([len(c) for c in choices])
    count = np.array([len(c.encode()) for c in choices])
    prob = np.exp(lls) / np.exp(lls).sum()
    want = {
        None: (np.argmax(lls) == gold, np.sum((prob - np.eye(3)[gold]) ** 2)),
        "characters": (np.argmax(lls / characters) == gold, None),
        "bytes": (np.argmax(lls / count) == gold, None),
        "unconditional": (np.argmax(lls - unconditional) == gold, None),
    }
    for normalization, (accuracy, brier) in want.items():
        lengths = count if normalization == "bytes" else characters
        values = eqm.text.MultipleChoice(normalization)(
            log_likelihoods=lls[None],
            labels=jnp.array([gold]),
            lengths=lengths[None],
            unconditional=unconditional[None],
        )
        assert values["accuracy"] == accuracy
        if brier is not None:
            agree(values["brier"], brier)


def test_by_hand():
    x = jnp.log(jnp.array([[0.5, 0.25, 0.25], [0.2, 0.6, 0.2]]))
    one = eqm.text.MultipleChoice()(log_likelihoods=x, labels=jnp.array([0, 2]))
    briers = [0.25 + 0.125, 0.64 + 0.04 + 0.36]
    agree([one[n] for n in NAMES], [0.5, 0.35, np.mean(briers)], rtol=1e-6)
    several = jnp.array([[1, 1, 0], [0, 1, 1]])
    both = eqm.text.MultipleChoice()(log_likelihoods=x, labels=several)
    briers = [2 / 16, 2 / 25]
    agree([both[n] for n in NAMES], [1, 0.775, np.mean(briers)], rtol=1e-6)
    # Ties go to the first, of those that there are.
    tied = {"log_likelihoods": jnp.full((1, 3), -2.0), "labels": jnp.array([1])}
    mask = jnp.array([[False, True, True]])
    assert eqm.text.MultipleChoice()(**tied)["accuracy"] == 0
    assert eqm.text.MultipleChoice()(**tied, mask=mask)["accuracy"] == 1
    hopeless = tied | {"log_likelihoods": jnp.full((1, 3), -jnp.inf)}
    values = eqm.text.MultipleChoice()(**hopeless, mask=mask)
    assert (values["accuracy"], values["probability"], values["brier"]) == (1, 0.5, 0.5)


def test_a_question_without_a_choice_is_left_out():
    x, labels = jnp.array([[-1.0, -2.0], [-1.0, -2.0]]), jnp.array([0, 1])
    mask = jnp.array([[True, True], [False, False]])
    new = eqm.text.MultipleChoice().update(log_likelihoods=x, labels=labels, mask=mask)
    assert new.compute()["accuracy"] == 1 and not new.sums.invalid.any()
    empty = eqm.text.MultipleChoice()
    assert all(jnp.isnan(x) for x in empty.compute().values())
    assert not any(eqm.text.MultipleChoice(undefined=0.0).compute().values())


def test_what_is_invalid_is_counted():
    x = jnp.full((6, 2), -1.0).at[0, 0].set(jnp.nan).at[1, 1].set(3.0)
    labels = jnp.array([0, 0, 2, -1, 0, 1])
    mask = jnp.ones((6, 2), bool).at[4, 0].set(False)  # the right one is masked
    new = eqm.text.MultipleChoice().update(log_likelihoods=x, labels=labels, mask=mask)
    assert new.sums.invalid.tolist() == [5, 0]
    with pytest.raises(eqm.InvalidDataError, match="log-likelihoods of at most 0, labels of"):
        new.check()
    lengths = jnp.ones((6, 2)).at[5, 1].set(0)
    by = eqm.text.MultipleChoice("tokens")
    new = by.update(log_likelihoods=x, labels=labels, lengths=lengths, mask=mask)
    assert new.sums.invalid.tolist() == [6, 0]
    several = jnp.array([[0, 0], [1, 0], [2, 1]])  # none right; fine; neither yes nor no
    new = eqm.text.MultipleChoice().update(log_likelihoods=jnp.full((3, 2), -1.0), labels=several)
    assert new.sums.invalid.tolist() == [2, 0]


def test_no_gradient_is_nan_beside_nan():
    x = jnp.array([[-1.0, -2.0, jnp.nan], [jnp.nan] * 3, [-jnp.inf, -1.0, -3.0]])
    mask = jnp.array([[True, True, False], [False] * 3, [True] * 3])

    def loss(x):
        by = eqm.text.MultipleChoice("tokens")
        given = {"lengths": jnp.full((3, 3), 2), "labels": jnp.array([0, 0, 1])}
        return by(log_likelihoods=x, **given, mask=mask)["probability"]

    slope = jax.grad(loss)(x)
    assert jnp.isfinite(slope).all() and slope[0, 0] > 0 and not slope[1].any()
    assert math.isclose(slope[0].sum(), 0, abs_tol=1e-6)


def test_errors_say_what_to_do():
    x = jnp.zeros((2, 3))
    with pytest.raises(ValueError, match="normalization='words'"):
        eqm.text.MultipleChoice("words")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"expected the shape \(2,\) for `labels`"):
        eqm.text.MultipleChoice().update(log_likelihoods=x, labels=jnp.zeros(3, jnp.int32))
    with pytest.raises(TypeError, match="`lengths` is NoneType.*'bytes' reads a number of each"):
        eqm.text.MultipleChoice("bytes").update(log_likelihoods=x, labels=jnp.zeros(2, jnp.int32))
    with pytest.raises(TypeError, match=r"expected \(\*rows, choices\)"):
        eqm.text.MultipleChoice().update(log_likelihoods=jnp.float32(0), labels=jnp.int32(0))
