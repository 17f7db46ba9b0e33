"""A `MetricDict` beside its members alone."""

import copy
import pickle
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from .oracle import batches, few, floats, fold, spread
from .table import Evaluation


def losses():
    return eqm.MetricDict(
        std=eqm.Std().from_output("loss"),
        variance=eqm.Variance(ddof=1).from_output("loss"),
        mean=eqm.Average().from_output("loss"),
    )


def apart():
    updated = eqm.MetricDict(
        {name: jax.tree.map(lambda x: x, m) for name, m in losses().items()}
    )
    assert len(updated.states) == 3
    return updated


def test_sharing_is_seen_in_the_tree_and_not_in_the_values():
    x, y = (np.random.default_rng(i).normal(size=9).astype(np.float32) for i in (0, 1))
    shared, own = losses(), apart()
    assert len(shared.states) == 2
    for a, b in ((shared, own), (own, shared), (shared, shared)):
        got = eqm.to_host(a.update(loss=x).merge(b.update(loss=y)))
        want = eqm.to_host(own.update(loss=x).merge(own.update(loss=y)))
        assert got == want
    whole = losses().update(loss=x)
    assert whole["std"].compute() == eqm.Std()(x)
    assert len(whole.replace_members(std=eqm.Std().from_output("loss")).states) == 3


def test_other_configuration_is_not_shared():
    d = eqm.MetricDict(a=eqm.Std().from_output("x"), b=eqm.Std().from_output("y"))
    assert len(d.states) == 2
    used = eqm.Std().update(jnp.ones(3))
    assert len(eqm.MetricDict(a=used, b=eqm.Variance()).states) == 2


def test_routing_is_strict():
    d = eqm.MetricDict(accuracy=eqm.Accuracy(), loss=eqm.Average().from_output("loss"))
    good = dict(logits=jnp.ones((2, 3)), labels=jnp.array([0, 1]), loss=jnp.ones(2))
    with pytest.raises(TypeError, match="takes the output `logit`.*Did you mean `logits`"):
        d.update(logit=good["logits"], labels=good["labels"], loss=good["loss"])
    with pytest.raises(TypeError, match="needs `labels`.*Did you mean `label`"):
        d.update(logits=good["logits"], label=good["labels"], loss=good["loss"])
    with pytest.raises(TypeError, match="got none of them") as raised:
        d.update(labels=good["labels"], loss=good["loss"])
    assert raised.value.__notes__[-1] == "In the metric `accuracy` (Accuracy)."
    with pytest.raises(TypeError, match="No metric takes the output `lables`"):
        d.update(**good, lables=1)
    largest = eqm.MetricDict(top=eqm.Max(), last=eqm.Average().from_output(mask=None))
    out = largest.update(values=jnp.arange(2.0), mask=jnp.array([True, False])).compute()
    assert out == {"top": 0.0, "last": 0.5}
    with pytest.raises(TypeError, match="`weights` was passed, but metric `top`"):
        largest.update(values=jnp.ones(2), weights=jnp.ones(2))


@pytest.mark.parametrize(
    "member",
    [
        eqm.Max().from_output(weights=None).from_output("loss"),
        eqm.Max().from_output(weights=None).from_fun(lambda loss: loss),
        eqm.MetricDict(a=eqm.Max().from_output("loss", weights=None)),
    ],
    ids=["renamed", "from_fun", "nested"],
)
def test_a_refusal_is_heard_at_any_depth(member):
    d = eqm.MetricDict(member=member, mean=eqm.Average().from_output("loss"))
    out = d.update(loss=jnp.array([1.0, 3.0]), weights=jnp.array([1.0, 0.0])).compute()
    assert jax.tree.leaves(out) == [1.0, 3.0]


def test_nesting_and_mapping():
    d = eqm.MetricDict({"val/f": losses()}) | {"rows": eqm.Count().from_output("loss")}
    out = eqm.to_host(d.update(loss=jnp.array([1.0, 3.0])))
    assert out["rows"] == 2 and out["val/f"]["mean"] == 2.0
    assert list(d) == ["val/f", "rows"]


MEMBERS = {
    "mean": eqm.Average(),
    "std": eqm.Std(),
    "variance": eqm.Variance(ddof=1),
}


@pytest.mark.parametrize("way", [fold, spread])
@few
@given(batch=batches(floats(1e6)))
def test_a_dict_gives_what_its_members_give_alone(way, batch):
    metrics = eqm.MetricDict(MEMBERS)
    assert len(metrics.states) == 2
    got = way(metrics, batch).compute()
    for name, metric in MEMBERS.items():
        np.testing.assert_allclose(got[name], way(metric, batch).compute(), rtol=1e-6)


