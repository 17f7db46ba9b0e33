"""What a program reads: the values, in one transfer, and as loggers take them."""

import csv
import io
import json
from typing import Any, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec as P
from jaxtyping import Array, Float, Float32

import eqmetrics as eqm


LOGITS = jnp.array([[2.0, 1.0, 0.0], [0.0, 3.0, 0.0], [0.0, 3.0, 0.0]])
LABELS = jnp.array([0, 0, 1])
LOSS = jnp.array([0.25, 0.75, 0.5])


def metrics() -> eqm.MetricDict:
    return eqm.MetricDict(
        z=eqm.Accuracy(),
        f1=eqm.F1(eqm.Multiclass(3), average=None),
        confusion=eqm.ConfusionMatrix(eqm.Multiclass(3)),
        best=eqm.Best(eqm.Average()).from_output("loss"),
        rows=eqm.Count().from_output("loss"),
    )


def seen() -> eqm.MetricDict:
    return metrics().update(logits=LOGITS, labels=LABELS, loss=LOSS)


class State(NamedTuple):
    metrics: Any
    model: Any
    step: Any
    activation: Any
    name: str


def test_flat_is_what_a_logger_takes():
    state = {"train": State(seen(), jnp.ones((2, 2)), jnp.array(3), jax.nn.relu, "small")}
    flat = eqm.to_host(state, flat=True)
    assert flat == {
        "train/metrics/z": pytest.approx(2 / 3),
        "train/metrics/best/value": 0.5,
        "train/metrics/best/step": 0.0,
        "train/metrics/best/since": 0.0,
        "train/metrics/rows": 3.0,
        "train/step": 3.0,
    }
    assert next(iter(flat)) == "train/metrics/z"  # in the order of the collection
    assert {type(x) for x in flat.values()} == {float}
    assert json.loads(json.dumps(flat)) == flat
    file = io.StringIO()
    writer = csv.DictWriter(file, fieldnames=list(flat))
    writer.writeheader()
    writer.writerow(flat)
    (row,) = csv.DictReader(io.StringIO(file.getvalue()))
    assert {name: float(x) for name, x in row.items()} == flat


def test_flat_with_arrays_by_their_index():
    flat = eqm.to_host(seen(), flat=True, arrays="spread")
    assert [name for name in flat if name.startswith("f1")] == ["f1/0", "f1/1", "f1/2"]
    assert flat["confusion/0/1"] == 1.0 and len(flat) == 1 + 3 + 9 + 3 + 1
    with pytest.raises(ValueError, match="arrays='all': expected 'omit' or 'spread'"):
        eqm.to_host(seen(), flat=True, arrays="all")  # pyright: ignore[reportArgumentType]


def test_flat_names():
    assert eqm.to_host(eqm.Average().from_output("x").update(x=LOSS), flat=True) == {"Average": 0.5}
    twice = {"a/b": eqm.Count(), "a": {"b": eqm.Count()}}
    with pytest.raises(ValueError, match="two numbers have the name `a/b`"):
        eqm.to_host(twice, flat=True)
    report = eqm.ClassificationReport(eqm.Multiclass(3)).update(logits=LOGITS, labels=LABELS)
    flat = eqm.to_host({"report": report}, flat=True)
    assert flat and all(type(x) is float for x in flat.values())
    assert len(eqm.to_host({"report": report}, flat=True, arrays="spread")) > len(flat)


def test_flat_fetches_no_model(monkeypatch):
    sent = []
    fetch = jax.device_get
    monkeypatch.setattr(jax, "device_get", lambda x: sent.append(jax.tree.leaves(x)) or fetch(x))
    state = State(seen(), jnp.ones((1000, 1000)), jnp.array(3), None, "small")
    eqm.to_host(state, flat=True)
    assert len(sent) == 1 and all(np.size(x) < 100 for x in sent[0])


# ---- one program, one transfer


class Counted(eqm.Metric):
    """Says how often its `compute` was called."""

    calls: list[int] = eqx.field(static=True)
    total: Float[Array, ""] = eqm.state(reduce="sum")

    def __init__(self, calls: list[int]):
        self.total, self.calls = jnp.zeros(()), calls

    def update(self, values: Float[Array, "..."]) -> Self:
        return self.replace(total=self.total + values.sum())

    def compute(self) -> Float[Array, ""]:
        self.calls[0] += 1
        return self.total


class Calls(list):
    def __hash__(self):
        return id(self)


def test_one_program_for_each_structure():
    calls = Calls([0])
    tree = {"m": Counted(calls)}
    for i in range(3):
        tree = {"m": tree["m"].update(jnp.ones(2))}
        assert eqm.to_host(tree) == {"m": 2.0 * (i + 1)}
    assert calls == [1]


