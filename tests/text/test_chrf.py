"""`ChrF` and `ChrFCounts` beside sacrebleu."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sacrebleu.metrics.chrf import CHRF

import eqmetrics as eqm

from ..oracle import at_once, fold, spread
from .ids import one_batch, seeds, taken


ORDER = 3
text = lambda ids: "".join(chr(97 + i) for i in ids)


def chrf_of(rows, **options):
    """Of predictions and lists of references as ids; one that is absent is None."""
    said, meant = [text(a) for a, _ in rows], [list(map(text, b)) for _, b in rows]
    meant = [[x or None for x in b] if any(b) else b[:1] + [None] * (len(b) - 1) for b in meant]
    chrf = CHRF(char_order=ORDER, **options)
    stats = chrf._extract_corpus_statistics(said, [list(x) for x in zip(*meant, strict=True)])
    return np.sum(stats, axis=0).reshape(-1, 3).T, chrf._aggregate_and_compute(stats).score


@pytest.mark.parametrize("references, beta", [(None, 2), (None, 1), (3, 2)])
@pytest.mark.parametrize("way", [fold, spread])
def test_sacrebleu_agrees(way, references, beta):
    metric = eqm.text.ChrF(ORDER, beta=beta)

    @at_once
    @given(seed=seeds)
    def check(seed):
        for i in range(25):
            batch = one_batch(seed + i, references)
            batch["weights"] = np.ceil(batch["weights"])
            found = taken(batch)
            rows = [(a, b if references else [b]) for a, b, w in found for _ in range(int(w))]
            new = way(metric, batch)
            if not rows:
                assert np.isnan(new.compute())
                continue
            counts, want = chrf_of(rows, beta=beta)
            np.testing.assert_allclose(new.compute(), want, rtol=1e-5, atol=1e-5)
            got = new.statistic.compute()
            if references is None:
                np.testing.assert_array_equal(
                    [got["predicted"], got["reference"], got["matches"]], counts
                )

    check()


WORDS = ["ab", "b", "cab", "a", "bc"]


def test_words():
    rng = np.random.default_rng(0)
    draw = lambda: [" ".join(rng.choice(WORDS, rng.integers(0, 7))) for _ in range(40)]
    said, meant = draw(), draw()
    whole = lambda x: ["".join(s.split()) for s in x]
    letters = lambda x: eqm.text.host_ids(whole(x), by="character", max_length=20)
    words = lambda x: eqm.text.host_ids(x, max_length=7)
    batch = {
        "predicted_tokens": letters(said),
        "tokens": letters(meant),
        "predicted_words": words(said),
        "words": words(meant),
    }
    metric, theirs = eqm.text.ChrF(word_order=2), CHRF(word_order=2)
    np.testing.assert_allclose(metric(**batch), theirs.corpus_score(said, [meant]).score, 1e-5)
    each = metric.per_row(**batch)
    want = [theirs.sentence_score(a, [b]).score for a, b in zip(said, meant, strict=True)]
    np.testing.assert_allclose(each, want, rtol=1e-5, atol=1e-5)
    # Several references, of which the same is the best.
    other = draw()
    both = lambda make: np.stack([make(x) for x in (meant, other)], axis=1)
    several = batch | {"references": both(letters), "words": both(words)}
    del several["tokens"]
    keep = np.array([bool(a) and bool(b) for a, b in zip(meant, other, strict=True)])
    left = [np.array(x)[keep].tolist() for x in (said, meant, other)]
    want = theirs.corpus_score(left[0], left[1:]).score
    np.testing.assert_allclose(metric(**several, mask=keep), want, rtol=1e-5)


def test_by_hand():
    # Of "cat" and "cab": 2 of 3 letters, 1 of 2 pairs.
    ids = lambda x: jnp.array([list(map(ord, x))])
    value = eqm.text.ChrF(2)(predicted_tokens=ids("cat"), tokens=ids("cab"))
    np.testing.assert_allclose(value, 100 * (2 / 3 + 1 / 2) / 2, rtol=1e-6)
    # Orders are averaged before F is taken: precision 1 and 1, recall 1/2 and 1/3.
    value = eqm.text.ChrF(2)(predicted_tokens=ids("ab"), tokens=ids("abcd"))
    recall = (1 / 2 + 1 / 3) / 2
    np.testing.assert_allclose(value, 100 * 5 * recall / (4 + recall), rtol=1e-6)


def test_without_tokens():
    none, some = jnp.full((1, 2), -1), jnp.array([[1, 2]])
    for said, meant in ((none, none), (none, some), (some, none)):
        assert eqm.text.ChrF()(predicted_tokens=said, tokens=meant) == 0
    assert jnp.isnan(eqm.text.ChrF().compute()) and eqm.text.ChrF(undefined=1.0).compute() == 1


def test_counts_that_are_shared():
    metrics = eqm.MetricDict(score=eqm.text.ChrF(2), counts=eqm.text.ChrFCounts(2))
    assert len(metrics.states) == 1
    value = metrics(predicted_tokens=jnp.array([[1, 2, 3]]), tokens=jnp.array([[1, 2, 4, 5]]))
    assert value["counts"]["matches"].tolist() == [2, 1]
    assert value["counts"]["reference"].tolist() == [4, 3] and value["counts"]["weight"] == 1


def test_what_is_refused():
    ids = jnp.ones((2, 3), jnp.int32)
    given = {"predicted_tokens": ids, "tokens": ids}
    with pytest.raises(ValueError, match="order of 1 or more"):
        eqm.text.ChrF(0)
    with pytest.raises(TypeError, match="`word_order` is 0"):
        eqm.text.ChrF().update(**given, words=ids)
    with pytest.raises(TypeError, match="`predicted_words` and `words`"):
        eqm.text.ChrF(word_order=1).update(**given, words=ids)
    with pytest.raises(TypeError, match="expected the same"):
        eqm.text.ChrF(word_order=1).update(**given, words=ids[:1], predicted_words=ids[:1])
