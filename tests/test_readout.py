"""Readouts: values of one statistic, which a `MetricDict` keeps once."""

from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np

import eqmetrics as eqm


@final
class Mean(eqm.AbstractReadout):
    """A user's readout of the library's statistic."""

    statistic: eqm.CentredMoments

    def __init__(self):
        self.statistic = eqm.CentredMoments()

    def compute(self) -> Any:
        return self.statistic.compute()[1]


X = np.random.default_rng(0).normal(size=(8, 9)).astype(np.float32)


def test_a_readout_shares_with_the_librarys_own():
    d = eqm.MetricDict(mean=Mean(), std=eqm.Std(), last=eqm.Variance(ddof=1))
    assert len(d.states) == 1
    seen = jax.jit(lambda d, x: d.update(values=x))(d, X[0])
    value = eqm.to_host(seen)
    assert abs(value["mean"] - X[0].mean()) < 1e-6 and abs(value["std"] - X[0].std()) < 1e-6
    alone = eqm.to_host({"mean": Mean().update(X[0]), "last": eqm.Variance(ddof=1).update(X[0])})
    assert alone == {name: value[name] for name in alone}


def test_a_readout_is_a_metric_of_its_own():
    stacked = jax.vmap(lambda x: Mean().update(x))(X)
    np.testing.assert_allclose(stacked.reduce().compute(), X.mean(), atol=1e-6)
    whole = Mean().update(X[0]).merge(Mean().update(X[1:]))
    np.testing.assert_allclose(whole.compute(), X.mean(), atol=1e-6)
    half = Mean().update(jnp.array([1.0, 9.0]), mask=jnp.array([True, False]))
    assert half.compute() == 1.0 and half.reset().statistic.compute()[0] == 0
