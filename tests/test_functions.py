"""A function made anew, without a closure, is the function that it was: nothing compiles again."""

import functools as ft
import gc
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import eqmetrics as eqm
from eqmetrics._metric.functions import one_of_equal


SCALE = 2


def make():
    return eqm.MetricDict(
        squares=eqm.Average().from_fun(lambda loss: loss**2),
        kept=eqm.Buffer(8, loss=jnp.float32, fn=lambda loss: loss.max()),
        both=eqm.Compose(
            lambda a, b: a / b,
            eqm.Sum().from_output("loss"),
            eqm.Sum().from_fun(lambda loss, *, power=2: loss**power),
        ),
    )


def test_a_factory_called_each_epoch_compiles_once():
    traced = []

    @jax.jit
    def update(metrics, loss):
        traced.append(1)
        return metrics.update(loss=loss)

    epochs = [update(make(), jnp.arange(4.0)) for _ in range(3)]
    assert len(traced) == 1
    both = epochs[0].merge(epochs[1])
    assert both["squares"].compute() == 3.5
    assert jax.tree.structure(make()) == jax.tree.structure(make())


def test_a_step_made_anew_compiles_once():
    traced = []
    outside = traced.append  # no closure in the step

    def loop():
        def step(metrics, batch, mask):
            TRACED.append(1)
            return metrics.update(batch, mask=mask)

        return eqm.evaluate(step, eqm.Sum(), [np.ones(3)])

    TRACED.clear()
    assert loop().compute() == loop().compute() == 3
    assert len(TRACED) == 1 and outside is not None


TRACED: list[int] = []


def test_what_makes_two_functions_one():
    assert one_of_equal(lambda x: x + 1) is one_of_equal(lambda x: x + 1)
    for other in (
        lambda x: x + 2, lambda x: x + 1.0, lambda x: x + True, lambda y: y + 1,
        lambda x, z=0: x + 1, lambda x: x - 1,
    ):  # fmt: skip
        assert one_of_equal(other) is other
    assert one_of_equal(lambda x: 0.0) is not one_of_equal(lambda x: -0.0)
    defaults = [one_of_equal(lambda x, k=k: x + k) for k in (1, 2, 1, 1.0)]
    assert defaults[0] is defaults[2] and len(set(map(id, defaults))) == 3
    inner = [one_of_equal(lambda x: [y for y in map(lambda z: z * 2, x)]) for _ in range(2)]
    assert inner[0] is inner[1]


def test_a_closure_is_a_function_of_its_own():
    def of(k):
        return eqm.Average().from_fun(lambda loss: loss * k)

    with pytest.raises(ValueError, match="`fn` is <function") as error:
        of(2).merge(of(2))
    assert "once, outside the loop" in error.value.__notes__[0]
    bound = [ft.partial(lambda loss, k: loss * k, k=2) for _ in range(2)]
    assert one_of_equal(bound[0]).func is one_of_equal(bound[1]).func


def test_a_global_that_changed_makes_another_function(monkeypatch):
    def new():
        return one_of_equal(lambda loss: loss * SCALE)

    first = new()
    assert new() is first
    monkeypatch.setitem(globals(), "SCALE", 3)
    other = new()
    assert other is not first and new() is other
    monkeypatch.setitem(globals(), "SCALE", lambda x: x)
    assert new() not in (first, other)


def test_a_function_that_nobody_holds_is_forgotten():
    found = weakref.ref(one_of_equal(lambda x: x * 12345))
    gc.collect()
    assert found() is None
