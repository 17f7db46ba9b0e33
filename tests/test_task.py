"""Tasks are configuration: hashable, equal by value, and refuse what makes no sense."""

import pickle

import pytest

import eqmetrics as eqm


def test_tasks_are_values():
    assert eqm.Binary() == eqm.Binary(threshold=0.5) != eqm.Binary(threshold=0.4)
    assert hash(eqm.Multiclass(3)) == hash(eqm.Multiclass(3))
    assert eqm.Multiclass(3) != eqm.Multilabel(3)
    assert pickle.loads(pickle.dumps(eqm.Multilabel(4))) == eqm.Multilabel(4)
    with pytest.raises(AttributeError):
        eqm.Binary().threshold = 0.1  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ValueError, match="different configuration: `task` is Multi"):
        eqm.Hits(eqm.Multiclass(3)).merge(eqm.Hits(eqm.Multiclass(3, top_k=2)))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: eqm.Multiclass(0), "num_classes=0: expected a whole number from 1 on"),
        (lambda: eqm.Multiclass(3.5), "num_classes=3.5"),  # pyright: ignore[reportArgumentType]
        (lambda: eqm.Multiclass(3, top_k=0), "top_k=0"),
        (lambda: eqm.Multilabel(-1), "num_labels=-1"),
        (lambda: eqm.Binary(threshold=2.0), "threshold=2.0: it is a probability"),
        (lambda: eqm.Multilabel(2, threshold=-0.1), "threshold=-0.1"),
    ],
)
def test_what_tasks_refuse(make, message):
    with pytest.raises(ValueError, match=message):
        make()
