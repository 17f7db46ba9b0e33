"""Mistakes of a first day: the error says what came, what was expected, and the line to write."""

import dataclasses
import functools as ft
import re
import typing
import warnings
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float, Int

import eqmetrics as eqm

from .users_metric import ColumnMean


LOGITS, LABELS = jnp.zeros((4, 3)), jnp.array([0, 1, 2, 0])
TASK = eqm.Multiclass(3)


@pytest.mark.parametrize(
    ("outputs", "line"),
    [
        ({"logits": LOGITS.T, "labels": LABELS}, "jnp.moveaxis(logits, 0, -1)"),
        ({"logits": jnp.zeros((4, 3, 2, 5)), "labels": jnp.zeros((4, 2, 5), int)},
         "jnp.moveaxis(logits, 1, -1)"),
        ({"probabilities": LOGITS, "labels": LABELS[:, None]}, "labels[..., 0]"),
        ({"logits": LOGITS, "labels": jnp.eye(3, dtype=int)[LABELS]}, "labels.argmax(-1)"),
        ({"predicted_labels": jnp.eye(3, dtype=int)[LABELS], "labels": LABELS},
         "predicted_labels.argmax(-1)"),
        ({"predicted_labels": LABELS[:, None], "labels": LABELS}, "predicted_labels[..., 0]"),
        ({"predicted_labels": LABELS, "labels": LABELS[:, None]}, "labels[..., 0]"),
    ],
)  # fmt: skip
def test_the_line_that_mends_a_shape(outputs, line):
    with pytest.raises(TypeError, match="expected the shape") as told:
        eqm.F1(TASK).update(**outputs)
    assert f"`{line}`" in str(told.value)
    (name,) = set(re.findall(r"predicted_labels|labels|logits", line))
    eqm.F1(TASK).update(**outputs | {name: eval(line, {"jnp": jnp} | outputs)})


def test_what_no_line_mends_has_none():
    with pytest.raises(TypeError, match=r"that of `labels` and the classes\.$"):
        eqm.F1(TASK).update(logits=LOGITS[:3], labels=LABELS)


def test_a_vocabulary_that_comes_before_the_tokens():
    logits, labels = jnp.zeros((2, 5, 3)), jnp.zeros((2, 3), int)
    with pytest.raises(TypeError, match=r"`jnp.moveaxis\(logits, -2, -1\)`"):
        eqm.text.Perplexity().update(logits=logits, labels=labels)
    eqm.text.Perplexity().update(logits=jnp.moveaxis(logits, -2, -1), labels=labels)
    with pytest.raises(TypeError, match=r"`logits\[:, :-1\]`"):
        eqm.text.Perplexity().update(logits=logits, labels=jnp.zeros((2, 6), int))
    with pytest.raises(TypeError, match="predicted_labels"):
        eqm.text.TokenAccuracy().update(predicted_labels=jnp.array(1), labels=labels)


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        ((eqm.image.PSNR, 255), r"`PSNR\(image=255\)`: .*`eqm.image.Image\(data_range=1.0\)`"),
        ((eqm.text.WordErrorRate, 0), r"`WordErrorRate\(tokens=0\)`: .*`eqm.text.Tokens\("),
        ((eqm.detection.MeanAveragePrecision, 3, "xyxy", 8),
         r"`MeanAveragePrecision\(boxes='xyxy'\)`: .*`eqm.detection.Boxes\('xyxy'\)`"),
    ],
)  # fmt: skip
def test_configuration_that_is_an_object_says_how_it_is_built(build, expected):
    metric, *arguments = build
    with pytest.raises(TypeError, match=expected):
        metric(*arguments)


def test_a_name_misspelt():
    with pytest.raises(AttributeError, match="'Acuracy'. Did you mean `Accuracy`"):
        getattr(eqm, "Acuracy")  # noqa: B009
    with pytest.raises(AttributeError, match="'nothing_like_it'.$"):
        getattr(eqm, "nothing_like_it")  # noqa: B009


