"""`TokenLikelihoods`, `ByteLikelihoods` and `WordLikelihoods` beside float64 sums of log softmax,
what they count as invalid, and what they ask of memory and devices."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from jax.sharding import NamedSharding, PartitionSpec as P

import eqmetrics as eqm

from ..oracle import few, fold, spread
from .drawn import losses, seeds, tokens


UNITS = [(eqm.text.ByteLikelihoods, "bytes"), (eqm.text.WordLikelihoods, "words")]


@pytest.mark.parametrize("way", [fold, spread])
def test_beside_log_softmax(way):
    @few
    @given(seed=seeds)
    def check(seed):
        batch, _ = tokens(seed)
        loss, weights = losses(batch)
        got = way(eqm.text.TokenLikelihoods(), batch)
        assert not got.sums.invalid.any()
        want = [np.sum(loss * weights), np.sum(weights)]
        values = got.compute()
        names = "negative_log_likelihood", "tokens"
        np.testing.assert_allclose([values[n] for n in names], want, rtol=2e-6, atol=1e-4)
        assert got.exact().keys() == values.keys()

    check()


@pytest.mark.parametrize(("statistic", "unit"), UNITS)
def test_units(statistic, unit):
    @few
    @given(seed=seeds)
    def check(seed):
        batch, rng = tokens(seed)
        units = rng.integers(0, 9, batch["mask"].shape).astype(np.int32)
        keep = batch["mask"] & (batch["weights"] > 0)[..., None]
        weights = losses(batch)[1]
        given = batch | {unit: np.where(keep, units, -3)}
        got = fold(statistic(), given)
        np.testing.assert_allclose(got.compute()[unit], np.sum(units[keep] * weights), rtol=1e-6)
        tokens_alone = fold(eqm.text.TokenLikelihoods(), batch)
        jax.tree.map(np.testing.assert_array_equal, got.likelihoods, tokens_alone)
        assert set(got.exact()) == {"negative_log_likelihood", "tokens", unit}

    check()


def test_log_probabilities_are_the_same_tokens():
    logits = jax.random.normal(jax.random.key(0), (2, 3, 5))
    labels = jnp.array([[0, 4, 2], [3, -100, 1]])
    mask = jnp.array([[True, True, False], [True, True, True]])
    own = jnp.take_along_axis(jax.nn.log_softmax(logits), jnp.maximum(labels, 0)[..., None], -1)
    metric = eqm.text.TokenLikelihoods(ignore_index=-100)
    of_logits = metric(logits=logits, labels=labels, mask=mask)
    given = metric(log_probabilities=own[..., 0], labels=labels, mask=mask)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6), of_logits, given)
    assert given["tokens"] == 4
    here = mask & (labels >= 0)
    without = eqm.text.TokenLikelihoods()(log_probabilities=own[..., 0], mask=here)
    np.testing.assert_allclose(without["negative_log_likelihood"], given["negative_log_likelihood"])


def test_logits_of_minus_infinity():
    logits = jnp.array([[-jnp.inf] * 4, [0, 0, 0, -jnp.inf], [0, 0, 0, -jnp.inf]])
    metric, want = eqm.text.TokenLikelihoods(), [np.log(4), np.log(3), np.inf]
    each = metric.per_row(logits=logits, labels=jnp.array([1, 2, 3]))
    np.testing.assert_allclose(each["negative_log_likelihood"], want, rtol=1e-6)
    assert each["tokens"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_slope_is_that_of_log_softmax(dtype):
    logits = jax.random.normal(jax.random.key(0), (3, 5)).astype(dtype)
    logits = logits.at[1, 2].set(logits[1].max()).at[0, 1].set(-jnp.inf).at[2].set(jnp.nan)
    labels, mask = jnp.array([0, 4, 2]), jnp.array([True, True, False])

    def ours(x):
        sums = eqm.text.TokenLikelihoods()(logits=x, labels=labels, mask=mask)
        return sums["negative_log_likelihood"]

    def theirs(x):
        x = jax.nn.log_softmax(x[:2].astype(jnp.float32))
        return -jnp.take_along_axis(x, labels[:2, None], 1).sum()

    got, want = jax.grad(ours)(logits), jax.grad(theirs)(logits)
    assert got.dtype == dtype and not got[2].any()
    rtol = 1e-5 if dtype == "float32" else 2e-2
    np.testing.assert_allclose(np.float32(got[:2]), np.float32(want[:2]), rtol, rtol / 10)
    twice = jax.hessian(ours)(logits.astype(jnp.float32)[:1].repeat(3, 0))
    assert jnp.isfinite(twice).all()


def test_what_is_invalid_is_counted():
    metric = eqm.text.TokenLikelihoods(ignore_index=-100)
    logits = jnp.zeros((7, 3)).at[4, 1].set(jnp.nan).at[6, 1].set(jnp.inf)
    labels = jnp.array([0, 3, -1, -100, 2, 2**31 - 1, 1])
    new = metric.update(logits=logits, labels=labels)
    assert new.sums.read("tokens") == 1
    with pytest.raises(eqm.InvalidDataError, match=r"5 .*labels in \[0, vocabulary\) or -100 to"):
        new.check()
    losses_given = metric.update(
        log_probabilities=jnp.array([-0.5, 0.0, 0.05, 3.0]), labels=labels[:4]
    )
    with pytest.raises(eqm.InvalidDataError, match="log-probabilities of at most 0"):
        losses_given.check()


@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_no_bad_logit_is_lost_in_a_wide_row(dtype, bad):
    """XLA's CPU drops NaN in some maxima and minima."""
    rows, places = np.arange(70), np.arange(70) * 4 + 1
    logits = np.zeros((70, 300), np.float32)
    logits[:, 7] = 1
    logits[rows, places] = bad
    update = lambda x: eqm.text.TokenLikelihoods().update(logits=x, labels=jnp.zeros(70, jnp.int32))
    for way in (update, jax.jit(update)):
        assert way(jnp.asarray(logits, dtype)).sums.invalid.tolist() == [70, 0]


