"""Every numeric argument of every public class takes Python's and NumPy's numbers of either kind,
where the value fits, and keeps them as plain Python."""

import inspect
import types
import typing
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import eqmetrics as eqm


CLASSES = [
    cls
    for cls in (getattr(eqm, name) for name in vars(eqm)["__all__"])
    if isinstance(cls, type)
    and issubclass(cls, (eqm.Metric, eqm.AbstractTask))
    and not inspect.isabstract(cls)
]
# A value of each argument; whole where a whole one is valid, so that each kind of number fits.
VALUES: dict[str, Any] = {
    "adjusted": 1, "bins": 5, "bits": 5, "capacity": 8, "ddof": 1, "exact": 16, "ignore_index": 1,
    "k": 3, "num_classes": 4, "num_groups": 3, "num_labels": 4, "num_outputs": 2, "outputs": 2,
    "clusters": 3, "level": 0.5,
    "points": 8, "resolution": 10, "samples": 4, "shape": 3, "shapes": 3, "size": 3, "top_k": 2,
    "alpha": 0.5, "beta": 2, "confidence": 0.5, "delta": 1, "half_life": 2, "max_fpr": 1,
    "min_fpr": 0.0625, "min_precision": 1, "min_recall": 1, "min_sensitivity": 1,
    "min_specificity": 1, "p": 2, "power": 2, "q": 1, "threshold": 1, "undefined": 0,
    "floor": 1, "smoothing": 0.25, "factor": 2,
}  # fmt: skip
LISTS = {"edges": [0, 1, 2], "q": [0.25, 0.5], "shape": [2, 3], "outputs": [2, 3],
         "shapes": [2, 3], "include": [1, 2], "multioutput": [1, 2], "quantiles": [0.25, 0.5],
         "threshold": [0.25, 0.5, 0.5, 0.75]}
OTHERS: dict[str, Any] = {
    "metric": eqm.Average(), "valid": "x", "columns": jnp.float32, "score": eqm.F1(eqm.Binary())
}  # fmt: skip
TASKS = eqm.Multiclass(4), eqm.Binary(), eqm.Multilabel(4)
WHOLE = int, float, np.int64, np.int32, np.uint8, np.float32, np.float64, jnp.asarray
FRACTION = float, np.float32, np.float64, jnp.asarray
SEQUENCES = list, tuple, np.asarray, lambda x: [np.float32(y) for y in x]


def choices(hint: Any) -> tuple:
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if union else (hint,)


def arguments(cls: type) -> dict[str, Any]:
    init = vars(cls).get("__init__", cls.__init__)
    return {n: h for n, h in typing.get_type_hints(init).items() if n != "return"}


def numeric(hint: Any) -> bool:
    return any(c in (int, float) for c in choices(hint))


def listed(hint: Any) -> bool:
    return any(
        typing.get_origin(c) in (tuple, list, Sequence)
        and typing.get_args(c)[0] in (int, float)
        for c in (hint, *choices(hint))
    )


def build(cls: type, **given: Any) -> Any:
    """The class with these arguments, and with those that it needs besides."""
    hints, error = arguments(cls), None
    if "multioutput" in given:
        given["outputs"] = len(given["multioutput"])
    for p in inspect.signature(cls).parameters.values():
        needed = p.default is p.empty or p.kind is p.VAR_KEYWORD
        if p.name in given or p.name == "task" or not needed:
            continue
        known = {**OTHERS, **VALUES, "edges": LISTS["edges"]}
        value = jax.random.key(0) if p.name == "key" else known[p.name]
        given["column" if p.kind is p.VAR_KEYWORD else p.name] = value
    for task in TASKS if "task" in hints else (None,):
        try:
            return cls(**given, **({} if task is None else {"task": task}))
        except (TypeError, ValueError) as e:
            error = error or e
    assert error is not None
    raise error