def test_one_transfer(monkeypatch):
    tree = {"a": seen(), "b": eqm.Std().update(LOSS), "c": jnp.arange(3)}
    want = eqm.to_host(tree)
    sent = []
    fetch = jax.device_get
    monkeypatch.setattr(
        jax, "device_get", lambda x: sent.append(len(jax.tree.leaves(x))) or fetch(x)
    )
    got = eqm.to_host(tree)
    # All small floats with the count of invalid rows, the confusion matrix aside, and `c`.
    assert len(sent) == 1 and sent[0] <= 3
    jax.tree.map(np.testing.assert_array_equal, got, want)


def test_values_are_those_of_compute():
    got, want = eqm.to_host(seen()), seen().compute()
    assert list(got) == list(want) == ["z", "f1", "confusion", "best", "rows"]
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6), got, want)
    assert type(got["rows"]) is float and type(got["z"]) is float


class OnHost(eqm.Metric):
    """Its `compute` looks into its arrays, and gives what is no array."""

    calls: Any = eqx.field(static=True)
    total: Float32[Array, "2"] = eqm.state(reduce=eqm.exact_sum, valid="values >= 0")

    def __init__(self, calls: Any):
        self.total, self.calls = jnp.zeros(2), calls

    def update(self, values: Float[Array, "..."]) -> Self:
        return self.replace(total=self.total.at[0].add((values < 0).sum()))

    def compute(self) -> dict[str, Any]:
        self.calls[0] += 1
        return {"many": 1.0 if self.total.sum() > 3 else 0.0, "np": np.median(self.total)}


def test_a_compute_that_looks_into_arrays():
    calls = Calls([0])
    tree = {"host": OnHost(calls), "device": eqm.Sum().update(LOSS)}
    for _ in range(2):
        assert eqm.to_host(tree) == {"host": {"many": 0.0, "np": 0.0}, "device": 1.5}
    assert calls == [3]  # traced once in vain
    bad = {"host": tree["host"].update(jnp.array([-1.0])), "device": tree["device"]}
    with pytest.raises(eqm.InvalidDataError, match=r"host.*1 invalid row"):
        eqm.to_host(bad)


class Words(eqm.Metric):
    """A value with parts that are no arrays."""

    total: Float[Array, ""] = eqm.state(reduce="sum")

    def __init__(self):
        self.total = jnp.zeros(())

    def update(self, values: Float[Array, "..."]) -> Self:
        return self.replace(total=self.total + values.sum())

    def compute(self) -> dict[str, Any]:
        return {"unit": "m", "exact": 0.1, "table": np.array([0.1, 0.2]), "total": self.total}


def test_parts_that_are_no_arrays():
    for _ in range(2):
        got = eqm.to_host(Words().update(LOSS))
        assert got["unit"] == "m" and got["exact"] == 0.1 and got["total"] == 1.5
        assert got["table"].dtype == np.float64
    assert eqm.to_host(Words(), flat=True) == {"exact": 0.1, "total": 0.0}


class Valid(Words):
    """The same, of values that may be invalid."""

    negative: Float[Array, ""] = eqm.state(reduce="sum", valid="values >= 0")

    def __init__(self):
        self.total = self.negative = jnp.zeros(())

    def update(self, values: Float[Array, "..."]) -> Self:
        negative = self.negative + (values < 0).sum()
        return self.replace(total=self.total + values.sum(), negative=negative)


def test_numbers_are_nan_beside_invalid_rows_and_words_are_kept():
    fine, bad = (Valid().update(x).compute() for x in (jnp.ones(2), -jnp.ones(2)))
    assert fine["unit"] == bad["unit"] == "m" and fine["total"] == 2
    numbers = {k: v for k, v in bad.items() if k != "unit"}
    assert all(np.isnan(x).all() for x in numbers.values())
    for x in {**fine, **numbers}.values():
        assert isinstance(x, str) or (x.dtype == jnp.float32 and not x.weak_type)


def test_rows_on_the_host_beside_a_program():
    both = eqm.MetricDict(
        median=eqm.Collect("loss", fn=np.median),
        inner=eqm.MetricDict(rows=eqm.Collect("loss"), mean=eqm.Average().from_output("loss")),
    )
    from eqmetrics._host import program

    before = len(program._plans)
    for n in range(1, 4):
        both = both.update(loss=LOSS)
        got = eqm.to_host({"x": both})["x"]
        assert got["median"] == 0.5 and got["inner"]["mean"] == 0.5
        assert got["inner"]["rows"]["loss"].tolist() == LOSS.tolist() * n
    assert len(program._plans) == before + 1  # not one for each number of rows