def test_units_that_are_none_are_counted_and_cost_the_tokens_nothing():
    given = {"log_probabilities": jnp.log(jnp.array([0.5, 0.25]))}
    metrics = eqm.MetricDict(perplexity=eqm.text.Perplexity(), bits=eqm.text.BitsPerByte())
    new = metrics.update(**given, bytes=jnp.array([1, -2]))
    values = new.compute()
    assert values["perplexity"] == eqm.text.Perplexity()(**given) and jnp.isnan(values["bits"])
    with pytest.raises(eqm.InvalidDataError, match="bytes >= 0"):
        new.check()


def test_a_dict_sums_the_losses_once():
    metrics = eqm.MetricDict(perplexity=eqm.text.Perplexity(), bits=eqm.text.BitsPerByte())
    assert len(metrics.states) == 1
    batch = {"logits": jnp.zeros((4, 8)), "labels": jnp.arange(4), "bytes": jnp.array([1, 2, 3, 2])}
    values = metrics(**batch)
    assert values["perplexity"] == 8 and abs(values["bits"] - 1.5) < 1e-6


def test_errors_say_what_to_do():
    metric = eqm.text.TokenLikelihoods()
    logits, tokens = jnp.zeros((2, 5, 7)), jnp.zeros((2, 5), jnp.int32)
    with pytest.raises(TypeError, match="Exactly one of `logits`.*got neither"):
        metric.update(labels=tokens)
    with pytest.raises(TypeError, match="got both"):
        metric.update(labels=tokens, logits=logits, log_probabilities=jnp.zeros((2, 5)))
    with pytest.raises(TypeError, match="`labels` says which tokens came, and is needed"):
        metric.update(logits=logits)
    with pytest.raises(TypeError, match="needed with ignore_index=0"):
        eqm.text.TokenLikelihoods(0).update(log_probabilities=jnp.zeros((2, 5)))
    with pytest.raises(TypeError, match=r"leave out the last: `logits\[:, :-1\]`"):
        metric.update(logits=logits, labels=tokens[:, 1:])
    with pytest.raises(TypeError, match=r"expected the shape \(2, 5\) for both"):
        metric.update(log_probabilities=jnp.zeros((2, 4)), labels=tokens)
    with pytest.raises(TypeError, match="no vocabulary"):
        metric.update(logits=jnp.zeros((2, 0)), labels=jnp.zeros(2, jnp.int32))
    with pytest.raises(
        TypeError, match=r"`bytes` is .*expected the shape \(2, 5\).*table\[labels\]"
    ):
        eqm.text.ByteLikelihoods().update(logits=logits, labels=tokens, bytes=tokens[0])


# ---- memory and devices


SHAPE = 4, 64, 8000


def compiled(dtype, *, mask, place=None):
    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("v",))
    on = lambda *spec: None if place is None else NamedSharding(mesh, P(*spec))
    logits = jax.ShapeDtypeStruct(SHAPE, dtype, sharding=on(None, None, "v"))
    rest = [jax.ShapeDtypeStruct(SHAPE[:2], t, sharding=on()) for t in (jnp.int32, jnp.bool_)]
    metric = eqm.text.TokenLikelihoods()
    step = jax.jit(lambda m, x, y, k: m.update(logits=x, labels=y, mask=k if mask else None))
    program = step.lower(metric, logits, *rest).compile()
    memory, text = program.memory_analysis(), program.as_text()
    assert memory is not None and text is not None
    return memory.temp_size_in_bytes, text


without_copy = pytest.mark.skipif(
    jax.__version_info__ < (0, 10), reason="XLA of jax 0.9 copies the logits; values are the same"
)


@without_copy
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("mask", [False, True])
def test_nothing_of_the_size_of_the_logits_is_made(dtype, mask):
    size = np.prod(SHAPE) * 2
    assert compiled(dtype, mask=mask)[0] < size / 50


@without_copy
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_vocabulary_over_devices_stays_there(dtype):
    memory, text = compiled(dtype, mask=True, place="vocabulary")
    assert memory < np.prod(SHAPE) * 2 / 8 / 10
    assert "all-reduce(" in text
    assert not re.findall(r"(all-gather|all-to-all|collective-permute)\(", text)


def test_over_the_vocabulary_of_devices_the_value_is_the_same():
    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("v",))
    logits = 5 * jax.random.normal(jax.random.key(0), (3, 5, 64))
    labels = jax.random.randint(jax.random.key(1), (3, 5), 0, 64)
    apart = jax.device_put(logits, NamedSharding(mesh, P(None, None, "v")))
    metric = eqm.text.TokenLikelihoods()
    update = jax.jit(lambda x: metric.update(logits=x, labels=labels).compute())
    one, eight = update(logits), update(apart)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6), one, eight)
