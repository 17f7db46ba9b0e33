"""A file of another configuration doesn't load, and says why."""

import errno
import io
import subprocess
import sys
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

import eqmetrics as eqm
from eqmetrics._host.checked_file import CheckedFile


class State(eqx.Module):
    model: eqx.nn.Linear
    metrics: eqm.MetricDict
    key: Array
    step: int
    half: Array


def excess(loss):
    return loss - 1


def other_excess(loss):
    return loss - 2


def new(average: Any = "macro", classes=3, threshold=0.5, fn=excess, columns=2) -> State:
    metrics = eqm.MetricDict(
        f1=eqm.F1(eqm.Multiclass(classes), average=average),
        confusion=eqm.ConfusionMatrix(eqm.Multiclass(classes)),
        binary=eqm.Accuracy(eqm.Binary(threshold=threshold)).from_output(
            predicted_labels="yes", labels="truth"
        ),
        loss=eqm.Average().from_fun(fn),
        columns=eqm.Average(columns).from_output("columns"),
    )
    linear = eqx.nn.Linear(2, 3, key=jax.random.key(0))
    return State(linear, metrics, jax.random.key(7), 4, jnp.ones(2, jnp.bfloat16))


def seen() -> State:
    labels = jnp.array([0, 1, 2, 2])
    outputs = {"predicted_labels": labels, "labels": labels[::-1], "loss": jnp.arange(4.0)}
    outputs |= {"yes": labels > 0, "truth": labels > 1, "columns": jnp.ones((4, 2))}
    state = new()
    return eqx.tree_at(lambda s: s.metrics, state, state.metrics.update(**outputs))


def saved(tree) -> io.BytesIO:
    file = io.BytesIO()
    eqm.save(file, tree)
    file.seek(0)
    return file


def test_a_state_comes_back_bit_for_bit(tmp_path):
    state = seen()
    eqm.save(tmp_path / "state.eqx", state)
    assert [path.name for path in tmp_path.iterdir()] == ["state.eqx"]
    for like in (new(), eqx.filter_eval_shape(new)):
        back = eqm.load(tmp_path / "state.eqx", like)
        assert eqx.tree_equal(state, back)
        assert eqm.to_host(back.metrics)["loss"] == 0.5
        assert jax.random.uniform(back.key) == jax.random.uniform(state.key)


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"average": "micro"}, r"\['f1'\].average` is 'macro' in the file and 'micro' here"),
        ({"threshold": 0.9}, r"Binary\(threshold=0.5, ignore_index=None\) in the file and Binary"),
        ({"fn": other_excess}, r"is excess\(loss\) in the file and other_excess\(loss\) here"),
        ({"fn": lambda x: x}, r"is excess\(loss\) in the file and .*<lambda>\(x\) here"),
        ({"columns": 3}, r"is float32\[2, 3\] in the file and float32\[2, 4\] here"),
    ],
)
def test_another_configuration_is_told(changes, told):
    with pytest.raises(ValueError, match=told) as error:
        eqm.load(saved(seen()), new(**changes))
    assert str(error.value).endswith("Build `like` as the saved state was built.")


def test_other_members_and_classes_are_told_once():
    def told(there, here):
        with pytest.raises(ValueError) as error:
            eqm.load(saved(there), here)
        return [line[2:] for line in str(error.value).splitlines() if line.startswith("- ")]

    a, b = eqm.MetricDict(x=eqm.Average()), eqm.MetricDict(x=eqm.Std())
    assert told(a, b) == [
        "`states` is (Average) in the file and (CentredMoments) here",
        "`['x']` is Average in the file and Std here",
    ]
    both = a | eqm.MetricDict(y=eqm.Max())
    assert told(both, a)[-1] == "`['y']` is Max in the file, and isn't here"
    assert told(a, both)[-1] == "`['y']` is Max here, and isn't in the file"
    assert told(eqm.Average(), eqm.Max()) == ["`the tree` is Average in the file and Max here"]
    many = {f"{i}": eqm.Average() for i in range(9)}
    assert told(many, {k: eqm.Max() for k in many})[-1] == "and 3 more"


def test_statistics_that_are_kept_apart_are_told():
    f1 = eqm.F1(eqm.Multiclass(3))
    joint = eqm.MetricDict(a=f1, b=f1)
    apart = joint.replace_members(a=f1.update(predicted_labels=np.array([0]), labels=np.array([0])))
    with pytest.raises(ValueError, match=r"`states` is \(StatScores\) in the file and \(StatS"):
        eqm.load(saved(joint), apart)


def test_files_that_are_not_its_own():
    other = io.BytesIO()
    eqx.tree_serialise_leaves(other, eqm.Average())
    other.seek(0)
    with pytest.raises(ValueError, match="wasn't written by `eqm.save`"):
        eqm.load(other, eqm.Average())
    whole = saved(eqm.Average()).getvalue()
    with pytest.raises(ValueError, match="goes on after the last array"):
        eqm.load(io.BytesIO(whole + b"x"), eqm.Average())
    for n, told in ((9, "reads format 2: update it"), (1, "reads format 2: an older one wrote it")):
        other = whole.replace(b"format 2 ", b"format %d " % n, 1)
        with pytest.raises(ValueError, match=told):
            eqm.load(io.BytesIO(other), eqm.Average())


def test_a_file_that_is_cut_anywhere():
    whole = saved(eqm.Average()).getvalue()
    for length in range(len(whole)):
        with pytest.raises(ValueError, match="is cut off or damaged|wasn't written by `eqm.save`"):
            eqm.load(io.BytesIO(whole[:length]), eqm.Average())


def test_one_flipped_bit():
    whole = saved(eqm.Average()).getvalue()
    for at in range(8 * len(whole)):
        bytes_ = bytearray(whole)
        bytes_[at // 8] ^= 1 << at % 8
        with pytest.raises(ValueError, match="damaged|wasn't written by|reads format 2"):
            eqm.load(io.BytesIO(bytes_), eqm.Average())


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    def write(self, data):
        raise RuntimeError("no bytes")

    path = tmp_path / "state.eqx"
    eqm.save(path, eqm.Average())
    old = path.read_bytes()
    monkeypatch.setattr(CheckedFile, "write", write)
    with pytest.raises(RuntimeError, match="pairs"):
        eqm.save(path, eqm.Average())
    assert path.read_bytes() == old and list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    path = tmp_path / "state.eqx"
    eqm.save(path, eqm.Average())
    old = path.read_bytes()
    # A file for whose bytes there is no room, as Linux gives it.
    room = open
    monkeypatch.setattr("builtins.open", lambda path, mode: room("/dev/full", mode))
    with pytest.raises(OSError, match="the disk is full, and `.*state.eqx` is as it was") as told:
        eqm.save(path, {"many": np.zeros(100_000)})
    assert told.value.errno == errno.ENOSPC
    assert path.read_bytes() == old


def test_another_process_reads_it(tmp_path):
    # No address of a function, and no order of a set, may get into the file.
    eqm.save(tmp_path / "m.eqx", eqm.Average().from_fun(excess))
    code = (
        "import eqmetrics as eqm\n"
        "def excess(loss): return loss - 1\n"
        f"print(eqm.load({str(tmp_path / 'm.eqx')!r}, eqm.Average().from_fun(excess)).compute())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "nan\n"
