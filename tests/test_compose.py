"""`Compose`: a function of the values of some metrics."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from .oracle import agree, batches, few, floats, fold, rows_of, spread


def spread_of(mean: Any, std: Any, count: Any) -> Any:
    return {"relative": std / (1 + abs(mean)), "rows": count}


@pytest.mark.parametrize("way", [fold, spread])
@few
@given(batch=batches(floats(1e3), weighted=False))
def test_it_is_the_function_of_the_values(way, batch):
    metric = eqm.Compose(spread_of, eqm.Average(), eqm.Std(), eqm.Count())
    got = way(metric, batch).compute()
    x, _ = rows_of(batch)
    assert got["rows"] == x.size
    want = x.std() / (1 + abs(x.mean())) if x.size else np.nan
    agree(got["relative"], want, 1e-4, 1e-5)


TASK = eqm.Binary()
DATA = {"predicted_labels": jnp.array([1, 1, 0]), "labels": jnp.array([1, 0, 0])}


def test_by_hand():
    mean = eqm.Compose(lambda p, r: (p + r) / 2, eqm.Precision(TASK), eqm.Recall(TASK))
    assert mean(**DATA) == 0.75 and eqm.to_host(mean.update(**DATA)) == 0.75
    assert np.isnan(mean.compute())
    one = eqm.Compose(jnp.sqrt, eqm.Average().from_output("loss"))
    assert one(loss=jnp.array([3.0, 5.0])) == 2
    of_two = eqm.Compose(
        lambda a, b: a - b, eqm.Average().from_output("a"), eqm.Average().from_output("b")
    )
    assert of_two(a=jnp.array([5.0]), b=jnp.array([3.0])) == 2


def test_equal_statistics_are_kept_once():
    subtract = lambda p, r: p - r
    both = eqm.Compose(subtract, eqm.Precision(TASK), eqm.Recall(TASK))
    assert len(both.metrics.states) == 1
    metrics = eqm.MetricDict(
        gap=both,
        ratio=eqm.Compose(lambda p, r: p / r, eqm.Precision(TASK), eqm.Recall(TASK)),
        loss=eqm.Average(),
    )
    got = metrics(values=jnp.array([4.0]), **DATA)
    assert got == {"gap": -0.5, "ratio": 0.5, "loss": 4.0}


def test_inside_the_other_wrappers():
    error = eqm.Compose(lambda x: 1 - x, eqm.Accuracy())
    outputs = {"logits": jnp.eye(2)[jnp.array([0, 0, 1])], "labels": jnp.array([0, 1, 1])}
    groups = eqm.PerGroup(error, 2)(group=jnp.array([0, 0, 1]), **outputs)
    assert groups.tolist() == [0.5, 0.0]
    assert eqm.Best(error, "min")(**outputs)["value"] < 0.34


def test_invalid_rows_are_named():
    bad = eqm.Compose(jnp.sqrt, eqm.Average()).update(values=jnp.ones(1), weights=-jnp.ones(1))
    assert jnp.isnan(bad.compute())
    with pytest.raises(eqm.InvalidDataError, match=r"\['0'\] \(Average\): 1 invalid row"):
        bad.check()


def test_what_it_refuses():
    with pytest.raises(TypeError, match=r"expected a function, and then at least one metric"):
        eqm.Compose(eqm.Average(), eqm.Average())  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"expected a function, and then at least one metric"):
        eqm.Compose(jnp.sqrt)
    with pytest.raises(TypeError, match="`Compose.update` takes.*not `valeus`"):
        eqm.Compose(jnp.sqrt, eqm.Average()).update(valeus=jnp.ones(1))
    one, other = (eqm.Compose(fn, eqm.Average()) for fn in (jnp.sqrt, jnp.exp))
    with pytest.raises(ValueError, match="Cannot merge two `Compose` of different.*`fn`"):
        one.merge(other)