def test_mapping_errors():
    with pytest.raises(TypeError, match="`loss` is .*expected a metric. Build it"):
        eqm.MetricDict(loss=eqm.Average)  # pyright: ignore[reportArgumentType]
    with pytest.raises(KeyError, match="No metric `b`; there are a"):
        eqm.MetricDict(a=eqm.Sum())["b"]
    with pytest.raises(ValueError, match="Cannot merge a `MetricDict` of a with MetricDict of b"):
        eqm.MetricDict(a=eqm.Sum()).merge(eqm.MetricDict(b=eqm.Sum()))


def test_the_order_of_members_is_kept_to_the_host():
    d = eqm.MetricDict(b=eqm.Average(), a=eqm.MetricDict(z=eqm.Sum(), y=eqm.Count()))
    got = eqm.to_host({"d": d.update(values=jnp.ones(2))})["d"]
    assert list(got) == ["b", "a"] and list(got["a"]) == ["z", "y"]


def used(metrics):
    return metrics.update(values=jnp.arange(3.0))


TWICE = eqm.Average()
TWINS = {
    "named twice": lambda: eqm.MetricDict(a=TWICE, b=TWICE),
    "shared": lambda: used(eqm.MetricDict(MEMBERS)).replace_members(mean=eqm.Average()),
    "joined": lambda: used(eqm.MetricDict(MEMBERS)) | {"sum": eqm.Sum()},
}


@pytest.mark.parametrize("make", TWINS.values(), ids=TWINS)
def test_no_buffer_is_held_twice(make):
    step = jax.jit(lambda m, x: m.update(values=x), donate_argnums=0)
    want = eqm.to_host(make().update(values=jnp.ones(2)))
    assert eqm.to_host(step(make(), jnp.ones(2))) == want


def test_a_dict_without_members():
    empty = eqm.MetricDict()
    assert eqm.to_host(empty.update().merge(empty)) == {} and empty.reduce().names == ()
    stacked = {"sum": jax.vmap(eqm.Sum().update)(jnp.arange(8.0)[:, None]), "none": empty}
    assert eqm.to_host(eqm.reduce(stacked)) == {"sum": 28.0, "none": {}}
    with pytest.raises(TypeError, match="No metric takes the output `x`; taken are none"):
        empty.update(x=1)


def test_a_class_is_not_a_metric():
    with pytest.raises(TypeError, match=r"`accuracy` is the class `Accuracy`.*Build it"):
        Evaluation(accuracy=eqm.Accuracy)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"`a` is the class `Accuracy`.*`a=Accuracy\(\)`"):
        eqm.MetricDict(a=eqm.Accuracy)  # pyright: ignore[reportArgumentType]


def test_metrics_are_updated_inside_a_loss_that_is_differentiated():
    metrics = eqm.MetricDict(
        MEMBERS | {"sum": eqm.Sum(), "max": eqm.Max(), "last": eqm.LastValue(), "n": eqm.Count()}
    )

    def loss(weight, metrics, x):
        rows = jnp.square(weight * x)
        return rows.mean(), metrics.update(values=rows)

    x = jnp.arange(4.0)
    want = eqm.to_host(metrics.update(values=4.0 * x * x))
    for transform in (jax.value_and_grad, eqx.filter_value_and_grad):
        step = transform(loss, has_aux=True)
        for f in (step, eqx.filter_jit(step)):
            (_, seen), gradient = f(jnp.array(2.0), metrics, x)
            assert gradient == 14.0 and eqm.to_host(seen) == want


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
@pytest.mark.parametrize(
    "make", [losses, apart, lambda: eqm.Windowed(losses(), 3), lambda: eqm.Compose(abs, losses())]
)
def test_a_copy_has_the_same_structure(
    copied: Callable[[eqm.Metric], eqm.Metric], make: Callable[[], eqm.Metric]
):
    """Else it compiles every program anew, and doesn't merge with what it was copied from."""
    metric = make()
    assert jax.tree.structure(copied(metric)) == jax.tree.structure(metric)
    assert eqx.tree_equal(copied(metric), metric)
    metric = metric.update(loss=jnp.array([1.0, 3.0]))
    assert eqx.tree_equal(copied(metric), metric)


def test_no_metric_is_a_static_argument():
    """Its numbers would be part of the compiled program."""
    for metric in losses(), losses()["mean"], Evaluation():
        with pytest.raises(TypeError, match="unhashable"):
            hash(metric)