def test_a_step_without_a_mask():
    with pytest.raises(TypeError, match=r"`\(m, b\)`, and is called with \(metrics, batch, mask\)"):
        eqm.evaluate(lambda m, b: m, eqm.Average(), [np.ones(4)])
    with pytest.raises(TypeError, match=r"\(metrics, batch, mask, args\[0\]\): missing .*'second'"):
        eqm.evaluate(lambda m, b, mask, one, second: m, eqm.Average(), [], args=(1.0,))


def test_a_step_that_forgets_what_update_returned():
    def forgets(metrics, batch, mask):
        metrics.update(batch, mask=mask)
        return metrics

    with pytest.warns(UserWarning, match=r"`metrics = metrics.update\(..., mask=mask\)`"):
        got = eqm.evaluate(forgets, eqm.Average(), [np.ones(4)])
    assert jnp.isnan(got.compute())
    assert eqm.evaluate(forgets, {}, []) == {}  # nothing to forget


ONE_HOT = jnp.eye(3)[LABELS]


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("labels", LABELS.astype(float),
         "float32[4], expected integers or booleans: `labels.astype(int)` if these are whole "
         "numbers."),
        ("labels", ONE_HOT, "expected integers or booleans: `labels.argmax(-1)` if"),
        ("labels", [0, 1, 2, 0],
         "a list, expected an array of integers or booleans: `jnp.array(labels)`."),
        ("labels", (0, 1, 2, 0), "a tuple, expected an array of integers or booleans"),
        ("labels", ["cat", "dog", "cat", "cow"],
         "a list of strings, expected numbers or booleans. Number the classes"),
        ("labels", "cat", "a str, expected numbers or booleans. Number"),
        ("labels", None, "None, expected an array of integers or booleans."),
        ("labels", {"y": 1}, "a dict, expected an array of integers or booleans."),
        ("mask", jnp.ones(4), "float32[4], expected booleans: `mask.astype(bool)`."),
        ("mask", jnp.ones(4, int), "int32[4], expected booleans: `mask.astype(bool)`."),
        ("mask", [True] * 4, "a list, expected an array of booleans: `jnp.array(mask)`."),
        ("logits", LOGITS.astype(int),
         "int32[4, 3], expected floats: `logits.astype(float)`. As it is, pass it as "
         "`predicted_labels`."),
        ("logits", LOGITS > 0, "bool[4, 3], expected floats: `logits.astype(float)`."),
        ("weights", [1.0] * 4, "a list, expected an array: `jnp.array(weights)`."),
    ],
)  # fmt: skip
@pytest.mark.parametrize("jit", [False, True])
def test_the_line_that_mends_a_kind(name, given, told, jit):
    outputs = {"logits": LOGITS, "labels": LABELS} | {name: given}
    others = {n: x for n, x in outputs.items() if n != name}
    both: Any = eqm.MetricDict(accuracy=eqm.Accuracy(), f1=eqm.F1(TASK))
    for metric in (eqm.Accuracy(), both):
        update = ft.partial(metric.update, **{name: given})
        with pytest.raises(TypeError) as error:
            (jax.jit(update) if jit else update)(**others)
        assert str(error.value).startswith(f"`{name}` is ") and told in str(error.value)
        assert "Hits" not in str(error.value)
        found = re.search(rf"`({name}\.\w+\([-\w]+\)|jnp.array\({name}\))`", str(error.value))
        if found is not None:
            metric.update(**outputs | {name: eval(found[1], {"jnp": jnp} | outputs)})


def test_scores_as_predicted_labels():
    with pytest.raises(TypeError, match="pass it as `logits` or `probabilities`"):
        eqm.Accuracy().update(predicted_labels=LOGITS, labels=LABELS)
    with pytest.raises(TypeError) as error:  # these are given
        eqm.Accuracy().update(predicted_labels=LOGITS, logits=LOGITS, labels=LABELS)
    assert "As it is" not in str(error.value)


def test_each_argument_of_a_wrong_kind_has_a_line():
    with pytest.raises(TypeError) as error:
        eqm.Accuracy().update(logits=LOGITS, labels=ONE_HOT, mask=jnp.ones(4), weights=[1.0] * 4)
    lines = str(error.value).splitlines()
    assert [line.split("`")[1] for line in lines] == ["labels", "mask", "weights"]


