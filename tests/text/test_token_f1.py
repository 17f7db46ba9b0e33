"""`TokenF1` and `SequenceExactMatch` beside SQuAD's own counting of lists, and by hand."""

from collections import Counter

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import agree, few, fold, ROWS, spread, STEPS
from .drawn import seeds


REFERENCES, LENGTH, SAID = 3, 4, 5


def squad_f1(said, meant):
    """`compute_f1` of SQuAD's evaluate-v2.0.py, after its tokens."""
    same = sum((Counter(said) & Counter(meant)).values())
    if not said or not meant:
        return float(said == meant)
    if same == 0:
        return 0.0
    precision, recall = same / len(said), same / len(meant)
    return 2 * precision * recall / (precision + recall)


METRICS = [(eqm.text.TokenF1, squad_f1), (eqm.text.SequenceExactMatch, lambda a, b: float(a == b))]


def drawn(seed):
    rng = np.random.default_rng(seed)
    shape = STEPS, ROWS
    ids = rng.integers(0, 3, (*shape, REFERENCES, LENGTH)).astype(np.int32)
    ids[rng.random(ids.shape) < rng.choice([0.1, 0.5, 1.0], (*shape, REFERENCES, 1))] = -1
    said = rng.integers(0, 3, (*shape, SAID)).astype(np.int32)
    said[rng.random(said.shape) < rng.choice([0.1, 0.5, 1.0], (*shape, 1))] = -1
    copied = rng.random(shape) < 0.3  # with its gaps elsewhere
    said[copied] = np.pad(ids[copied, 1], ((0, 0), (1, 0)), constant_values=-1)
    return {
        "predicted_tokens": said,
        "references": ids,
        "mask": rng.random(shape) < 0.8,
        "weights": np.float32(rng.choice([0.0, 1.0, 2.0, 0.25], shape)),
    }


def listed(ids):
    return [x for x in ids.tolist() if x != -1]


@pytest.mark.parametrize("way", [fold, spread])
@pytest.mark.parametrize(("metric", "form"), METRICS)
def test_beside_lists(way, metric, form):
    @few
    @given(seed=seeds)
    def check(seed):
        batch = drawn(seed)
        weights, total, one = batch["weights"] * batch["mask"], 0.0, 0.0
        for place in np.ndindex(STEPS, ROWS):
            said = listed(batch["predicted_tokens"][place])
            meant = [listed(x) for x in batch["references"][place]]
            known = [x for x in meant if x] or [[]]
            total += weights[place] * max(form(said, x) for x in known)
            one += weights[place] * form(said, meant[0])
        count = weights.sum()
        want = [x / count if count else np.nan for x in (total, one)]
        single = {k: x for k, x in batch.items() if k != "references"}
        single["tokens"] = batch["references"][:, :, 0]
        agree([way(metric(), x).compute() for x in (batch, single)], want)

    check()


def test_by_hand():
    said, meant = jnp.array([[1, 2, 3, -1]]), jnp.array([[2, 3, 4, 5]])
    agree(eqm.text.TokenF1()(predicted_tokens=said, tokens=meant), 4 / 7)
    twice = jnp.array([[1, 1, 2]]), jnp.array([[1, 3, 1, 1]])
    agree(eqm.text.TokenF1()(predicted_tokens=twice[0], tokens=twice[1]), 4 / 7)
    nothing = jnp.full((1, 3), -1)
    for metric, _ in METRICS:
        assert metric()(predicted_tokens=nothing, tokens=nothing) == 1
        assert metric()(predicted_tokens=nothing, tokens=meant) == 0
        assert metric()(predicted_tokens=said, tokens=nothing) == 0
        assert metric()(predicted_tokens=nothing, references=jnp.full((1, 2, 3), -1)) == 1
        assert jnp.isnan(metric().compute()) and metric(undefined=0.0).compute() == 0


def test_padding_and_stop_change_nothing():
    tokens = eqm.text.Tokens(padding=0, stop=9)
    said, meant = jnp.array([[1, 0, 3, 9, 7]]), jnp.array([[0, 1, 3, 0]])
    for metric, _ in METRICS:
        assert metric(tokens)(predicted_tokens=said, tokens=meant) == 1
        longer = jnp.pad(said, ((0, 0), (3, 4)))
        assert metric(tokens)(predicted_tokens=longer, tokens=meant) == 1
        masked = metric()(
            predicted_tokens=jnp.array([[1, 8, 3]]),
            predicted_mask=jnp.array([[True, False, True]]),
            tokens=jnp.array([[5, 1, 3]]),
            mask=jnp.array([[False, True, True]]),
        )
        assert masked == 1


def test_errors_say_what_to_do():
    ids = jnp.zeros((2, 3), jnp.int32)
    with pytest.raises(TypeError, match="Expected `tokens`.*or `references`"):
        eqm.text.TokenF1().update(predicted_tokens=ids)
    with pytest.raises(TypeError, match="with the same rows"):
        eqm.text.SequenceExactMatch().update(predicted_tokens=ids, tokens=ids[:1])
