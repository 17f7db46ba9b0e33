"""A training state saved in the middle ends with the same bits."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

import eqmetrics as eqm


class State(eqx.Module):
    weight: Array
    metrics: eqm.MetricDict
    step: Array


def new() -> State:
    metrics = eqm.MetricDict(
        mean=eqm.Average(),
        std=eqm.Std(),
        variance=eqm.Variance(),
        last=eqm.LastValue(),
        highest=eqm.Max(),
    )
    return State(jnp.ones(3), metrics, jnp.zeros((), jnp.int32))


@jax.jit
def train(state: State, x: Array) -> State:
    return State(state.weight * x.mean(), state.metrics.update(values=x), state.step + 1)


def run(state: State, seeds: range) -> State:
    for seed in seeds:
        state = train(state, np.random.default_rng(seed).normal(size=8).astype(np.float32))
    return state


def same_bits(a: State, b: State) -> bool:
    leaves = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return jax.tree.structure(a) == jax.tree.structure(b) and all(
        np.asarray(x).tobytes() == np.asarray(y).tobytes() for x, y in leaves
    )


def test_equinox(tmp_path):
    middle = run(new(), range(5))
    eqx.tree_serialise_leaves(tmp_path / "state.eqx", middle)
    restored = eqx.tree_deserialise_leaves(tmp_path / "state.eqx", new())
    assert same_bits(run(restored, range(5, 9)), run(new(), range(9)))


def test_orbax(tmp_path):
    checkpoint = pytest.importorskip("orbax.checkpoint")
    leaves, treedef = jax.tree.flatten(run(new(), range(5)))
    with checkpoint.StandardCheckpointer() as saver:
        saver.save(tmp_path / "state", leaves)
        saver.wait_until_finished()
        restored = jax.tree.unflatten(treedef, saver.restore(tmp_path / "state", leaves))
    assert same_bits(run(restored, range(5, 9)), run(new(), range(9)))