def test_a_kind_that_a_metric_of_ones_own_asks_for():
    class Pairs(eqm.Metric):
        total: Float[Array, ""] = eqm.state(reduce="sum")

        def __init__(self):
            self.total = jnp.zeros(())

        def update(
            self,
            x: Float[Array, "n"],
            i: Int[Array, "n"],
            parts: tuple[Array, ...] = (),
            name: Array | str | list[int] = "",
            what: Array | Any = None,
        ):
            return self.replace(total=self.total + x.sum())

        def compute(self) -> Float[Array, ""]:
            return self.total

    x, i = jnp.ones(2), jnp.ones(2, int)
    metric: Any = Pairs()
    said = r"(?s)^`x` is int32\[2\], expected floats: `x.astype\(float\)`\.\n.*Pairs.update.*'n'"
    with pytest.raises(TypeError, match=said):  # with the annotation, which is the user's
        Pairs().update(i, i)
    with pytest.raises(TypeError, match=r"^`i` is bool\[2\], expected integers: `i.astype\(int\)`"):
        Pairs().update(x, i > 0)
    with pytest.raises(TypeError, match="(?s)^Type-check error.*'i'"):  # a shape is jaxtyping's
        Pairs().update(x, i[:1])
    with pytest.raises(TypeError, match="(?s)^Type-check error.*'parts'"):
        metric.update(x, i, (1.0,))
    for name in ("a", [1]):  # is no mistake, beside one
        with pytest.raises(TypeError) as error:
            metric.update(x, x, (), name, what=[1])
        lines = str(error.value).split("Type-check error")[0].splitlines()
        assert lines == [
            "`i` is float32[2], expected integers: `i.astype(int)` if these are whole numbers."
        ]


@pytest.mark.parametrize("words", [np.array(["a b", "c"]), ["a b", "c"], "a b"])
def test_strings_on_the_shelf_of_text(words):
    with pytest.raises(TypeError, match="expected numbers or booleans.*`eqm.text.host_ids`"):
        eqm.text.WordErrorRate().update(predicted_tokens=words, tokens=words)


@pytest.mark.parametrize(
    "metric",
    [
        eqm.Average().update(jnp.ones(3)),
        eqm.Accuracy(),
        eqm.MetricDict(a=eqm.Average(), b=eqm.Sum()),
        ColumnMean(2),
    ],
)
def test_one_state_is_neither_reduced_nor_unreplicated(metric):
    name = type(metric).__name__
    said = rf"`{name}` isn't stacked.*nothing to"
    with pytest.raises(TypeError, match=rf"`{name}.reduce\(\)`.*{said} reduce.*compute\(\)"):
        metric.reduce()
    with pytest.raises(TypeError, match=rf"`{name}.reduce\(\)`"):
        eqm.reduce({"metric": metric})
    with pytest.raises(TypeError, match=rf"`eqm.unreplicate`.*{said} unreplicate"):
        eqm.unreplicate({"metric": metric})


@pytest.mark.parametrize("given", [[eqm.Accuracy()], (eqm.Accuracy(), eqm.Sum()), eqm.Accuracy()])
def test_metrics_without_names(given):
    what = r"`MetricDict` takes metrics by name.*`MetricDict\(accuracy=eqm.Accuracy\(\)\)`"
    with pytest.raises(TypeError, match=what):
        eqm.MetricDict(given)
    with pytest.raises(TypeError, match=what):
        _ = eqm.MetricDict(sum=eqm.Sum()) | given


def test_members_that_are_no_metrics():
    nested: Any = {"b": eqm.Sum()}
    metrics: Any = eqm.MetricDict(a=eqm.Sum())
    with pytest.raises(TypeError, match=r"`a` is a dict, .* `eqm.MetricDict\(\.\.\.\)` is one"):
        eqm.MetricDict(a=nested)
    with pytest.raises(TypeError, match="`a` is the class `Sum`"):
        metrics.replace_members(a=eqm.Sum)
    with pytest.raises(TypeError, match="`MetricDict`: `a` is a float, expected a metric.$"):
        _ = metrics | {"a": 0.5}

    class Two(eqm.Collection):
        a: eqm.Accuracy
        b: eqm.Metric

    two: Any = Two
    with pytest.raises(TypeError, match="Two.a` is a metric `Average`, expected `Accuracy`."):
        two(eqm.Average(), eqm.Sum())
    with pytest.raises(TypeError, match="Two.b` is a float, expected a metric.$"):
        two(eqm.Accuracy(), 0.5)
    with pytest.raises(TypeError, match="`b` is the class `Sum`, expected a metric. Build it"):
        two(eqm.Accuracy(), eqm.Sum)
    with pytest.raises(TypeError, match="Two.b` is a dict, expected a metric.*MetricDict"):
        two(eqm.Accuracy(), nested)


