"""`eqm.Optional`: an update without the outputs of a metric leaves it alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

import eqmetrics as eqm

from .oracle import few


METRICS = eqm.MetricDict(
    loss=eqm.Average().from_output("loss"),
    error=eqm.Optional(eqm.MeanAbsoluteError()),
)


@few
@given(present=st.lists(st.booleans(), min_size=4, max_size=4))
def test_it_is_the_metric_of_the_updates_that_have_its_outputs(present):
    rng = np.random.default_rng(sum(b << i for i, b in enumerate(present)))
    metrics, seen = METRICS, []
    for there in present:
        p, t, loss = rng.normal(size=(3, 4)).astype(np.float32)
        both = {"predictions": p, "targets": t} if there else {}
        metrics = metrics.update(loss=loss, mask=p > -1, **both)
        seen += [abs(p.astype(np.float64) - t)[p > -1]] if there else []
    value = metrics.compute()["error"]
    rows = np.concatenate([*seen, []])
    np.testing.assert_allclose(value, rows.mean() if rows.size else np.nan, rtol=1e-5)


def test_by_hand():
    mean = eqm.Optional(eqm.Average())
    assert mean.update().update(values=jnp.array([1.0, 3.0])).compute() == 2
    step = jax.jit(lambda m, x: m.update(values=x).update(mask=None))
    assert step(mean, jnp.array([4.0])).compute() == 4
    both = eqm.MetricDict(a=mean, b=eqm.Average()).update(values=jnp.array([1.0, 3.0]))
    assert both.compute() == {"a": 2.0, "b": 2.0}
    inner = eqm.Optional(eqm.MetricDict(a=eqm.Average().from_output("x")))
    assert inner.update().update(x=2.0).compute() == {"a": 2.0}


def test_what_it_refuses():
    error = eqm.Optional(eqm.MeanAbsoluteError())
    with pytest.raises(TypeError, match="needs `targets`.*beside `predictions`.* or neither"):
        error.update(predictions=jnp.ones(2))
    with pytest.raises(TypeError, match="No metric takes the output `prediction`"):
        METRICS.update(loss=1.0, prediction=jnp.ones(2))
    with pytest.raises(TypeError, match="takes predictions, targets"):
        error.update(prediction=jnp.ones(2))
    # A metric that isn't optional says what it misses, as before.
    with pytest.raises(TypeError, match="Metric `loss` .* needs `loss`"):
        METRICS.update(predictions=jnp.ones(2), targets=jnp.ones(2))
