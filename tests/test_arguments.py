"""What a constructor is given that it can't use is an error that names the argument: of every
class in the table, for each of its arguments, with values of each kind."""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import eqmetrics as eqm
from eqmetrics._metric.node import walk

from .table import ROWS


NONSENSE: dict[str, Any] = {
    "a word": "nonsense",
    "minus one": -1,
    "a fraction": 2.5,
    "NaN": float("nan"),
    "an object": object(),
    "a list of both": [1, "a"],
    "an array": np.array([1.0, -2.0]),
}
# What no argument of a kind can be, whatever its name.
NEVER = {"an object": object, "a list of both": list}
# Arguments that take any Python object, of which nothing can be said.
ANYTHING = {"Collect", "FromFun", "Compose"}


def rebuilt(metric: Any) -> dict[str, Any] | None:
    """The arguments that a metric was built with, where its fields tell."""
    given = {}
    for p in list(inspect.signature(type(metric).__init__).parameters.values())[1:]:
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            continue
        value = getattr(metric, p.name, p.default)
        if value is p.empty:
            return None
        given[p.name] = value
    try:
        type(metric)(**given)
    except Exception:  # a field that isn't as its argument was
        return None
    return given


def subjects() -> dict[type, dict[str, Any]]:
    found: dict[type, Any] = {}
    for metric, _ in ROWS.values():
        for _, node, _ in walk(metric):
            cls = type(node)
            if cls not in found and cls.__module__.startswith("eqmetrics."):
                found[cls] = rebuilt(node)
    return {cls: given for cls, given in found.items() if given}


def told(make: Callable[[], Any]) -> str | None:
    try:
        make()
    except Exception as e:
        return "\n".join([str(e), *getattr(e, "__notes__", [])])
    return None


SUBJECTS = subjects()


def test_most_classes_are_asked():
    assert len(SUBJECTS) > 150


def test_an_error_names_the_argument():
    unnamed, accepted = [], []
    for cls, given in SUBJECTS.items():
        for name in given:
            for what, x in NONSENSE.items():
                text = told(lambda: cls(**{**given, name: x}))
                if text is None and what in NEVER and cls.__name__ not in ANYTHING:
                    accepted.append((cls.__name__, name, what))
                elif text is not None and name not in text:
                    unnamed.append((cls.__name__, name, what, text.splitlines()[0]))
    assert unnamed == []
    assert accepted == []


def test_an_argument_that_is_missing_and_one_too_many():
    with pytest.raises(TypeError, match="`F1`: missing a required argument: 'task'; it takes task"):
        eqm.F1()  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError, match=r"`task` is eqm.Binary\(\), eqm.Multiclass\("):
        eqm.F1(num_classes=3)  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError, match=r"`task` is eqm.Binary\(\), eqm.Multiclass\("):
        eqm.F1(average="macro")  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError, match="`Std`: got an unexpected keyword argument 'dof'"):
        eqm.Std(dof=1)  # pyright: ignore[reportCallIssue]


def test_a_task_is_no_word():
    with pytest.raises(TypeError, match=r"`F1\(task='multiclass'\)`: expected a task: eqm.Binary"):
        eqm.F1("multiclass")  # pyright: ignore[reportArgumentType]


def test_a_note_says_what_was_built():
    with pytest.raises(ValueError, match="capacity=-1") as error:
        eqm.AUROC(eqm.Binary(), exact=-1)
    assert "exact=-1" in error.value.__notes__[-1]


# ---- of `update`

# Parameters of a model may be complex.
COMPLEX = {"training.TreeNorm", "training.UpdateRatio"}


def spoiled(x: np.ndarray) -> dict[str, Any]:
    """What an output may be by mistake, of which shapes and types tell that it is one."""
    found = {"a word": "nonsense", "an object": object(), "words": np.array(["a", "b"])}
    if x.dtype.kind in "fiub":
        found["complex"] = x.astype(np.complex64)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_an_error_of_update_names_an_output(name):
    metric, (batch, *_) = ROWS[name]
    own = not isinstance(metric, eqm.AbstractWrapper)  # which may rename them
    for argument, x in batch.items():
        if not isinstance(x, np.ndarray | jax.Array):
            continue  # a tree of arrays
        for what, bad in spoiled(np.asarray(x)).items():
            others = jax.tree.map(jnp.asarray, {k: y for k, y in batch.items() if k != argument})

            def update(others, argument=argument, bad=bad):
                return metric.update(**others, **{argument: bad})

            text = told(lambda: jax.eval_shape(update, others))
            if what == "complex" and name in COMPLEX:
                continue
            assert text is not None, (argument, what)
            assert not own or any(other in text for other in batch), (argument, what, text)