def test_what_is_not_merged():
    metrics: Any = eqm.MetricDict(a=eqm.Sum())
    with pytest.raises(TypeError, match="Cannot merge `MetricDict` with `Sum`."):
        metrics.merge(eqm.Sum())
    with pytest.raises(TypeError, match="with the class `Sum`. Build it"):
        eqm.Sum().merge(eqm.Sum)
    for values in (jnp.ones(2), 0.5, {"a": 1.0}):
        for metric in (eqm.Sum(), metrics):
            with pytest.raises(TypeError, match=r"expected another .*`left.merge\(right\).comp"):
                metric.merge(values)


@pytest.mark.parametrize("given", [(), (jnp.ones(3),)])
def test_a_method_of_a_class(given):
    average: Any = eqm.Average
    accuracy: Any = eqm.Accuracy
    for name in ("update", "compute"):
        said = rf"`Average.{name}` was called on the class, expected a metric. Build it first: "
        with pytest.raises(TypeError, match=rf"{said}`Average\(\).{name}\("):
            getattr(average, name)(*given)
    with pytest.raises(TypeError, match=r"Build it first, as in `eqm.Accuracy\(\).update\(...\)`"):
        accuracy.update(*given, labels=LABELS)
    with pytest.raises(TypeError, match=r"Build it first: `Accuracy\(\).compute\(\)`"):
        accuracy.compute(*given)


@pytest.mark.parametrize("names", [("preds", "target"), ("y_pred", "y_true")])
def test_names_that_other_libraries_have(names):
    predicted, true = names
    outputs: Any = {predicted: LOGITS, true: LABELS}
    scores = rf"Here `{predicted}` is `logits`, `probabilities` or `predicted_labels` and "
    both = eqm.MetricDict(accuracy=eqm.Accuracy(), rows=eqm.Count().from_output("labels"))
    for metric in (eqm.Accuracy(), both):
        with pytest.raises(TypeError, match=rf"{scores}`{true}` is `labels`\."):
            metric.update(**outputs)
    for metric in (eqm.MeanSquaredError(), eqm.MASE(), eqm.Best(eqm.MeanSquaredError())):
        with pytest.raises(TypeError, match=rf"Here `{predicted}` is `predictions`.* `targets`"):
            metric.update(**outputs)
    with pytest.raises(TypeError, match="Here `sample_weight` is `weights`."):
        both.update(logits=LOGITS, labels=LABELS, sample_weight=jnp.ones(4))
    shelves: Any = {
        rf"`{predicted}` is `scores` and `{true}` is `relevance`": eqm.ranking.NDCG(),
        rf"`{predicted}` is `predicted_tokens` and `{true}` is `tokens`": eqm.text.WordErrorRate(),
    }
    for said, metric in shelves.items():
        with pytest.raises(TypeError, match=said):
            metric.update(**outputs)
    # what a metric takes under that name is no mistake
    metric = eqm.Accuracy().from_output(logits=predicted, labels=true)
    assert metric.update(**outputs).compute() == 0.5


@pytest.mark.parametrize("values", [jnp.ones(3), np.ones(3), jnp.ones((2, 2))])
def test_values_given_to_the_class(values):
    with pytest.raises(TypeError, match=r"(?s)`Average\(shape=.*\)`: expected int \| tuple"):
        eqm.Average(values)
    assert eqm.Average(np.array([2, 3])).shape == eqm.Average([2.0, 3]).shape == (2, 3)  # pyright: ignore[reportArgumentType]


