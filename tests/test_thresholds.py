"""Tasks with several thresholds, one for each label, and the labels of the highest scores."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

import eqmetrics as eqm

from .classification import close
from .oracle import few, fold, masks, ROWS, STEPS, weights


THRESHOLDS = (0.0, 0.25)
SHARES = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.7, 1.0])


@st.composite
def drawn(draw: st.DrawFn, *labels: int) -> dict[str, np.ndarray]:
    shape = (STEPS, ROWS, *labels)
    batch = {
        "probabilities": draw(arrays(np.float32, shape, elements=SHARES)),
        "labels": draw(arrays(np.int32, shape, elements=st.integers(0, 1))),
        "weights": draw(arrays(np.float32, (STEPS, ROWS), elements=weights)),
        "mask": draw(masks()),
    }
    away = ~(batch["mask"] & (batch["weights"] > 0))
    batch["probabilities"][away], batch["labels"][away] = np.nan, -7
    return batch


def rows_of(batch):
    keep = batch["mask"] & (batch["weights"] > 0)
    return batch["labels"][keep], batch["probabilities"][keep], batch["weights"][keep]


@jax.jit
def read(metrics):
    return metrics.compute()


def test_each_threshold_has_the_value_of_a_task_of_its_own():
    classes = {
        "precision": eqm.Precision,
        "balanced": eqm.BalancedAccuracy,
        "kappa": eqm.CohenKappa,
        "matthews": eqm.MatthewsCorrelation,
        "accuracy": eqm.Accuracy,
        "counts": eqm.StatScores,
    }
    several = {n: cls(eqm.Binary(threshold=THRESHOLDS)) for n, cls in classes.items()}
    alone = {
        f"{n} {t}": cls(eqm.Binary(threshold=t)) for n, cls in classes.items() for t in THRESHOLDS
    }
    both = eqm.MetricDict(several | alone)
    assert len(both.states) == len(THRESHOLDS) + 1

    @few
    @given(batch=drawn())
    def check(batch):
        got = jax.device_get(read(fold(both, batch)))
        for n in classes:
            each = [got[f"{n} {t}"] for t in THRESHOLDS]
            want = jax.tree.map(lambda *x: np.stack(x).reshape(-1), *each)
            jax.tree.map(close, got[n], want)
        y, x, w = rows_of(batch)
        for i, t in enumerate(THRESHOLDS):
            close(got["counts"]["fp"][i], w[(x > t) & (y == 0)].astype(float).sum())
            close(got["counts"]["fn"][i], w[(x <= t) & (y == 1)].astype(float).sum())

    check()


def test_a_threshold_of_each_label_and_the_highest_scores_of_a_row():
    own = eqm.Multilabel(4, threshold=(0.1, 0.5, 0.25, 0.7))
    top = eqm.Multilabel(4, top_k=2)
    metrics = eqm.MetricDict(
        own=eqm.Precision(own, average=None),
        micro=eqm.Recall(top, average="micro"),
        overlap=eqm.ExactMatch(top, criterion="overlap"),
        contain=eqm.ExactMatch(top, criterion="contain"),
        belong=eqm.ExactMatch(own, criterion="belong"),
        equal=eqm.ExactMatch(own),
    )

    @few
    @given(batch=drawn(4))
    def check(batch):
        got = jax.device_get(read(fold(metrics, batch)))
        y, x, w = rows_of(batch)
        if not len(y):
            assert all(np.isnan(v).all() for v in got.values())
            return
        y, w = y == 1, w.astype(float)
        p = x > np.array([0.1, 0.5, 0.25, 0.7], np.float32)
        with np.errstate(all="ignore"):
            close(got["own"], w @ (p & y) / (w @ p))
        mean = lambda hits: (w * hits).sum() / w.sum()
        close(got["equal"], mean((p == y).all(-1)))
        close(got["belong"], mean((p <= y).all(-1)))
        # torcheval's `TopKMultilabelAccuracy`, of which ties go to the lower label
        order = np.argsort(-x, axis=-1, kind="stable")[:, :2]
        p = np.zeros_like(y)
        np.put_along_axis(p, order, True, axis=-1)
        if y.any():
            close(got["micro"], (w @ (p & y)).sum() / (w @ y).sum())
        close(got["contain"], mean((p >= y).all(-1)))
        close(got["overlap"], mean((p & y).any(-1) | ~(p | y).any(-1)))

    check()


def test_curves_at_given_thresholds():
    task = eqm.Binary(threshold=(0.2, 0.4, 0.6))
    curve = eqm.MetricDict(tpr=eqm.Recall(task), tnr=eqm.Specificity(task))
    assert len(curve.states) == 1
    p, y = jnp.array([0.1, 0.3, 0.5, 0.7]), jnp.array([0, 1, 0, 1])
    value = curve(probabilities=p, labels=y)
    assert value["tpr"].tolist() == [1, 0.5, 0.5] and value["tnr"].tolist() == [0.5, 0.5, 1]
    logits = jnp.log(p) - jnp.log1p(-p)
    assert (curve(logits=logits, labels=y)["tpr"] == value["tpr"]).all()


def test_ignored_labels_arent_among_the_highest():
    task = eqm.Multilabel(3, top_k=1, ignore_index=-1)
    x, y = jnp.array([[3.0, 2.0, 1.0], [-jnp.inf, 0.0, -jnp.inf]]), [[-1, 1, 0], [1, -1, 0]]
    each = eqm.StatScores(task)(logits=x, labels=jnp.array(y))
    assert each["tp"].tolist() == [1, 1, 0] and each["fp"].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: eqm.Binary(threshold=()), "it is a probability"),
        (lambda: eqm.Binary(threshold=(0.5, 2.0)), "it is a probability"),
        (lambda: eqm.Multilabel(3, threshold=(0.5, 0.4)), "one for each of the 3 labels"),
        (lambda: eqm.Multilabel(3, top_k=0), "top_k=0"),
        (lambda: eqm.Multilabel(3, top_k=1, threshold=0.4), "Leave out one"),
        (lambda: eqm.HammingLoss(eqm.Binary(threshold=(0.1,))), "no value for each threshold"),
        (lambda: eqm.ConfusionMatrix(eqm.Binary(threshold=(0.1,))), "no value for each"),
        (lambda: eqm.ExactMatch(eqm.Multilabel(3), criterion="same"), "criterion='same'"),  # pyright: ignore
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_hard_decisions_have_no_threshold():
    hard = jnp.array([[1, 0]])
    for task in (eqm.Binary(threshold=(0.1, 0.2)), eqm.Multilabel(2, top_k=1)):
        with pytest.raises(TypeError, match="hard decisions are made"):
            eqm.F1(task)(predicted_labels=hard, labels=hard)


def test_lists_are_tuples():
    assert eqm.Binary(threshold=[0.1, 0.2]) == eqm.Binary(threshold=(0.1, 0.2))  # pyright: ignore[reportArgumentType]
    assert eqm.Binary(threshold=np.array([0.5, 1])).decisions == 2  # pyright: ignore[reportArgumentType]
    assert hash(eqm.Multilabel(2, threshold=[0, 1])) is not None  # pyright: ignore[reportArgumentType]