def test_sums_are_read_in_float64():
    big = jnp.array([2.0**40, 3.0], jnp.float32)
    count = eqm.Count().replace(sums=eqm.Sums(rows=()).plus(rows=big))
    many = eqm.Sum(300).add(jnp.tile(big[:, None], (1, 300)))
    got = eqm.to_host({"one": count, "many": many})
    assert got["one"] == 2**40 + 3 and (got["many"] == 2**40 + 3).all()
    stacked = jax.tree.map(lambda x: jnp.stack([x, 2 * x]), count)
    assert eqm.to_host(stacked, stacked=1).tolist() == [2**40 + 3, 2**41 + 6]


def test_nan_is_no_error_for_who_looks_for_nan():
    with jax.debug_nans(True):
        assert np.isnan(eqm.to_host(eqm.Average()))


# ---- devices


def test_states_on_any_devices():
    one, other = jax.devices()[:2]
    tree = {"a": jax.device_put(seen(), one), "b": jax.device_put(seen(), other)}
    got = eqm.to_host(tree)
    jax.tree.map(np.testing.assert_array_equal, got["a"], got["b"])
    mesh = jax.make_mesh((8,), ("d",))
    tree["b"] = jax.device_put(tree["b"], NamedSharding(mesh, P()))
    jax.tree.map(np.testing.assert_array_equal, eqm.to_host(tree)["b"], got["b"])
    split = eqm.Sum(16).update(jnp.ones((2, 16)))
    pairs = jax.device_put(split.sums.pairs, NamedSharding(mesh, P(None, "d")))
    split = eqx.tree_at(lambda m: m.sums.pairs, split, pairs)
    assert eqm.to_host({"split": split, "whole": tree["b"]})["split"].tolist() == [2.0] * 16


def test_a_mesh_in_context():
    mesh = jax.make_mesh((8,), ("d",))
    want = eqm.to_host(seen())
    for state in (seen(), jax.device_put(seen(), jax.devices()[1])):
        with jax.set_mesh(mesh):
            jax.tree.map(np.testing.assert_array_equal, eqm.to_host(state), want)
    with jax.set_mesh(mesh):
        spread = jax.device_put(seen(), NamedSharding(mesh, P()))
        jax.tree.map(np.testing.assert_array_equal, eqm.to_host(spread), want)


# ---- states side by side


def ensemble(axes: tuple[int, ...] = (4,)) -> eqm.MetricDict:
    def one(scale):
        return metrics().update(logits=scale * LOGITS, labels=LABELS, loss=scale * LOSS)

    f = one
    for _ in axes:
        f = jax.vmap(f)
    return f(jnp.arange(1.0, 1 + np.prod(axes)).reshape(axes))


def test_a_stack_is_read_without_merging():
    got = eqm.to_host({"seeds": ensemble()}, stacked=1)["seeds"]
    assert list(got) == list(seen().compute())
    np.testing.assert_allclose(got["best"]["value"], [0.5, 1.0, 1.5, 2.0])
    assert got["confusion"].shape == (4, 3, 3) and got["rows"].tolist() == [3] * 4
    flat = eqm.to_host(ensemble(), stacked=1, flat=True)
    assert [flat[f"best/value/{i}"] for i in range(4)] == [0.5, 1.0, 1.5, 2.0]
    assert "f1/0" not in flat and json.dumps(flat)
    spread = eqm.to_host(ensemble(), stacked=1, flat=True, arrays="spread")
    assert spread["confusion/3/0/1"] == 1.0
    two = eqm.to_host(ensemble((2, 3)), stacked=2)
    assert two["f1"].shape == (2, 3, 3) and two["best"]["value"][1, 2] == 3.0


def test_a_stack_names_the_state_with_invalid_rows():
    labels = jnp.array([[0, 1], [0, 9], [1, 1]])
    stacked = jax.vmap(
        lambda y: eqm.F1(eqm.Multiclass(3)).update(predicted_labels=jnp.array([0, 1]), labels=y)
    )(labels)
    with pytest.raises(eqm.InvalidDataError, match=r"In the state \[1\] of the stack.*F1.*1 inv"):
        eqm.to_host({"f1": stacked}, stacked=1)


def test_what_is_no_stack():
    with pytest.raises(ValueError, match=r"stacked=1.*start with \(\), \(2,\).*expected 1 axes"):
        eqm.to_host(eqm.Best(eqm.Average()), stacked=1)
    with pytest.raises(TypeError, match="`Collect` keeps rows"):
        eqm.to_host(eqm.Collect("loss"), stacked=1)
