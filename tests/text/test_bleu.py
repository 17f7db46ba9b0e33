"""`BLEU` and `NgramCounts` beside sacrebleu: its integers, and its value."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sacrebleu.metrics.bleu import BLEU

import eqmetrics as eqm

from ..oracle import at_once, fold, spread
from .ids import one_batch, seeds, taken


ORDER = 3
text = lambda ids: " ".join(map(str, ids))


def score_of(rows, **options):
    """Of predictions and references as ids, by sacrebleu, for which an absent reference is None
    (an empty one has a length, of 0, that may be the closest)."""
    said, meant = [text(a) for a, _ in rows], [list(map(text, b)) for _, b in rows]
    meant = [[x or None for x in b] if any(b) else b[:1] + [None] * (len(b) - 1) for b in meant]
    streams = [list(x) for x in zip(*meant, strict=True)]
    # The first stream must begin with a string, or sacrebleu refuses it.
    order = sorted(range(len(streams)), key=lambda i: streams[i][0] is None)
    bleu = BLEU(tokenize="none", max_ngram_order=ORDER, force=True, **options)
    return bleu.corpus_score(said, [streams[i] for i in order])


def said_and_meant(batch):
    return [(a, b if "references" in batch else [b]) for a, b, _ in taken(batch)]


@pytest.mark.parametrize("references", [None, 3])
@pytest.mark.parametrize("way", [fold, spread])
def test_the_integers_are_sacrebleus(way, references):
    @at_once
    @given(seed=seeds)
    def check(seed):
        for i in range(25):
            batch = one_batch(seed + i, references)
            # A whole weight is a repetition.
            batch["weights"] = np.ceil(batch["weights"])
            rows = [r for r, (_, _, w) in zip(said_and_meant(batch), taken(batch), strict=True)
                    for _ in range(int(w))]  # fmt: skip
            counts = way(eqm.text.NgramCounts(max_order=ORDER), batch).compute()
            got = [*counts["matches"], *counts["totals"], counts["length"],
                   counts["reference_length"]]  # fmt: skip
            if not rows:
                assert not any(got)
                continue
            want = score_of(rows)
            assert got == [*want.counts, *want.totals, want.sys_len, want.ref_len]

    check()


SETTINGS = [
    {},
    {"smooth_method": "exp"},
    {"smooth_method": "floor"},
    {"smooth_method": "floor", "smooth_value": 0.01},
    {"smooth_method": "add-k"},
    {"smooth_method": "add-k", "smooth_value": 0.5},
]
WORDS = {"smooth_method": "smoothing", "smooth_value": "smoothing_value"}


@pytest.mark.parametrize("options", SETTINGS, ids=lambda x: "-".join(map(str, x.values())))
@pytest.mark.parametrize("effective_order", [False, True])
def test_the_values_are_sacrebleus(options, effective_order):
    own = {WORDS[k]: v for k, v in options.items()}
    metric = eqm.text.BLEU(max_order=ORDER, effective_order=effective_order, **own)
    options = {"smooth_method": "none"} | options | {"effective_order": effective_order}

    @at_once
    @given(seed=seeds)
    def check(seed):
        for i in range(10):
            batch = one_batch(seed + i)
            # Of the sentences too.
            rows = {k: batch[k][0] for k in ("predicted_tokens", "tokens")}
            every = dict(mask=np.ones(8, bool), weights=np.ones(8))
            values = metric.per_row(**rows)
            for value, row in zip(values, said_and_meant(rows | every), strict=True):
                if row[0] or row[1][0]:
                    want = score_of([row], **options).score
                    np.testing.assert_allclose(value, want, rtol=2e-6, atol=1e-5)
                else:
                    assert np.isnan(value)
            whole = score_of(said_and_meant(rows | every), **options).score
            np.testing.assert_allclose(metric(**rows), whole, rtol=2e-6, atol=1e-5)

    check()


def test_long_rows_and_many_references():
    rng = np.random.default_rng(0)
    meant = rng.integers(0, 5, (6, 4, 150))
    said = np.where(rng.random((6, 140)) < 0.9, meant[:, 1, :140], 3)
    for x in (meant, said):
        x[np.arange(x.shape[-1]) >= rng.integers(50, 140, (*x.shape[:-1], 1))] = -1
    value = eqm.text.NgramCounts(max_order=6)(predicted_tokens=said, references=meant)
    strip = lambda x: text(x[x >= 0])
    want = BLEU(tokenize="none", max_ngram_order=6, force=True).corpus_score(
        list(map(strip, said)), [[strip(x) for x in meant[:, i]] for i in range(4)]
    )
    assert value["matches"].tolist() == want.counts and value["totals"].tolist() == want.totals
    assert (value["length"], value["reference_length"]) == (want.sys_len, want.ref_len)


def bleu(said, meant, **options):
    return eqm.text.BLEU(**options)(predicted_tokens=jnp.array(said), tokens=jnp.array(meant))


def test_by_hand():
    np.testing.assert_allclose(bleu([1, 2, 3, 4, 5], [1, 2, 3, 4, 6]), 66.874, atol=1e-3)
    np.testing.assert_allclose(bleu([1, 2, 3, 4], [1, 2, 3, 4, 5, 6]), 60.653, atol=1e-3)
    the = eqm.text.NgramCounts(max_order=1)(
        predicted_tokens=jnp.array([7] * 7), tokens=jnp.array([7, 1, 2, 3, 7, 4])
    )
    assert (the["matches"][0], the["totals"][0]) == (2, 7)
    # Of references as close, the shorter.
    lengths = eqm.text.NgramCounts()(
        predicted_tokens=jnp.array([1, 2, 3, 4]),
        references=jnp.array([[1, 1, 1, 1, 1], [1, 1, 1, -1, -1]]),
    )
    assert lengths["reference_length"] == 3


def test_absent_references():
    said, meant = jnp.array([[1]]), jnp.array([[[1, 2, 3, 4, 5], [-1, -1, -1, -1, -1]]])
    counts = eqm.text.NgramCounts()(predicted_tokens=said, references=meant)
    assert counts["reference_length"] == 5  # an empty one would be closer
    none = eqm.text.NgramCounts()(predicted_tokens=said, references=jnp.full((1, 2, 3), -1))
    assert none["reference_length"] == 0


def test_without_matches_or_tokens():
    for options in ({}, {"smoothing": "exp"}, {"smoothing": "add-k"}, {"effective_order": True}):
        assert bleu([1, 2, 3, 4], [5, 6, 7, 8], **options) == 0
        assert bleu([-1], [1], **options) == 0 == bleu([1], [-1], **options)
        assert jnp.isnan(bleu([-1], [-1], **options))
    # No 4-gram at all: sacrebleu gives 0 even when it smooths.
    assert bleu([1, 2, 3], [1, 2, 3], smoothing="exp") == 0
    assert bleu([1, 2, 3], [1, 2, 3], effective_order=True) == 100
    assert jnp.isnan(eqm.text.BLEU().compute()) and eqm.text.BLEU(undefined=0.0).compute() == 0


def test_what_is_refused():
    ids = jnp.ones((2, 3), jnp.int32)
    with pytest.raises(TypeError, match="none came"):
        eqm.text.BLEU().update(predicted_tokens=ids)
    with pytest.raises(TypeError, match="both came"):
        eqm.text.BLEU().update(predicted_tokens=ids, tokens=ids, references=ids[:, None])
    with pytest.raises(TypeError, match="no reference at all"):
        eqm.text.BLEU().update(predicted_tokens=ids, references=ids[:, None][:, :0])
    with pytest.raises(TypeError, match=r"\(\*rows, references, length\)"):
        eqm.text.BLEU().update(predicted_tokens=ids, references=ids)
    with pytest.raises(ValueError, match="expected 'none'"):
        eqm.text.BLEU(smoothing="half")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="above 0"):
        eqm.text.BLEU(smoothing="floor", smoothing_value=0)
    with pytest.raises(ValueError, match="'floor' and 'add-k' alone"):
        eqm.text.BLEU(smoothing="exp", smoothing_value=1)
    with pytest.raises(ValueError, match="expected 1 or more"):
        eqm.text.BLEU(max_order=0)
    long = jnp.zeros((1, 40_000), jnp.int16)
    with pytest.raises(ValueError, match="too long for"):
        eqm.text.BLEU().update(predicted_tokens=long, tokens=long)
