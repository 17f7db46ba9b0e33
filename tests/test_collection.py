"""A typed `Collection` beside its members alone."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from .oracle import batches, few, floats, fold, spread
from .table import Evaluation


def test_a_collection_gives_the_numbers_of_clus_notebook():
    a = Evaluation.from_model_output(loss=0.1, logits=jnp.array([0.9, 0.1]), labels=0)
    b = Evaluation.from_model_output(loss=0.7, logits=jnp.array([0.8, 0.2]), labels=1)
    got = eqm.to_host(a.merge(b))
    assert got["accuracy"] == 0.5
    np.testing.assert_allclose([got["loss"], got["loss_std"]], [0.4, 0.3], rtol=1e-6)
    assert a.accuracy.compute() == 1.0
    assert list(got) == list(a.members()) == ["accuracy", "loss", "loss_std"]
    with pytest.raises(TypeError, match="Metric `loss`.*needs `loss`.*passed were logits"):
        a.update(logits=jnp.ones((1, 2)), labels=jnp.zeros(1, int))


class Losses(eqm.Collection):
    mean: eqm.Average = eqx.field(default_factory=eqm.Average)
    spread: eqm.Metric = eqx.field(default_factory=lambda: eqm.MetricDict(std=eqm.Std()))


@pytest.mark.parametrize("way", [fold, spread])
@few
@given(batch=batches(floats(1e6)))
def test_a_collection_gives_what_its_members_give_alone(way, batch):
    got = way(Losses(), batch).compute()
    for value, metric in ((got["mean"], eqm.Average()), (got["spread"]["std"], eqm.Std())):
        np.testing.assert_allclose(value, way(metric, batch).compute(), rtol=1e-6)


class Listed(eqm.Collection):
    losses: list[eqm.Metric]

    def __init__(self):
        self.losses = [eqm.Average()]


def test_a_member_inside_a_list_would_see_nothing():
    with pytest.raises(TypeError, match="`Listed.losses` is a list.*eqm.MetricDict"):
        Listed()
