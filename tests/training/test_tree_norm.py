"""`eqm.training.TreeNorm` beside float64, and beside `optax.global_norm`."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import at_once, fold, seeds


STEPS, ROWS = 3, 8
PATHS = "encoder.bias", "encoder.kernel", "head"


def drawn(seed: int) -> dict:
    """Stacked batches of stacked steps: of usual size, tiny, huge, zero and with NaN."""
    rng = np.random.default_rng(seed)
    size = rng.choice([1.0, 1e-30, 1e30, 1e-3, 0.0], (STEPS, ROWS, 1), p=[0.5, 0.1, 0.1, 0.2, 0.1])
    leaf = lambda *shape: rng.normal(size=(STEPS, ROWS, *shape)) * size.reshape(
        size.shape[:2] + (1,) * len(shape)
    )
    tree = {"encoder": {"bias": leaf(2), "kernel": leaf(3, 4)}, "head": leaf()}
    bad = rng.random((STEPS, ROWS)) < 0.1
    tree["head"] = np.where(bad, rng.choice([np.nan, np.inf, -np.inf], bad.shape), tree["head"])
    return {
        "gradients": jax.tree.map(np.float32, tree),
        "mask": rng.random((STEPS, ROWS)) < rng.choice([0.0, 0.3, 1.0], p=[0.1, 0.4, 0.5]),
        "weights": rng.choice([0.0, 1.0, 2.0, 0.25], (STEPS, ROWS)).astype(np.float32),
    }


def norms(batch: dict, group: str) -> np.ndarray:
    tree = batch["gradients"]
    leaves = {"encoder.bias": tree["encoder"]["bias"], "encoder.kernel": tree["encoder"]["kernel"]}
    leaves["head"] = tree["head"]
    some = [x for path, x in leaves.items() if group in ("", path) or path.startswith(group + ".")]
    squares = [np.float64(x).reshape(STEPS, ROWS, -1) ** 2 for x in some]
    return np.sqrt(sum(x.sum(-1) for x in squares))


@at_once
@given(seed=seeds)
def test_float64_agrees(seed):
    groups = "", "encoder", "encoder.kernel", "head"
    metric = eqm.training.TreeNorm(groups, axes=1)
    for k in range(12):
        batch = drawn(seed + k)
        got = eqm.to_host(fold(metric, batch))
        for group in groups:
            norm, w = norms(batch, group), np.where(batch["mask"], batch["weights"], 0)
            finite = np.isfinite(norm)
            assert got[group]["not_finite"] == w[~finite].sum()
            if w[finite].sum() == 0:
                assert np.isnan(got[group]["mean"]) and np.isnan(got[group]["max"])
                continue
            want = np.average(norm[finite], weights=w[finite])
            np.testing.assert_allclose(got[group]["mean"], want, rtol=2e-6)
            most = norm[finite & (w > 0)].max()
            np.testing.assert_allclose(got[group]["max"], most, rtol=1e-6)


def test_optax_agrees_on_a_model():
    model = eqx.nn.MLP(3, 2, 8, 2, key=jax.random.key(0))  # with functions among its leaves
    norm = eqm.training.TreeNorm()(gradients=model)["mean"]
    np.testing.assert_allclose(norm, optax.tree.norm(eqx.filter(model, eqx.is_array)), rtol=1e-6)
    groups = eqm.training.groups_of(model, 2)
    assert groups == ("layers.0", "layers.1", "layers.2")
    assert eqm.training.groups_of(model)[0] == "layers.0.weight"
    each = eqm.training.TreeNorm(groups)(gradients=model)
    parts = [float(each[group]["mean"]) for group in groups]
    np.testing.assert_allclose(np.linalg.norm(parts), norm, rtol=1e-6)


def test_by_hand():
    norm = eqm.training.TreeNorm()
    for x in ([3.0, 4.0], [0.0, 1.0], [np.inf, 0.0]):
        norm = norm.update(gradients={"w": jnp.array(x), "none": None, "step": jnp.array(7)})
    assert eqm.to_host(norm) == {"mean": 3.0, "max": 5.0, "not_finite": 1.0}
    half = norm.update(gradients=jnp.array([6.0, 8.0], jnp.bfloat16), mask=jnp.array(False))
    assert eqm.to_host(half) == eqm.to_host(norm)
    assert eqm.training.TreeNorm()(gradients=jnp.array([3j, 4.0]))["mean"] == 5
    assert eqm.training.TreeNorm(undefined=0.0).compute()["max"] == 0


@pytest.mark.parametrize("size", [2e-38, 1e-30, 1e-11, 1.0, 1e19, 3e37])
def test_sizes_at_the_ends_of_float32(size):
    x = (np.arange(1, 7) * size).astype(np.float32).reshape(2, 3)
    got = eqm.training.TreeNorm()(gradients=[x])["mean"]
    np.testing.assert_allclose(got, np.linalg.norm(np.float64(x)), rtol=1e-6)
    slope = jax.grad(lambda x: eqm.training.TreeNorm()(gradients=[x])["mean"])(jnp.asarray(x))
    np.testing.assert_allclose(slope, x / np.linalg.norm(np.float64(x)), rtol=1e-5)


def test_a_norm_of_0_has_a_slope_of_0():
    slope = jax.grad(lambda x: eqm.training.TreeNorm()(gradients=[x])["mean"])(jnp.zeros(3))
    assert slope.tolist() == [0, 0, 0]


def test_in_a_scan_beside_other_outputs():
    metrics = eqm.MetricDict(
        norm=eqm.training.TreeNorm().from_output(mask=None), loss=eqm.Average().from_output("loss")
    )

    def step(metrics, x):
        gradients = {"w": x, "b": x[0]}
        mask = jnp.array([True, False, True])
        return metrics.update(gradients=gradients, loss=x, mask=mask), None

    xs = jnp.array([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]])
    value = eqm.to_host(jax.lax.scan(step, metrics, xs)[0])
    assert value["norm"] == {"mean": 3.0, "max": 4.0, "not_finite": 0.0} and value["loss"] == 1.5


def test_what_it_refuses():
    norm = eqm.training.TreeNorm()
    with pytest.raises(TypeError, match=r"No leaf of `gradients` is in the group `encod`; there"):
        eqm.training.TreeNorm(("encod",)).update(gradients={"encoder": jnp.ones(2)})
    with pytest.raises(TypeError, match="no arrays of floats"):
        norm.update(gradients={"step": jnp.array(1)})
    with pytest.raises(TypeError, match=r"`mask` is bool\[2\].*from_output\(mask=None, weights"):
        norm.update(gradients=jnp.ones(2), mask=jnp.ones(2, bool))
    with pytest.raises(TypeError, match="axes=1 all leaves begin with the axes of the steps"):
        eqm.training.TreeNorm(axes=1).update(gradients=[jnp.ones((2, 3)), jnp.ones(3)])
    with pytest.raises(TypeError, match=r"groups='encoder'.*Sequence"):
        eqm.training.TreeNorm("encoder")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="axes=-1"):
        eqm.training.TreeNorm(axes=-1)
    with pytest.raises(ValueError, match="depth=0"):
        eqm.training.groups_of({}, 0)
