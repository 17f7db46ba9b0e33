"""`FromOutput` beside the metric that it holds."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from .oracle import batches, few, floats, fold, spread


@pytest.mark.parametrize("way", [fold, spread])
@few
@given(batch=batches(floats(1e6)))
def test_it_is_the_metric_under_other_names(way, batch):
    names = {"values": "loss", "mask": "real", "weights": "importance"}
    renamed = eqm.Std().from_output("loss", mask="real", weights="importance")
    got = way(renamed, {names[k]: x for k, x in batch.items()}).compute()
    np.testing.assert_array_equal(got, way(eqm.Std(), batch).compute())


def test_by_hand():
    mean = eqm.Average().from_output("loss")
    assert mean(loss=jnp.array([1.0, 3.0]), mask=jnp.array([True, False])) == 1.0
    unmasked = eqm.Average().from_output("loss", mask=None)
    assert unmasked.update(loss=jnp.array([1.0, 3.0])).compute() == 2.0
    head = eqm.Accuracy().from_output(logits="head_logits")
    assert head(head_logits=jnp.array([[0.0, 1.0]]), labels=jnp.array([1])) == 1.0
    twice = eqm.Average().from_output("loss").from_output(loss="l")
    assert twice(l=jnp.array(2.0)) == 2.0
    assert mean.reset().merge(mean.update(loss=5.0)).compute() == 5.0


def test_errors():
    with pytest.raises(TypeError, match="got 2 positional names.*requires only values"):
        eqm.Average().from_output("loss", "mask")
    with pytest.raises(TypeError, match="`Average` takes values, mask, weights.*Did you mean"):
        eqm.Average().from_output(value="loss")
    with pytest.raises(TypeError, match="renamed at most once"):
        eqm.Average().from_output("loss", values="other")
    with pytest.raises(TypeError, match=r"on a class.*`Average\(\).from_output\('loss'\)`"):
        eqm.Average.from_output("loss")  # pyright: ignore[reportArgumentType]


def test_a_misspelt_or_missing_output_is_told():
    mean = eqm.Average().from_output("loss")
    with pytest.raises(TypeError, match="takes loss, mask, weights, not `maks`.*mean `mask`"):
        mean.update(loss=jnp.ones(2), maks=jnp.ones(2, bool))
    with pytest.raises(TypeError, match="`FromOutput.update` needs `loss`.*passed were mask"):
        mean.update(mask=jnp.ones(2, bool))
    whole = eqm.Average().from_output("loss", mask=None)
    assert whole(loss=jnp.array([1.0, 3.0]), mask=jnp.array([True, False])) == 2.0
