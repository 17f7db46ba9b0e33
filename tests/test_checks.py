"""Arguments: conversions, ranges, and checks that cost nothing the second time."""

import importlib
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float, Int

import eqmetrics as eqm
from eqmetrics._metric.checks import to_array
from eqmetrics._metric.messages import describe, nearest

from .users_metric import ColumnMean


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        (0.1, jnp.float32),
        (3, jnp.int32),
        (True, jnp.bool_),
        (np.ones(2), jnp.float32),
        (np.ones(2, np.float16), jnp.float16),
        (np.ones(2, np.int64), jnp.int32),
        (np.ones(2, np.uint64), jnp.uint32),
        (np.array([2**32 - 1], np.uint64), jnp.uint32),
        (np.ones(2, np.int8), jnp.int8),
    ],
)
def test_host_values_become_arrays_of_32_bits_or_fewer(given, dtype):
    x = to_array("x", given)
    assert x.dtype == dtype and not jax.typeof(x).weak_type
    np.testing.assert_array_equal(np.asarray(x), np.asarray(given).astype(dtype))


@pytest.mark.parametrize("given", [2**32 + 1, -(2**31) - 1, np.array([0, 2**31])])
def test_integers_that_do_not_fit_are_told(given):
    with pytest.raises(ValueError, match="`labels` holds integers.*don't fit int32"):
        to_array("labels", given)


def test_what_is_no_host_value_stays():
    marker, array = object(), jnp.ones(2)
    assert to_array("x", marker) is marker and to_array("x", array) is array


def test_messages():
    assert describe(jnp.ones((2, 3))) == "float32[2, 3]"
    assert describe("x") == "str 'x'"
    assert nearest("lables", ["labels", "logits"]) == " Did you mean `labels`?"
    assert nearest("zzz", ["labels"]) == ""


def test_arguments_are_checked_eagerly_and_under_jit():
    for update in (ColumnMean(2).update, jax.jit(lambda x: ColumnMean(2).update(x))):
        update(jnp.ones((4, 2)))
        for _ in range(2):  # the second time as well
            with pytest.raises(TypeError, match="values"):
                update(jnp.ones((4, 3)))


def test_host_values_are_taken_by_position_and_by_name():
    class Two(eqm.Metric):
        total: Float[Array, ""] = eqm.state(reduce="sum")

        def __init__(self):
            self.total = jnp.zeros(())

        def update(self, x: Float[Array, ""], *, n: Int[Array, ""]) -> "Two":
            return self.replace(total=self.total + x * n)

        def compute(self) -> Float[Array, ""]:
            return self.total

    assert Two()(0.5, n=4) == 2.0 and Two()(x=0.5, n=4) == 2.0
    half: Any = 0.5
    with pytest.raises(TypeError, match="'n'|`n`|parameter n"):
        Two().update(half, n=half)


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (jnp.ones((4, 1), bool), r"`mask` is bool\[4, 1\] and `values` is float32\[4\]"),
        (jnp.ones(3, bool), r"such as \(4,\)"),
        (jnp.ones(4), "mask"),
    ],
)
def test_masks_of_a_wrong_shape_or_dtype(mask, said):
    for metric in (eqm.Sum(), eqm.Average(), eqm.Count(), eqm.Max(), eqm.Std(), eqm.LastValue()):
        with pytest.raises(TypeError, match=said):
            metric.update(jnp.ones(4), mask=mask)


def test_what_is_no_number_is_told():
    with pytest.raises(TypeError, match=r"`values` is <U3\[2\], expected numbers"):
        eqm.Average().update(np.array(["cat", "dog"]))
    for metric in (eqm.Sum(), eqm.Max(), eqm.Std(), eqm.LastValue()):
        with pytest.raises(TypeError, match=r"`values` is complex64\[2\], expected real"):
            metric.update(np.array([1 + 2j, 0], np.complex64))
    with pytest.raises(TypeError, match="`values` is an array of Python objects"):
        eqm.Average().update(np.array([[1.0], [1.0, 2.0]], dtype=object))


LATE = (
    "from __future__ import annotations\n"
    + (Path(__file__).parent / "users_metric.py")
    .read_text()
    .replace("from typing import Self", "from typing import Self, TYPE_CHECKING")
    .replace("class C", "if TYPE_CHECKING:\n    from absent import Absent\n\n\nclass C")
    .replace("int = eqx.field", "int | Absent = eqx.field")
    .replace('rows {self.columns}"]', 'rows {self.columns}"], other: Absent = 0')
)


def test_annotations_that_cannot_be_resolved_leave_the_others_checked(tmp_path, monkeypatch):
    def load(name: str, source: str) -> Any:
        (tmp_path / f"{name}.py").write_text(source)
        return importlib.import_module(name).ColumnMean

    assert LATE.count("Absent") == 3
    monkeypatch.syspath_prepend(tmp_path)
    good = load("late", LATE)(2)
    assert good(np.ones((3, 2))).tolist() == [1.0, 1.0]
    with pytest.raises(TypeError, match="values"):
        good.update(jnp.ones((3, 1)))
    with pytest.raises(TypeError, match="total"):
        load("late_shape", LATE.replace("zeros(columns)", "zeros(3)"))(2)
    with pytest.raises(TypeError, match="`ColumnMean.count` is an array"):
        load("late_class", LATE.replace('""] = eqm.state(reduce="sum")', '""]'))


def test_each_value_of_a_literal_is_checked():
    class Rounds(eqm.Metric):
        total: Float[Array, ""] = eqm.state(reduce="sum")

        def __init__(self):
            self.total = jnp.zeros(())

        def update(self, x: Float[Array, ""], how: Literal["up", "down"]) -> "Rounds":
            return self.replace(total=self.total + (jnp.ceil(x) if how == "up" else jnp.floor(x)))

        def compute(self) -> Float[Array, ""]:
            return self.total

    assert Rounds()(0.5, "up") == 1.0 and Rounds()(0.5, "down") == 0.0
    with pytest.raises(TypeError, match="how"):
        Rounds()(0.5, "sideways")
