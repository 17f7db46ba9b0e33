"""`ScoreHistogram`: a function of the rows, whatever their order, batches and devices."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
from jax.sharding import PartitionSpec as P

import eqmetrics as eqm
from eqmetrics._curves.score_cells import bit_index, keys_of, scores_of_keys

from .oracle import few, fold, masks, ROWS, spread, STEPS, taken, weights
from .test_devices import collectives, mesh_of, over


# Of all sizes, zeros of both signs, subnormals, infinities, and neighbours far from 0.
SCORES = st.one_of(
    st.floats(width=32, allow_nan=False),
    st.sampled_from([0.0, -0.0, 1e-45, -1e-45, math.inf, -math.inf, 3.4e38, -3.4e38, 1e-30]),
    st.integers(0, 20).map(lambda k: 1000 + k / 8),
)


@st.composite
def drawn(draw):
    batch = {
        "logits": draw(arrays(np.float32, (STEPS, ROWS), elements=SCORES)),
        "labels": draw(arrays(np.bool_, (STEPS, ROWS))),
        "weights": draw(arrays(np.float32, (STEPS, ROWS), elements=weights)).round(),
        "mask": draw(masks()),
    }
    away = ~taken(batch)
    batch["logits"][away] = np.nan
    return batch


def bits(metric):
    return [np.asarray(x).tobytes() for x in jax.tree.leaves(metric)]


@few
@given(batch=drawn(), seed=st.integers(0, 99))
def test_a_function_of_the_rows(batch, seed):
    empty = eqm.ScoreHistogram(eqm.Binary(), resolution=9)
    state = fold(empty, batch)
    order = np.random.default_rng(seed).permutation(STEPS * ROWS)
    shuffled = {k: v.ravel()[order].reshape(v.shape) for k, v in batch.items()}
    for way in (fold, spread):
        assert bits(way(empty, shuffled)) == bits(state)
    keep = taken(batch)
    w, y = batch["weights"][keep], batch["labels"][keep]
    got = eqm.to_host(state)
    assert got == {"negatives": w[~y].sum(), "positives": w[y].sum()}
    for cells in state.layouts():
        negatives, positives = (np.asarray(x, np.float64).sum(0)[0] for x in cells[:2])
        assert negatives.sum() == w[~y].sum() and positives.sum() == w[y].sum()
        used = np.flatnonzero(negatives + positives)
        low, high = (np.asarray(scores_of_keys(x))[0, used] for x in cells[2:])
        # in the order of the scores, and tied where all of a cell are one score
        assert (bytewise(low) <= bytewise(high)).all()
        assert (bytewise(high[:-1]) < bytewise(low[1:])).all()
        x = bytewise(batch["logits"][keep])
        for i, a, b in zip(used, bytewise(low), bytewise(high), strict=True):
            inside = (a <= x) & (x <= b)
            assert w[inside].sum() == negatives[i] + positives[i]
            assert a in x and b in x


def bytewise(x):
    """Integers in the order of the floats: numpy compares subnormals, jax may not."""
    i = (np.asarray(x, np.float32) + np.float32(0)).view(np.int32).astype(np.int64)
    return np.where(i < 0, -(i & 0x7FFFFFFF), i)


@pytest.mark.parametrize("resolution", [9, 12, 16, 20])
def test_the_cells_of_probabilities_are_in_order(resolution):
    rng = np.random.default_rng(0)
    p = 1 / (1 + np.exp(-rng.normal(size=50_000) * 40))
    ends = [0.0, 1.0, 0.5, 1e-45, 1e-38, 1 - 2.0**-24], 2.0 ** -np.arange(149)
    p = np.concatenate([p, 1 - p, *ends])
    p = np.sort(p.astype(np.float32))
    index = np.asarray(bit_index(keys_of(jnp.asarray(p)), False, 2**resolution))
    assert index.min() == 0 and index.max() < 2**resolution
    assert (np.diff(index) >= 0).all()
    assert (index[p == 1] > index[p < 1].max()).all()


def test_logits_of_classes_dont_saturate():
    # softmax in float32 gives exactly 1 and 0 here, and all rows would be tied
    logits = jnp.array([[30.0, 0.0, -5.0], [50.0, 0.0, 1.0], [47.0, 10.0, 0.0]])
    metric = eqm.ScoreHistogram(eqm.Multiclass(3)).update(logits=logits, labels=jnp.arange(3))
    cells = metric.layouts()[0]
    rows = np.asarray(cells.negatives + cells.positives)[0]
    assert (np.count_nonzero(rows, axis=-1) == 3).all()


def test_ignored_labels():
    logits, labels = jnp.array([[1.0, 2.0], [3.0, jnp.nan]]), jnp.array([[0, 1], [1, -1]])
    counts = eqm.ScoreHistogram(eqm.Multilabel(2, ignore_index=-1))(logits=logits, labels=labels)
    assert counts["positives"].tolist() == [1, 1] and counts["negatives"].tolist() == [1, 0]


def test_what_is_invalid():
    empty = eqm.ScoreHistogram(eqm.Binary(), resolution=9)
    for scores in (
        {"logits": jnp.array([0.0, jnp.nan])},
        {"probabilities": jnp.array([0.5, 1.5])},
        {"probabilities": jnp.array([-0.1, 0.5])},
    ):
        metric = empty.update(**scores, labels=jnp.array([1, 0]))
        with pytest.raises(eqm.InvalidDataError, match="1 invalid row"):
            metric.check()
    labels = empty.update(logits=jnp.zeros(3), labels=jnp.array([0, 1, 2]))
    with pytest.raises(eqm.InvalidDataError, match=r"labels 0 and 1"):
        labels.check()


def test_logits_and_probabilities_have_no_common_order():
    metric = eqm.ScoreHistogram(eqm.Binary(), resolution=9)
    labels = jnp.array([0, 1])
    metric = metric.update(logits=jnp.array([0.1, 0.2]), labels=labels)
    metric = metric.update(probabilities=jnp.array([0.1, 0.2]), labels=labels)
    assert jnp.isnan(metric.compute()["positives"]).all()
    with pytest.raises(TypeError, match="Exactly one"):
        metric.update(logits=jnp.zeros(2), probabilities=jnp.zeros(2), labels=labels)
    with pytest.raises(TypeError, match="Float"):
        metric.update(logits=jnp.zeros(2, jnp.int32), labels=labels)  # pyright: ignore
    with pytest.raises(TypeError, match="one score a label"):
        metric.update(logits=jnp.zeros((2, 2)), labels=labels)


def test_resolution_is_checked():
    with pytest.raises(ValueError, match="from 9 to 20"):
        eqm.ScoreHistogram(eqm.Binary(), resolution=4)


def test_all_readouts_of_curves_share_one():
    task = eqm.Binary()
    metrics = eqm.MetricDict(
        {f"auroc {i}": eqm.AUROC(task, resolution=9, undefined=i / 10) for i in range(6)},
        precision=eqm.AveragePrecision(task, resolution=9),
        gini=eqm.Gini(task, resolution=9),
        roc=eqm.ROC(task, resolution=9),
        det=eqm.DET(task, resolution=9, points=5),
        curve=eqm.PrecisionRecallCurve(task, resolution=9),
        partial=eqm.PartialAUROC(task, max_fpr=0.1, resolution=9),
        log=eqm.LogAUC(task, resolution=9),
        ks=eqm.KolmogorovSmirnov(task, resolution=9),
        eer=eqm.EqualErrorRate(task, resolution=9),
        one=eqm.PrecisionAtRecall(task, min_recall=0.5, resolution=9),
        two=eqm.RecallAtPrecision(task, min_precision=0.5, resolution=9),
        three=eqm.SensitivityAtSpecificity(task, min_specificity=0.5, resolution=9),
        four=eqm.SpecificityAtSensitivity(task, min_sensitivity=0.5, resolution=9),
        histogram=eqm.ScoreHistogram(task, resolution=9),
    )
    assert len(metrics) == 20
    one = eqm.ScoreHistogram(task, resolution=9)
    shapes = lambda m: [x.shape for x in jax.tree.leaves(m)]
    assert shapes(metrics) == shapes(one)
    # and what is sent over devices is that of one: the same arrays in the same rounds
    batch = {"logits": np.ones(16, np.float32), "labels": np.ones(16, np.int32)}
    f = over(lambda m, b: m.update_across("devices", **b), mesh_of(), (P(), P("devices")))
    sent = [collectives(f.lower(m, batch).compile()) for m in (metrics, one)]
    assert sent[0] == sent[1] and len(sent[0]) == 3  # two maxima, one sum


def test_a_label_beyond_32_bits_is_invalid_with_64_bit_types():
    with jax.enable_x64(True):
        labels = jnp.array([2**32, 1], jnp.int64)
        for task, p in ((eqm.Binary(), jnp.ones(2) / 2), (eqm.Multiclass(2), jnp.eye(2))):
            for metric in (eqm.AUROC(task, resolution=9), eqm.LogLoss(task), eqm.Hinge(task)):
                name = "logits" if isinstance(metric, eqm.Hinge) else "probabilities"
                with pytest.raises(eqm.InvalidDataError, match="1 invalid row"):
                    metric.update(labels=labels, **{name: p}).check()
