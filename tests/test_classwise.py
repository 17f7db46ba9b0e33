"""`Classwise`: the values of the classes under their names."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

import eqmetrics as eqm

from .oracle import agree, few, fold, masks, ROWS, spread, STEPS


NAMES = ["cat", "dog", "eel"]
RECALL = eqm.Recall(eqm.Multiclass(3), average=None)


@st.composite
def decided(draw: st.DrawFn) -> dict[str, np.ndarray]:
    classes = arrays(np.int32, (STEPS, ROWS), elements=st.integers(0, 2))
    names = "predicted_labels", "labels"
    return {name: draw(classes) for name in names} | {"mask": draw(masks())}


@pytest.mark.parametrize("way", [fold, spread])
@few
@given(batch=decided())
def test_each_name_has_the_value_of_its_class(way, batch):
    got = way(eqm.Classwise(RECALL, NAMES), batch).compute()
    assert list(got) == NAMES
    for k, name in enumerate(NAMES):
        own = batch["mask"] & (batch["labels"] == k)
        hits = batch["predicted_labels"][own] == k
        agree(got[name], hits.mean() if hits.size else np.nan, 1e-6)


DATA = {"predicted_labels": jnp.array([0, 1, 0, 2]), "labels": jnp.array([0, 1, 1, 2])}


def test_by_hand():
    metric = eqm.Classwise(RECALL, NAMES)
    assert metric(**DATA) == {"cat": 1, "dog": 0.5, "eel": 1}
    assert eqm.to_host(metric.update(**DATA)) == {"cat": 1, "dog": 0.5, "eel": 1}
    # the names are in their order, and not in that of the alphabet
    other = eqm.Classwise(RECALL, ["z", "b", "a"])
    assert list(eqm.to_host(other.update(**DATA))) == ["z", "b", "a"]


def test_values_of_several_arrays_and_of_groups():
    scores = eqm.Classwise(eqm.StatScores(eqm.Multiclass(3)), NAMES)(**DATA)
    assert scores["dog"]["tp"] == 1 and scores["dog"]["fn"] == 1
    by_site = eqm.Classwise(eqm.PerGroup(eqm.Average(), 2), ["north", "south"])
    value = by_site(values=jnp.array([1.0, 2.0, 6.0]), group=jnp.array([1, 0, 0]))
    assert value == {"north": 4, "south": 1}
    inside = eqm.PerGroup(eqm.Classwise(RECALL, NAMES), 2)(group=jnp.array([0, 1, 0, 1]), **DATA)
    np.testing.assert_array_equal(inside["dog"], [0, 1])
    assert list(inside) == NAMES


def test_what_it_refuses():
    with pytest.raises(ValueError, match="names='abc': expected a list of different names"):
        eqm.Classwise(RECALL, "abc")
    with pytest.raises(ValueError, match="expected a list of different names"):
        eqm.Classwise(RECALL, ["cat", "cat", "dog"])
    with pytest.raises(TypeError, match=r"has 2 names.*`Recall` is float32\[3\].*`average=None`"):
        eqm.Classwise(RECALL, ["cat", "dog"])(**DATA)
    with pytest.raises(TypeError, match=r"has 3 names.*`Accuracy` is float32\[\]"):
        eqm.Classwise(eqm.Accuracy(), NAMES).compute()
    with pytest.raises(TypeError, match=r"`Classwise` got.*Build it: `Accuracy\(\)`"):
        eqm.Classwise(eqm.Accuracy, NAMES)  # pyright: ignore[reportArgumentType]
