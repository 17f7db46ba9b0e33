"""`eqm.segmentation.Dice` and `MeanIoU` beside their definitions in float64, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, fold, seeds, spread
from .oracle import batch_of, counts, IGNORED, images, mean, mean_of_images


SPACE, CLASSES, INCLUDE = (6, 5), 4, (1, 2)
NAMES = {"Dice": eqm.segmentation.Dice, "MeanIoU": eqm.segmentation.MeanIoU}
TASKS = {n: eqm.Multiclass(n, ignore_index=IGNORED) for n in (CLASSES, 30)}
OPTIONS = [
    dict(per=per, average=average, include=include, empty=empty)
    for per, average, include, empty in (
        ("row", "macro", None, "skip"),
        ("row", None, INCLUDE, "zero"),
        ("pooled", "macro", INCLUDE, "skip"),
        ("pooled", "micro", INCLUDE, "skip"),
        ("row", "weighted", INCLUDE, "skip"),
        ("row", "micro", INCLUDE, "one"),
        ("row", "macro", INCLUDE, "one"),
        ("pooled", None, None, "skip"),
        ("pooled", "weighted", INCLUDE, "skip"),
    )
]
# Of more classes than pixels the counts are taken another way.
KEYS = [("Dice", CLASSES, i) for i in range(9)] + [("MeanIoU", CLASSES, i) for i in range(4)]
KEYS += [("Dice", 30, i) for i in range(2)]
METRICS = eqm.MetricDict(
    {f"{n} {c} {i}": NAMES[n](TASKS[c], **OPTIONS[i]) for n, c, i in KEYS}
)


def score(name, each, *, average, include, empty="skip", **_):
    both, predicted, support = each
    top, bottom = (
        (2 * both, predicted + support) if name == "Dice" else (both, predicted + support - both)
    )
    instead = {"skip": np.nan, "zero": 0.0, "one": 1.0}[empty]
    of = lambda t, b: t / b if b else instead
    part = list(range(len(both)) if include is None else include)
    if average == "micro":
        return of(top[part].sum(), bottom[part].sum())
    scores = np.array([of(t, b) for t, b in zip(top, bottom, strict=True)])
    if average is None:
        return np.where(np.isin(np.arange(len(both)), part), scores, np.nan)
    weights = support if average == "weighted" else np.ones_like(support)
    return mean(list(scores[part]), list(weights[part]))


def want(name, classes, options, batch):
    if options["per"] == "row":

        def of_image(labels, predicted, taken):
            if not taken.any():
                return np.full(classes, np.nan) if options["average"] is None else np.nan
            return score(name, counts(classes, labels, predicted, taken), **options)

        return mean_of_images(batch, of_image)
    each = [w * counts(classes, *image) for *image, w in images(batch)]
    return score(name, sum(each, start=np.zeros((3, classes))), **options)


@pytest.mark.parametrize("way, pixels", [(fold, True), (spread, False)])
@few
@given(seed=seeds)
def test_float64_agrees(way, pixels, seed):
    batch = batch_of(seed, SPACE, CLASSES, pixels=pixels, ignored=0.1)
    got = way(METRICS, batch).compute()
    for name, classes, i in KEYS:
        key, options = f"{name} {classes} {i}", OPTIONS[i]
        truth = want(name, classes, options, batch)
        np.testing.assert_allclose(got[key], truth, 2e-6, 1e-7, err_msg=f"{key} {options}")


MASKS = eqm.MetricDict(
    {
        f"{name} {kind} {per}": cls(task, per=per, dimensions=3 if kind == "volume" else 2)
        for name, cls in NAMES.items()
        for kind, task in (("volume", eqm.Binary()), ("each", eqm.Multilabel(2, ignore_index=9)))
        for per in ("row", "pooled")
    }
)
value_of = jax.jit(lambda metric, **batch: metric(**batch))


@few
@given(seed=seeds)
def test_masks_that_overlap_and_volumes(seed):
    rng = np.random.default_rng(seed)
    drawn = lambda: rng.random((2, 3, 4, 2)) < rng.choice([0, 0.5], (2, 1, 1, 2))
    labels, predicted = drawn(), drawn()
    got = value_of(MASKS, labels=labels, predicted_labels=predicted)

    def scores(name, axes):
        both, p, y = (x.sum(axes) for x in (labels & predicted, predicted, labels))
        top, bottom = (2 * both, p + y) if name == "Dice" else (both, p + y - both)
        return np.where(bottom == 0, np.nan, top / np.maximum(bottom, 1))

    average = lambda x: mean(list(np.ravel(x)), [1.0] * np.size(x))
    for name in NAMES:
        by_image = [average(x) for x in scores(name, (1, 2))]
        for key, truth in (
            ("volume row", average(scores(name, (1, 2, 3)))),
            ("volume pooled", average(scores(name, (0, 1, 2, 3)))),
            ("each row", average(by_image)),
            ("each pooled", average(scores(name, (0, 1, 2)))),
        ):
            np.testing.assert_allclose(got[f"{name} {key}"], truth, 2e-6, err_msg=key)


def test_by_hand():
    # the pixels {a, b} and {b, c}
    both = dict(predicted_labels=jnp.array([[[1, 1, 0]]]), labels=jnp.array([[[0, 1, 1]]]))
    assert eqm.segmentation.Dice(eqm.Binary())(**both) == 0.5
    assert eqm.segmentation.MeanIoU(eqm.Binary())(**both) == jnp.float32(1 / 3)
    # intersections over unions of 1/1 and 0/3
    both = dict(
        predicted_labels=jnp.array([[[1, 0, 0]], [[1, 1, 0]]]),
        labels=jnp.array([[[1, 0, 0]], [[0, 0, 1]]]),
    )
    assert eqm.segmentation.MeanIoU(eqm.Binary())(**both) == 0.5
    assert eqm.segmentation.MeanIoU(eqm.Binary(), per="pooled")(**both) == 0.25
    each = eqm.segmentation.MeanIoU(eqm.Binary()).per_row(**both)
    assert each.tolist() == [1, 0]


def test_a_class_that_an_image_lacks_is_skipped():
    labels = jnp.zeros((1, 2, 2), int)
    both = dict(predicted_labels=labels, labels=labels)
    task = eqm.Multiclass(3)
    assert eqm.segmentation.Dice(task)(**both) == 1
    assert eqm.segmentation.Dice(task, empty="zero")(**both) == jnp.float32(1 / 3)
    each = eqm.segmentation.Dice(task, average=None)(**both)
    assert each[0] == 1 and jnp.isnan(each[1:]).all()
    foreground = eqm.segmentation.Dice(task, include=(1, 2))
    assert jnp.isnan(foreground(**both))
    assert eqm.segmentation.Dice(task, include=(1, 2), undefined=1.0)(**both) == 1
    assert eqm.segmentation.Dice(task, include=(1, 2), empty="one")(**both) == 1


def test_pooled_it_is_that_of_classification_and_shares_its_counts():
    task = eqm.Multiclass(3)
    rng = np.random.default_rng(0)
    drawn = lambda: rng.integers(0, 3, (4, 5, 6)).astype(np.int32)
    both = dict(predicted_labels=drawn(), labels=drawn())
    pooled = eqm.MetricDict(
        dice=eqm.segmentation.Dice(task, per="pooled"),
        iou=eqm.segmentation.MeanIoU(task, per="pooled", average=None),
        f1=eqm.F1(task),
        jaccard=eqm.Jaccard(task, average=None),
    )
    by_image = eqm.MetricDict(dice=eqm.segmentation.Dice(task), iou=eqm.segmentation.MeanIoU(task))
    size = lambda m: sum(x.size for x in jax.tree.leaves(m))
    assert size(pooled) == size(eqm.F1(task)) and size(by_image) == 8
    value = pooled(**both)
    assert value["dice"] == value["f1"]
    np.testing.assert_array_equal(value["iou"], value["jaccard"])


def test_undefined_invalid_and_refused():
    dice, task = eqm.segmentation.Dice, eqm.Multiclass(3)
    labels = jnp.zeros((2, 4, 4), int)
    for per in ("row", "pooled"):
        assert jnp.isnan(dice(task, per=per).compute())
        assert dice(task, per=per, undefined=0.0).compute() == 0
        seen = dice(task, per=per).update(predicted_labels=labels, labels=labels.at[0, 0].set(9))
        count = 1 if per == "row" else 4
        with pytest.raises(eqm.InvalidDataError, match=f"{count} invalid.*in .0, 3"):
            seen.check()
    for wrong, words in (
        (dict(labels=labels[0, 0], predicted_labels=labels[0, 0]), "`dimensions=1` says"),
        (dict(mask=jnp.ones((2, 4), bool)), "removes what is in them"),
        (dict(weights=jnp.ones(3)), "`weights` is"),
        (dict(predicted_labels=labels[:1]), "`predicted_labels` is"),
    ):
        with pytest.raises(TypeError, match=words):
            dice(task).update(**(dict(labels=labels, predicted_labels=labels) | wrong))
    for make, words in (
        (lambda: dice(task, per="image"), "`per` is 'image'"),  # pyright: ignore[reportArgumentType]
        (lambda: dice(task, average="mean"), "average='mean'"),  # pyright: ignore[reportArgumentType]
        (lambda: dice(task, include=(3,)), r"expected different classes in \[0, 3\)"),
        (lambda: dice(task, include=()), "at least one"),
        (lambda: dice(eqm.Binary(), include=(0,)), "a binary task"),
        (lambda: dice(eqm.Multiclass(3, ignore_index=0), include=(0, 1)), "class 0 is the task's"),
        (lambda: dice(task, dimensions=0), "dimensions=0"),
        (lambda: dice(task, empty="one", per="pooled"), "`undefined=` replaces"),
    ):
        with pytest.raises(ValueError, match=words):
            make()
