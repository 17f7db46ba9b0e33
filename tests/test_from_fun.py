"""`FromFun` beside the metric fed by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from .oracle import batches, few, floats, fold, spread


SQUARES = eqm.Average().from_fun(lambda values: values * values)


@pytest.mark.parametrize("way", [fold, spread])
@few
@given(batch=batches(floats(1e3)))
def test_it_is_the_metric_of_what_the_function_gives(way, batch):
    squared = batch | {"values": batch["values"] * batch["values"]}
    want = way(eqm.Average(), squared).compute()
    np.testing.assert_array_equal(way(SQUARES, batch).compute(), want)


def test_by_hand():
    gap = eqm.Average().from_fun(lambda predictions, targets: jnp.abs(predictions - targets))
    x, y = jnp.array([1.0, 2.0, 9.0]), jnp.array([2.0, 4.0, 0.0])
    assert gap(predictions=x, targets=y) == 4.0
    assert gap(predictions=x, targets=y, mask=jnp.array([True, True, False])) == 1.5
    own = eqm.Average().from_fun(lambda x: {"values": x, "weights": jnp.array([3.0, 1.0])})
    assert own(x=jnp.array([1.0, 5.0])) == 2.0
    both = eqm.MetricDict(gap=gap, rows=eqm.Count().from_output("targets"))
    assert eqm.to_host(both.update(predictions=x, targets=y)) == {"gap": 4.0, "rows": 3}


def test_a_missing_output_is_told():
    gap = eqm.Average().from_fun(lambda predictions, targets: predictions - targets)
    with pytest.raises(TypeError, match="Metric `gap` .*needs `targets`.*Did you mean `target`"):
        eqm.MetricDict(gap=gap).update(predictions=jnp.ones(2), target=jnp.ones(2))
    with pytest.raises(TypeError, match="takes predictions, targets, mask, weights, not `masks`"):
        gap.update(predictions=jnp.ones(2), targets=jnp.ones(2), masks=jnp.ones(2, bool))
    with pytest.raises(TypeError, match="`FromFun.update` needs `targets`"):
        gap.update(predictions=jnp.ones(2))


@pytest.mark.parametrize("fn", [lambda **outputs: 0, lambda x, /: x, jnp.tanh, "loss", max])
def test_a_function_names_what_it_reads(fn):
    with pytest.raises(TypeError, match="from_fun.*the names of its parameters"):
        eqm.Average().from_fun(fn)


def test_what_the_function_returns_is_left_alone():
    kept = {"values": jnp.array([1.0, 3.0])}
    mean = eqm.Average().from_fun(lambda x: kept)
    assert mean(x=0, mask=jnp.array([True, False])) == 1.0 and list(kept) == ["values"]
