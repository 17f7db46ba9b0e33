"""`evaluate` and `pad_batch`."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType

import eqmetrics as eqm


def metrics():
    return eqm.MetricDict(
        accuracy=eqm.Accuracy(),
        loss=eqm.Average().from_output("loss"),
        std=eqm.Std().from_output("loss"),
    )


def outputs(model, x, y):
    logits = jax.vmap(model)(x)
    return {"logits": logits, "labels": y, "loss": -jax.nn.log_softmax(logits)[:, 0]}


def make_step():
    traces = []

    def step(metrics, batch, mask, model):
        traces.append(None)
        return metrics.update(**outputs(model, *batch), mask=mask)

    return step, traces


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(499, 4)).astype(np.float32)
    model = eqx.nn.MLP(4, 3, 8, 1, key=jax.random.key(0))
    return model, x, rng.integers(0, 3, 499)


def batches(data, size=64):
    _, x, y = data
    for i in range(0, len(x), size):
        yield x[i : i + size], y[i : i + size]


class TensorLike:
    """What a PyTorch loader yields: no NumPy array, but readable as one."""

    def __init__(self, x):
        self.x = x
        self.shape = x.shape

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.x, dtype)


@pytest.mark.parametrize("kind", ["generator", "list", "loader"])
def test_a_ragged_last_batch_is_one_compilation(data, kind):
    model, x, y = data
    step, traces = make_step()
    source = batches(data)
    if kind == "list":
        source = list(source)
    if kind == "loader":
        source = [[TensorLike(a), TensorLike(b)] for a, b in source]
    empty = metrics()
    got = eqm.to_host(eqm.evaluate(step, empty, source, args=(model,), progress=False))
    want = eqm.to_host(metrics().update(**outputs(model, jnp.asarray(x), y.astype(np.int32))))
    assert got["accuracy"] == want["accuracy"]
    np.testing.assert_allclose([*got.values()], [*want.values()], rtol=1e-6)
    source = batches(data) if kind == "generator" else source
    again = eqm.evaluate(step, empty, source, args=(model,))
    assert eqm.to_host(again) == got
    assert len(traces) == 1


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
@pytest.mark.parametrize("shape", [(8,), (3,), (4, 2)])
def test_over_a_mesh(data, kind, shape):
    model, x, y = data
    names = ("a", "b")[: len(shape)]
    devices = jax.devices()[: int(np.prod(shape))]
    mesh = jax.make_mesh(shape, names, axis_types=(kind,) * len(shape), devices=devices)
    step, traces = make_step()
    got = eqm.to_host(eqm.evaluate(step, metrics(), batches(data), args=(model,), mesh=mesh))
    want = eqm.to_host(eqm.evaluate(make_step()[0], metrics(), [(x, y)], args=(model,)))
    assert got["accuracy"] == want["accuracy"]
    np.testing.assert_allclose([*got.values()], [*want.values()], rtol=1e-6)
    assert len(traces) == 1


def test_arguments_may_be_of_numpy_over_a_mesh():
    def step(metrics, batch, mask, table):
        return metrics.update(values=batch * table[1], mask=mask)

    table, mesh = np.array([1.0, 5.0], np.float32), jax.make_mesh((8,), ("a",))
    rows = np.array([0, 1, 1, 0, 1], np.int32)
    got = eqm.evaluate(step, eqm.Average(), [rows], args=(table,), mesh=mesh, progress=False)
    assert eqm.to_host(got) == 3


def test_a_failure_leaves_what_was_seen_readable(data):
    model, x, y = data
    step, _ = make_step()

    def broken():
        yield from list(batches(data))[:3]
        raise OSError("disk")

    with pytest.raises(eqm.EvaluationError, match="batch 3") as told:
        eqm.evaluate(step, metrics(), broken(), args=(model,))
    assert isinstance(told.value.__cause__, OSError)
    first = eqm.evaluate(step, metrics(), [(x[:192], y[:192])], args=(model,))
    assert eqm.to_host(told.value.metrics)["accuracy"] == eqm.to_host(first)["accuracy"]

    wrong = [(x[:4], y[:4]), (x[:4, :3], y[:4])]
    with pytest.raises(eqm.EvaluationError) as told:
        eqm.evaluate(step, metrics(), wrong, args=(model,))
    assert told.value.batches == 1 and not jnp.isnan(told.value.metrics["loss"].compute())


def test_what_the_caller_gets_wrong_is_told(data):
    _, x, y = data
    with pytest.raises(eqm.EvaluationError) as told:
        eqm.evaluate(lambda m, b, mask: m.update(b, mask=mask).compute(), eqm.Sum(), [x[:2, 0]])
    assert "must return the metrics" in str(told.value.__cause__)
    mesh = jax.make_mesh((8,), ("a",), axis_types=(AxisType.Auto,))
    with pytest.raises(ValueError, match="size=60 isn't a multiple of the 8"):
        eqm.evaluate(make_step()[0], metrics(), [], size=60, mesh=mesh)
    with pytest.raises(TypeError, match=r"`args` is float 2.0, expected a tuple: `args=\(x,\)`"):
        eqm.evaluate(lambda m, b, mask, s: m, eqm.Sum(), [x], args=2.0)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="one leading axis"):
        eqm.pad_batch((x, y[:3]), 512)
    with pytest.raises(ValueError, match="more than size=8"):
        eqm.pad_batch(x, 8)
    with pytest.raises(eqm.EvaluationError) as told:
        eqm.evaluate(lambda m, b, mask: m.update(b), eqm.Sum(), [np.array([2**40])])
    assert "don't fit" in str(told.value.__cause__)
    with pytest.raises(eqm.EvaluationError) as told:
        eqm.evaluate(lambda m, b, mask: m.update(b, mask=mask), eqm.Sum(), [x[:2, 0], x[:3, 0]])
    assert "3 rows, more than the 2 of a padded batch" in str(told.value.__cause__)
    assert told.value.metrics.compute() == x[:2, 0].sum()


def test_no_batches_and_the_metrics_passed_in_stay(data):
    model, *_ = data
    step, _ = make_step()
    empty = metrics()
    assert np.isnan(eqm.to_host(eqm.evaluate(step, empty, [], args=(model,)))["loss"])
    eqm.evaluate(step, empty, batches(data), args=(model,))
    assert jnp.isnan(empty["loss"].compute())


def test_the_progress_bar(data, capsys):
    model, *_ = data
    eqm.evaluate(make_step()[0], metrics(), batches(data), args=(model,), progress=True, total=8)
    assert "8/8" in capsys.readouterr().err
    eqm.evaluate(make_step()[0], metrics(), batches(data), args=(model,))
    assert capsys.readouterr().err == ""
