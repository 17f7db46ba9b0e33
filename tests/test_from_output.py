"""`FromOutput` beside the metric that it holds."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm
from eqmetrics._collection.route import arguments_of

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


X = jnp.array([1.0, 3.0])


@pytest.mark.parametrize(
    "metric",
    [
        eqm.Average().from_output("loss"),
        eqm.Windowed(eqm.Average(), 2),
        eqm.Decayed(eqm.Average(), 2.0),
        eqm.Best(eqm.Average()),
        eqm.Windowed(eqm.Decayed(eqm.Average(), 2.0), 2).from_output("loss"),
    ],
    ids=lambda m: type(m).__name__,
)
def test_what_the_metric_inside_takes_by_position_a_wrapper_takes_so(metric):
    (name,) = [n for n in arguments_of(metric) if n in ("values", "loss")]
    np.testing.assert_equal(metric(X), metric(**{name: X}))
    by_name = metric.update(**{name: X}, mask=X > 2)
    np.testing.assert_equal(metric.update(X, mask=X > 2).compute(), by_name.compute())
    with pytest.raises(TypeError, match=f"got `{name}` twice"):
        metric.update(X, **{name: X})
    with pytest.raises(TypeError, match=f"2 given; it takes {name}. By name alone: mask, weights"):
        metric.update(X, X)


def test_a_readout_in_a_wrapper_and_groups_take_what_is_inside_by_position():
    assert eqm.Windowed(eqm.Std(), 2)(X) == eqm.Std()(X)
    assert eqm.StandardError()(X) == eqm.StandardError()(values=X)
    groups = eqm.PerGroup(eqm.Average(), 2)(X, group=jnp.array([1, 0]))
    assert groups.tolist() == [3, 1]


@pytest.mark.parametrize(
    "metric",
    [
        eqm.Windowed(eqm.Accuracy(), 2),
        eqm.MetricDict(mean=eqm.Average()),
        eqm.Average().from_fun(lambda loss: loss),
        eqm.Compose(abs, eqm.Average()),
    ],
    ids=lambda m: type(m).__name__,
)
def test_what_has_names_alone_is_refused_by_position(metric):
    with pytest.raises(TypeError, match="1 given; it takes outputs by name: .*By name alone: "):
        metric.update(X)
