"""What keeps all that it knows in sums goes by rows: each row is seen once, however many groups.
Told by the states, so that a new metric is of this test without a word."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import eqmetrics as eqm
from eqmetrics._collection.route import arguments_of
from eqmetrics._metric.field import layout
from eqmetrics._metric.node import walk
from eqmetrics._onepass import apart

from .table import MORE, ROWS


def in_sums(metric) -> bool:
    """Whether each array is in `Sums`."""
    nodes = [node for _, node, _ in walk(metric)]
    return all(isinstance(x, eqm.Sums) or not layout(type(x)).arrays for x in nodes)


OF_SUMS = [
    name
    for name, (metric, batches) in ROWS.items()
    if name not in MORE
    and type(metric).__module__.split(".")[1] in ("_curves", "_decisions", "_probabilities")
    and "group" not in batches[0]
    and "mask" in arguments_of(metric)
    and in_sums(metric)
]


def test_most_metrics_of_classes_are_sums():
    assert {"Accuracy", "StatScores", "LogLoss", "CalibrationBins"} <= {*OF_SUMS}
    assert len(OF_SUMS) > 30 and "ScoreHistogram" not in OF_SUMS


@pytest.mark.parametrize("name", OF_SUMS)
def test_a_metric_of_sums_goes_by_rows(name, monkeypatch):
    refused: list[str] = []

    class Counted(apart.NotASum):
        def __init__(self, why: str):
            refused.append(why)

    monkeypatch.setattr(apart, "NotASum", Counted)
    metric, (first, *_) = ROWS[name]
    group = jnp.asarray(np.arange(len(next(iter(first.values())))) % 3, jnp.int32)
    jax.eval_shape(lambda m, b, g: m.update(**b, group=g), eqm.PerGroup(metric, 3), first, group)
    assert refused == []
