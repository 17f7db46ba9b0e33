"""`Specificity` and `NegativePredictiveValue` beside their definitions in float64."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from .classification import averaged, AVERAGES, batches, close, counts, every_average, TASKS
from .oracle import few, fold


RATIOS = {
    "Specificity": lambda tp, fp, fn, tn: (tn, tn + fp),
    "NegativePredictiveValue": lambda tp, fp, fn, tn: (tn, tn + fn),
}


@pytest.mark.parametrize("name", TASKS)
def test_is_its_definition(name):
    task = TASKS[name]
    metrics = eqm.MetricDict({n: every_average(getattr(eqm, n), task) for n in RATIOS})

    @few
    @given(batch=batches(task))
    def check(batch):
        got, table = fold(metrics, batch).compute(), counts(task, batch)
        for n, ratio in RATIOS.items():
            for average in AVERAGES:
                close(got[n][str(average)], averaged(ratio, task, table, average))

    check()


def test_by_hand():
    # 3 of other classes, of which one is predicted as 0; 2 predicted as others, one is a 0
    y, p = jnp.array([0, 0, 1, 1, 2]), jnp.array([0, 1, 1, 0, 2])
    task = eqm.Multiclass(3)
    each = eqm.Specificity(task, average=None)(predicted_labels=p, labels=y)
    np.testing.assert_allclose(each, [2 / 3, 2 / 3, 1], rtol=1e-6)
    each = eqm.NegativePredictiveValue(task, average=None)(predicted_labels=p, labels=y)
    np.testing.assert_allclose(each, [2 / 3, 2 / 3, 1], rtol=1e-6)
    assert jnp.isnan(eqm.Specificity(eqm.Multiclass(1))(predicted_labels=y * 0, labels=y * 0))