def test_the_order_of_names_is_kept_until_jax_sorts_them():
    metrics = eqm.MetricDict(b=eqm.Sum(), a=eqm.Count())
    batch = jnp.ones(2)
    assert list(metrics(values=batch)) == list(eqm.to_host(metrics)) == ["b", "a"]
    assert list(jax.jit(lambda m: m.compute())(metrics)) == ["a", "b"]  # as the docstring says
    assert list(eqm.to_host(metrics(values=batch))) == ["a", "b"]


class Assigns(eqm.Metric):
    total: Float[Array, ""] = eqm.state(reduce="sum")

    def __init__(self):
        self.total = jnp.zeros(())

    def update(self, values: Float[Array, "rows"]) -> Self:
        self.total = self.total + values.sum()  # pyright: ignore[reportAttributeAccessIssue]
        return self

    def compute(self) -> Float[Array, ""]:
        return self.total


def test_a_metric_that_assigns_to_itself():
    with pytest.raises(dataclasses.FrozenInstanceError) as told:
        Assigns().update(jnp.ones(2))
    assert "`return self.replace(name=...)`" in told.value.__notes__[0]
    (note,) = [n for n in told.value.__notes__ if "replace" in n]
    with pytest.raises(dataclasses.FrozenInstanceError) as told:
        eqm.MetricDict(a=Assigns()).update(values=jnp.ones(2))
    assert told.value.__notes__.count(note) == 1


def test_a_key_is_no_number():
    key = jax.random.key(0)
    for call in (
        lambda: eqm.Average().update(key),
        lambda: eqm.Max().update(key),
        lambda: eqm.Histogram((0.0, 1.0)).update(values=key[None]),
        lambda: eqm.MeanSquaredError().update(predictions=key, targets=key),
    ):
        with pytest.raises(TypeError, match=r"key<fry>\[.*\], expected (numbers|floats)"):
            call()


def test_states_of_an_ensemble_can_be_read_on_the_host():
    stacked = jax.vmap(eqm.Average().update)(jnp.ones((3, 2)))
    with pytest.raises(TypeError, match=r"`eqm.to_host\(metric, stacked=1\)`"):
        eqm.to_host(stacked)


def test_annotations_that_python_calls_old_say_nothing():
    """A warning that is no fault of the reader's numbers, and an error where warnings are."""

    class Of(eqm.Metric):
        fn: typing.Callable[[Array], Array] = eqx.field(static=True)
        names: typing.List[str] | None = eqx.field(static=True)  # noqa: UP006
        mean: eqm.Average

        def __init__(self):
            self.fn, self.names, self.mean = jnp.abs, None, eqm.Average()

        def update(self, values: Float[Array, "rows"]) -> Self:
            return self.replace(mean=self.mean.update(self.fn(values)))

        def compute(self) -> Float[Array, ""]:
            return self.mean.compute()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Of()(jnp.array([-1.0, 3.0])) == 2


class StateFirst(eqm.Metric, init=False):
    """An array before a metric, and `init=False`: else pyright takes `eqm.state` for a default."""

    total: Float[Array, ""] = eqm.state(reduce="sum")
    mean: eqm.Average

    def __init__(self):
        self.total, self.mean = jnp.zeros(()), eqm.Average()

    def update(self, values: Float[Array, "rows"]) -> Self:
        return self.replace(total=self.total + values.sum(), mean=self.mean.update(values))

    def compute(self) -> Float[Array, ""]:
        return self.total - self.mean.compute()


def test_fields_may_come_in_any_order():
    first, second = (StateFirst().update(jnp.array([x, 3.0])) for x in (1.0, 5.0))
    assert first.merge(second).compute() == 12.0 - 3.0


class Annotated(eqm.Collection):
    accuracy: eqm.Accuracy


@pytest.mark.parametrize("make", [Annotated.empty, lambda: Annotated.from_model_output(x=1.0)])
def test_a_collection_of_annotations_alone_as_in_clu(make):
    with pytest.raises(TypeError) as told:
        make()
    assert "`accuracy: eqm.Accuracy = eqx.field(default_factory=eqm.Accuracy)`" in str(
        told.value.__notes__
    )
