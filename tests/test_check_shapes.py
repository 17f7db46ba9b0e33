"""`check_shapes` says what came and the line that fixes it."""

import jax.numpy as jnp
import pytest

import eqmetrics as eqm
from eqmetrics.testing import check_shapes

from .users_metric import ColumnMean


def test_check_shapes_takes_named_axes():
    out = check_shapes(eqm.Accuracy(), logits="float32[batch, 10]", labels="int32[batch]")
    assert out.shape == () and out.dtype == jnp.float32
    assert check_shapes(ColumnMean(3), values="float32[rows, 3]").shape == (3,)
    assert check_shapes(eqm.Average(), values="bfloat16[ rows,time ]").shape == ()
    assert check_shapes(eqm.Average(), values="float32[]").shape == ()
    both = eqm.MetricDict(a=eqm.Accuracy(), loss=eqm.Average().from_output("loss"))
    shapes = dict(logits="float32[b, 7]", labels="int32[b]", loss="float32[b]")
    assert check_shapes(both, **shapes).keys() == {"a", "loss"}


@pytest.mark.parametrize(
    ("outputs", "error", "told"),
    [
        (dict(labels="float32[batch]"), TypeError, "`labels`: float32.batch. .tried with batch"),
        (dict(labels="int32[other]"), TypeError, "(?s)batch = .*other = .*It raised"),
        (dict(labels="int32[10]"), TypeError, "It raised Type"),
        (dict(label="int32[batch]"), TypeError, "not `label`. Did you mean `labels`"),
        (dict(labels=jnp.zeros(3)), ValueError, "each a number or a name"),
        ({}, TypeError, 'needs `labels`, .* got logits. Add `labels="float32.batch.'),
        (dict(labels="int32"), ValueError, 'labels=\'int32\'.*Write `labels="float32.batch, 10'),
        (dict(labels="int32[2*b]"), ValueError, "each a number or a name"),
        (dict(labels="flaot32[b]"), ValueError, "no dtype. Did you mean `float32`"),
    ],
)
def test_check_shapes_says_what_came(outputs, error, told):
    with pytest.raises(error, match=told):
        check_shapes(eqm.Accuracy(), logits="float32[batch, 10]", **outputs)


def test_check_shapes_needs_a_metric():
    with pytest.raises(TypeError, match="got .*Accuracy.*expected a metric"):
        check_shapes(eqm.Accuracy)  # pyright: ignore[reportArgumentType]
