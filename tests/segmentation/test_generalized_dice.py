"""`eqm.segmentation.GeneralizedDice` beside its definition in float64, and by hand."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, fold, seeds, spread
from .oracle import batch_of, counts, IGNORED, images, mean_of_images


SPACE, CLASSES = (6, 5), 4
TASK = eqm.Multiclass(CLASSES, ignore_index=IGNORED)
OPTIONS: list[Any] = [
    dict(per=per, weight=weight, include=include)
    for per in ("row", "pooled")
    for weight, include in (("square", None), ("simple", (1, 2, 3)), ("uniform", (1, 3)))
]
METRICS = eqm.MetricDict(
    {str(i): eqm.segmentation.GeneralizedDice(TASK, **kw) for i, kw in enumerate(OPTIONS)}
)


def score(each, *, weight, include, **_):
    both, predicted, support = each[:, range(CLASSES) if include is None else include]
    n = np.maximum(support, 1e-9)  # no class has so few pixels
    weights = {"square": 1 / n**2, "simple": 1 / n, "uniform": np.ones_like(n)}[weight]
    weights = np.where((support > 0) | (weight == "uniform"), weights, 0)
    bottom = np.sum(weights * (predicted + support))
    return 2 * np.sum(weights * both) / bottom if bottom else np.nan


@pytest.mark.parametrize("way, pixels", [(fold, True), (spread, False)])
@few
@given(seed=seeds)
def test_float64_agrees(way, pixels, seed):
    batch = batch_of(seed, SPACE, CLASSES, pixels=pixels, ignored=0.1)
    got = way(METRICS, batch).compute()
    for i, options in enumerate(OPTIONS):
        if options["per"] == "row":
            truth = mean_of_images(batch, lambda *x, o=options: score(counts(CLASSES, *x), **o))
        else:
            each = [w * counts(CLASSES, *image) for *image, w in images(batch)]
            truth = score(sum(each, start=np.zeros((3, CLASSES))), **options)
        np.testing.assert_allclose(got[str(i)], truth, 2e-6, 1e-7, err_msg=f"{options}")


def test_by_hand():
    labels, predicted = jnp.array([[[0, 0, 0, 1]]]), jnp.array([[[0, 0, 1, 1]]])
    both = dict(labels=labels, predicted_labels=predicted)
    dice = lambda **kw: eqm.segmentation.GeneralizedDice(eqm.Multiclass(3), **kw)(**both)
    assert dice() == pytest.approx(2 * (2 / 9 + 1) / (5 / 9 + 3))
    assert dice(weight="simple") == pytest.approx(2 * (2 / 3 + 1) / (5 / 3 + 3))
    assert dice(weight="uniform", include=(1, 2)) == pytest.approx(2 / 3)
    # a class that is predicted and has no pixel weighs nothing
    missing = dict(labels=labels, predicted_labels=jnp.array([[[0, 0, 2, 1]]]))
    assert eqm.segmentation.GeneralizedDice(eqm.Multiclass(3))(**missing) == pytest.approx(
        2 * (2 / 9 + 1) / (5 / 9 + 2)
    )
    # volumes so large that their squares have no reciprocal
    seen = eqm.segmentation.GeneralizedDice(eqm.Multiclass(3), per="pooled")
    for _ in range(2):
        seen = seen.update(**both, weights=jnp.full(1, 2.0**90))
    assert seen.compute() == pytest.approx(2 * (2 / 9 + 1) / (5 / 9 + 3))


def test_undefined_and_refused():
    empty = jnp.zeros((1, 2, 2), int)
    dice = eqm.segmentation.GeneralizedDice(eqm.Binary())
    assert jnp.isnan(dice.compute()) and jnp.isnan(dice(labels=empty, predicted_labels=empty + 1))
    assert eqm.segmentation.GeneralizedDice(eqm.Binary(), undefined=1.0).compute() == 1
    pooled = eqm.segmentation.GeneralizedDice(eqm.Binary(), per="pooled")
    assert jnp.isnan(pooled(labels=empty, predicted_labels=empty))
    with pytest.raises(ValueError, match="weight='cube'"):
        eqm.segmentation.GeneralizedDice(eqm.Binary(), weight="cube")  # pyright: ignore[reportArgumentType]
