"""`bounds` of metrics, of collections and of other pytrees."""

import jax
import jax.numpy as jnp

import eqmetrics as eqm


def test_of_a_collection():
    task = eqm.Binary()
    metrics = eqm.MetricDict(
        auroc=eqm.AUROC(task),
        renamed=eqm.AUROC(task).from_output(logits="others"),
        accuracy=eqm.Accuracy(task),
        median=eqm.Median().from_output("logits").from_fun(lambda logits: {"logits": logits}),
        inner=eqm.MetricDict(gini=eqm.Gini(task), loss=eqm.LogLoss(task)),
        error=eqm.MedianAbsoluteError().from_output("logits", "others"),
    )
    logits, labels = jnp.array([-1.0, 2.0, 3.0]), jnp.array([0, 1, 0])
    metrics = metrics.update(logits=logits, others=-logits, labels=labels)
    found = eqm.bounds(metrics)
    assert list(found) == ["auroc", "renamed", "median", "inner", "error"]
    assert list(found["inner"]) == ["gini"]
    values = {"auroc": 0.5, "renamed": 0.5, "median": 2.0, "error": 4.0}
    for name, value in values.items():
        assert found[name][0] <= value <= found[name][1] < found[name][0] + 0.01, name
    auroc = metrics["auroc"]
    assert isinstance(auroc, eqm.AUROC)
    low, high = auroc.bounds()
    assert found["auroc"] == (low, high)


def test_of_every_metric_that_has_bounds():
    for name in vars(eqm)["__all__"]:
        metric = getattr(eqm, name)
        if isinstance(metric, type) and issubclass(metric, eqm.Metric) and "bounds" in dir(metric):
            assert issubclass(metric, eqm.AbstractBounded), name
    metrics = eqm.MetricDict(
        pinball=eqm.D2Pinball(0.25),
        absolute=eqm.D2AbsoluteError(),
        squared=eqm.R2(),
        distance=eqm.Wasserstein1D(),
    )
    targets = jnp.array([0.0, 1.0, 5.0])
    metrics = metrics.update(predictions=jnp.array([1.0, 1.0, 4.0]), targets=targets)
    found = eqm.bounds(metrics)
    assert list(found) == ["pinball", "absolute", "distance"]
    # by hand: the quantile is 0, the median 1; sorted they are 1, 0 and 1 apart
    values = {"pinball": 1 - 1 / 1.5, "absolute": 0.6, "distance": 2 / 3}
    for name, value in values.items():
        assert found[name][0] <= value <= found[name][1] < found[name][0] + 0.001, name


def test_of_a_pytree():
    auroc = eqm.AUROC(eqm.Binary(), exact=9)
    state = {"step": 3, "m": (auroc, eqm.Sum())}
    state = jax.jit(lambda s: eqm.bounds(s))(state)
    assert state["step"] == 3 and state["m"][1] is None
    assert jnp.isnan(jnp.stack(state["m"][0])).all()
