"""Sharing shows in the tree and never in values: the same bits with it and without."""

import io

import equinox as eqx
import jax
import numpy as np
import pytest

import eqmetrics as eqm


TASK = eqm.Multiclass(6)
MAKERS = {
    "accuracy": lambda: eqm.Accuracy(TASK),
    "each": lambda: eqm.Accuracy(TASK, average=None),
    "precision": lambda: eqm.Precision(TASK),
    "other": lambda: eqm.Recall(eqm.Multiclass(6, ignore_index=0)),
    "f1": lambda: eqm.F1(TASK, average="weighted"),
    "kappa": lambda: eqm.CohenKappa(TASK),
    "ordered": lambda: eqm.CohenKappa(TASK, weights="linear"),
    "matthews": lambda: eqm.MatthewsCorrelation(TASK),
    "hamming": lambda: eqm.HammingLoss(TASK),
    "confusion": lambda: eqm.ConfusionMatrix(TASK),
    "counts": lambda: eqm.StatScores(TASK),
    "hits": lambda: eqm.Hits(TASK),
    "renamed": lambda: eqm.F1(TASK).from_output(logits="others"),
    "report": lambda: eqm.ClassificationReport(TASK),
}
OF_PROBABILITIES = {
    "log_loss": lambda: eqm.LogLoss(TASK),
    "brier": lambda: eqm.Brier(TASK),
    "entropy": lambda: eqm.NormalizedEntropy(TASK),
    "d2": lambda: eqm.D2Brier(TASK),
}
EVERY = MAKERS | OF_PROBABILITIES
update = jax.jit(lambda m, b: m.update(**b))
over_devices = jax.jit(lambda m, b: jax.vmap(lambda b: m.update(**b))(b).reduce())


def apart(shared: eqm.MetricDict) -> eqm.MetricDict:
    """The same members; flattening one makes it forget that it is fresh."""
    return eqm.MetricDict({name: jax.tree.map(lambda x: x, m) for name, m in shared.items()})


def bits(tree):
    return [np.asarray(x).tobytes() for x in jax.tree.leaves(tree)]


def batch(rng, *rows):
    return {
        "logits": rng.integers(-2, 3, (*rows, 6)).astype(np.float32),
        "others": rng.integers(-2, 3, (*rows, 6)).astype(np.float32),
        "labels": rng.integers(0, 6, rows).astype(np.int32),
        "mask": rng.random(rows) < 0.8,
        "weights": rng.integers(1, 4, rows).astype(np.float32),
    }


def restored(metrics, empty):
    file = io.BytesIO()
    eqx.tree_serialise_leaves(file, metrics)
    file.seek(0)
    return eqx.tree_deserialise_leaves(file, empty)


@pytest.mark.parametrize("seed", range(6))
def test_sharing_cannot_be_observed(seed):
    rng = np.random.default_rng(seed)
    names = rng.choice(list(EVERY), rng.integers(2, 7), replace=False)
    names = [*names, "renamed"] if "renamed" not in names else list(names)
    shared = eqm.MetricDict({name: EVERY[name]() for name in names})
    own = apart(shared)
    assert len(own.states) == len(names) >= len(shared.states)
    first, second, stacked = batch(rng, 9), batch(rng, 9), batch(rng, 4, 9)

    def life(metrics):
        seen = restored(update(update(metrics, first), second), metrics)
        seen = seen.merge(over_devices(metrics, stacked)).update(**first)
        return seen

    a, b = life(shared), life(own)
    want = bits(b.compute())
    assert bits(a.compute()) == want
    assert bits(a.merge(b).compute()) == bits(b.merge(a).compute()) == bits(b.merge(b).compute())
    for name, member in b.items():
        assert bits(member.compute()) == bits(a[name].compute())
    invalid = {"labels": np.array([6] * 9, np.int32)}
    for metrics in (shared, own):
        with pytest.raises(eqm.InvalidDataError, match="9 invalid row"):
            update(metrics, first | invalid | {"mask": np.ones(9, bool)}).check()


def test_ten_readouts_keep_one_statistic():
    makers = dict(MAKERS)
    for name in ("other", "renamed"):
        makers.pop(name)
    shared = eqm.MetricDict({name: make() for name, make in makers.items()})
    (state,) = shared.states
    assert isinstance(state, eqm.ConfusionCounts)
    small = eqm.MetricDict(accuracy=eqm.Accuracy(TASK), hamming=eqm.HammingLoss(TASK))
    assert [type(s) for s in small.states] == [eqm.Hits]
    traces = []

    @jax.jit
    def step(metrics, b):
        traces.append(None)
        return metrics.update(**b)

    for seed in range(5):
        b = batch(np.random.default_rng(seed), 9)
        b.pop("others")
        shared = step(shared, b)
    assert len(traces) == 1


def test_a_loss_alone_keeps_no_more_than_it_reads():
    def states(*names):
        return eqm.MetricDict({name: OF_PROBABILITIES[name]() for name in names}).states

    assert [type(s) for s in states("log_loss")] == [eqm.LogLosses]
    assert sum(x.size for x in jax.tree.leaves(states("log_loss"))) == 6
    assert [type(s) for s in states("log_loss", "brier")] == [eqm.LogLosses, eqm.BrierLosses]
    assert [type(s) for s in states("log_loss", "entropy")] == [eqm.ProbabilityLosses]
    assert [type(s) for s in states(*OF_PROBABILITIES)] == [eqm.ProbabilityLosses]


def test_other_configuration_does_not_share():
    metrics = eqm.MetricDict(
        a=eqm.F1(eqm.Multiclass(6)),
        b=eqm.F1(eqm.Multiclass(6, top_k=2)),
        c=eqm.F1(eqm.Multiclass(7)).from_output(logits="more"),
        d=eqm.F1(eqm.Binary()).from_output(logits="one"),
        e=eqm.F1(eqm.Binary(threshold=0.25)).from_output(logits="one"),
    )
    assert len(metrics.states) == 5
    used = eqm.F1(TASK).update(logits=np.zeros((1, 6), np.float32), labels=np.zeros(1, int))
    assert len(eqm.MetricDict(a=used, b=eqm.Recall(TASK)).states) == 2
