"""`eqm.training.DeadUnits`, `ActivationSparsity` and `ActivationCounts` beside float64."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import agree, at_once, cases, fold, seeds, separate, taken, values_of


UNITS, THRESHOLD = 5, 0.5
BOTH = eqm.MetricDict(
    counts=eqm.training.ActivationCounts(UNITS, threshold=THRESHOLD),
    dead=eqm.training.DeadUnits(UNITS, threshold=THRESHOLD),
    dead_units=eqm.training.DeadUnits(UNITS, threshold=THRESHOLD, per_unit=True),
    sparsity=eqm.training.ActivationSparsity(UNITS, threshold=THRESHOLD),
    sparsity_of=eqm.training.ActivationSparsity(UNITS, threshold=THRESHOLD, per_unit=True),
)


@at_once
@given(seed=seeds)
def test_float64_agrees(seed):
    batch = cases(seed, columns=(UNITS,))
    x = batch.pop("predictions") * np.array([1, 0.2, 1, 0, 0.3], np.float32)
    del batch["targets"]
    batch["activations"] = np.where(
        taken(batch)[..., None], np.where(x == 2, np.inf, x), np.nan
    ).astype(np.float32)
    got = values_of(fold, BOTH, batch)
    for i, each in enumerate(separate(batch)):
        rows, w = each["activations"][taken(each)], each["weights"][taken(each)].astype(np.float64)
        active = np.abs(rows) > THRESHOLD
        value = {name: v for name, v in got.items() if name != "counts"}
        agree(got["counts"]["rows"][i], w.sum())
        agree(got["counts"]["active"][i], (active * w[:, None]).sum(0))
        if len(w) == 0:
            assert all(np.isnan(v[i]).all() for v in value.values())
            continue
        share = 1 - np.average(active, axis=0, weights=w)
        agree(value["dead_units"][i], ~active.any(0))
        agree(value["dead"][i], (~active.any(0)).mean(), 1e-6)
        agree(value["sparsity_of"][i], share, 1e-5, 1e-6)
        agree(value["sparsity"][i], share.mean(), 1e-5, 1e-6)


def test_by_hand():
    x = jnp.array([[[0.0, 1.0, 0.0, 0.0], [0.0, -2.0, 3.0, 0.0]]])  # rows of any axes
    assert eqm.training.DeadUnits(4)(activations=x) == 0.5
    assert eqm.training.DeadUnits(4, per_unit=True)(activations=x).tolist() == [1, 0, 0, 1]
    assert eqm.training.ActivationSparsity(4)(activations=x) == 0.625
    first = jnp.array([[True, False]])
    assert eqm.training.DeadUnits(4)(activations=x, mask=first) == 0.75
    dead = eqm.training.DeadUnits(4).update(activations=x[:, :1]).update(activations=x[:, 1:])
    assert dead.compute() == 0.5


def test_they_share_a_statistic():
    assert len(BOTH.states.all()) == 1
    other = eqm.training.DeadUnits(UNITS)
    assert len((BOTH | {"other": other}).states.all()) == 2


def test_undefined_and_invalid():
    assert jnp.isnan(eqm.training.DeadUnits(2).compute())
    assert eqm.training.ActivationSparsity(2, undefined=0.0).compute() == 0
    dead = eqm.training.DeadUnits(2).update(activations=jnp.array([[jnp.nan, 1.0]]))
    with pytest.raises(eqm.InvalidDataError, match="DeadUnits.*activations without NaN"):
        dead.check()
    with pytest.raises(TypeError, match=r"`activations` is float32\[3\], expected the trailing"):
        dead.update(activations=jnp.ones(3))
    with pytest.raises(ValueError, match="num_units=0"):
        eqm.training.DeadUnits(0)
    with pytest.raises(ValueError, match="threshold=-1.0"):
        eqm.training.DeadUnits(2, threshold=-1.0)