def text(x: Any) -> str:
    """With every number of the configuration, and its kind."""
    return eqx.tree_pformat(x) if isinstance(x, eqm.Metric) else repr(x)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_numbers_as_people_write_them(cls):
    for name, hint in arguments(cls).items():
        if numeric(hint):
            value = VALUES[name]  # an argument without one fails here
            plain = int(value) if int in choices(hint) else float(value)
            wanted = build(cls, **{name: plain})
            for kind in WHOLE if isinstance(value, int) else FRACTION:
                made = build(cls, **{name: kind(value)})
                assert text(made) == text(wanted), (name, kind)
                assert jax.tree.structure(made) == jax.tree.structure(wanted), (name, kind)
                hash(jax.tree.structure(made))
        if listed(hint):
            wanted = build(cls, **{name: tuple(LISTS[name])})
            for kind in SEQUENCES:
                made = build(cls, **{name: kind(LISTS[name])})
                assert text(made) == text(wanted), (name, kind)
        if bool in choices(hint):
            assert text(build(cls, **{name: np.True_})) == text(build(cls, **{name: True})), name


def test_the_table_of_values_is_used():
    used = {name for cls in CLASSES for name, hint in arguments(cls).items() if numeric(hint)}
    assert used == set(VALUES)


@pytest.mark.parametrize(
    "make, told",
    [
        (lambda x: eqm.Average(x), r"`Average\(shape='a'\)`: expected int \| tuple\[int, ...\]"),
        (lambda x: eqm.FBeta(eqm.Binary(), beta=x), r"`FBeta\(beta='a'\)`: expected float"),
        (lambda x: eqm.Covariance(x), r"`CrossMoments\(size='a'\)`: expected int|`Covariance\("),
        (lambda x: eqm.Binary(x), r"`Binary\(threshold='a'\)`: expected float"),
        (lambda x: eqm.Quantile([x]), r"`Quantile\(q=\('a',\)\)`: expected float"),
    ],
)
def test_what_does_not_fit_is_told(make, told):
    with pytest.raises(TypeError, match=told):
        make("a")


def test_what_would_change_is_not_converted():
    with pytest.raises(ValueError, match=r"num_groups=.*2\.5.*: expected a whole number"):
        eqm.PerGroup(eqm.Average(), np.float32(2.5))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="num_classes=2.5: expected a whole number"):
        eqm.Multiclass(2.5)  # pyright: ignore[reportArgumentType]
    # the one NaN that equals itself, so that two metrics are one configuration
    made = [eqm.Average(undefined=np.float64("nan")) for _ in range(2)]
    assert jax.tree.structure(made[0]) == jax.tree.structure(made[1])


def test_a_class_of_a_user_is_given_plain_numbers():
    class Columns(eqm.Metric):
        columns: int = eqx.field(static=True)
        scale: float = eqx.field(static=True)
        total: jax.Array = eqm.state(reduce="sum")

        def __init__(self, columns: int, *, scale: float = 1.0):
            self.columns, self.scale = columns, scale
            self.total = jnp.zeros(columns)

        def update(self, values: jax.Array) -> "Columns":
            return self.replace(total=self.total + self.scale * values.sum(0))

        def compute(self) -> jax.Array:
            return self.total

    made = Columns(np.array([1, 2]).max() + 1, scale=2)
    assert type(made.columns) is int and type(made.scale) is float and made.total.shape == (3,)
    assert str(inspect.signature(Columns)) == "(columns: int, *, scale: float = 1.0)"


def test_who_asks_for_a_list_gets_the_one_that_was_given():
    class Named(eqm.Metric):
        seen: Any = eqx.field(static=True)
        total: jax.Array = eqm.state(reduce="sum")

        def __init__(self, seen: list[int], weights: float | list[float] = 1):
            self.seen, self.total = (seen, weights), jnp.zeros(())

        def update(self, values: jax.Array) -> "Named":
            return self.replace(total=self.total + values.sum())

        def compute(self) -> jax.Array:
            return self.total

    numbers, weights = [1, 2], [0.5]
    seen = Named(numbers, weights).seen
    assert seen[0] is numbers and seen[1] is weights
    assert type(Named(numbers, 1).seen[1]) is float
