"""`eqm.detection.Boxes` and `eqm.detection.box_iou` beside their definitions, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, seeds


box_iou = eqm.detection.box_iou
KINDS = "iou", "giou", "diou", "ciou"
FORMATS = "xyxy", "xywh", "cxcywh"


def of_two(x, y, kind):
    """In float64, of corners."""
    (a, b, c, d), (e, f, g, h) = x, y
    inside = max(min(c, g) - max(a, e), 0) * max(min(d, h) - max(b, f), 0)
    union = (c - a) * (d - b) + (g - e) * (h - f) - inside
    width, height = max(c, g) - min(a, e), max(d, h) - min(b, f)
    value = inside / union
    if kind == "iou":
        return value
    if kind == "giou":
        return value - (width * height - union) / (width * height)
    centres = ((a + c - e - g) ** 2 + (b + d - f - h) ** 2) / 4
    value -= centres / (width**2 + height**2)
    if kind == "diou":
        return value
    angle = lambda w, h: np.arctan(w / h)
    shape = (2 / np.pi * (angle(c - a, d - b) - angle(g - e, h - f))) ** 2
    return value - shape**2 / (1 - inside / union + shape) if shape else value


def written_as(corners, form):
    low, high = np.split(corners, 2, axis=-1)
    first = {"xyxy": low, "xywh": low, "cxcywh": (low + high) / 2}[form]
    return np.concatenate([first, high if form == "xyxy" else high - low], -1).astype(np.float32)


def corners(rng, *shape):
    low = rng.uniform(-10, 10, (*shape, 2))
    return np.concatenate([low, low + rng.uniform(0.1, 12, low.shape)], -1)


@jax.jit
def every(x, y):
    return {k: {f: box_iou(x[f], y[f], format=f, kind=k) for f in FORMATS} for k in KINDS}


@few
@given(seed=seeds)
def test_of_each_with_each(seed):
    rng = np.random.default_rng(seed)
    x, y = corners(rng, 2, 4), corners(rng, 2, 3)
    y[0, 0] = x[0, 0]
    got = every(*({f: written_as(b, f) for f in FORMATS} for b in (x, y)))
    for kind in KINDS:
        want = [[[of_two(a, b, kind) for b in q] for a in p] for p, q in zip(x, y, strict=True)]
        for form in FORMATS:
            np.testing.assert_allclose(got[kind][form], want, atol=1e-5)


def test_by_hand():
    x, y = jnp.array([[0.0, 0, 2, 2]]), jnp.array([[1.0, 1, 3, 3], [2, 0, 4, 2]])
    read = lambda kind: np.ravel(box_iou(x, y, format="xyxy", kind=kind))
    np.testing.assert_allclose(read("iou"), [1 / 7, 0], atol=1e-7)
    np.testing.assert_allclose(read("giou"), [1 / 7 - 2 / 9, 0], atol=1e-7)
    np.testing.assert_allclose(read("diou"), [1 / 7 - 2 / 18, -4 / 20], atol=1e-7)
    np.testing.assert_allclose(read("ciou"), read("diou"), atol=1e-7)  # of one shape


def test_boxes_that_are_none():
    x = jnp.array([[0.0, 0, 1, 1], [0, 0, -1, 1], [0, jnp.nan, 1, 1], [0, 0, jnp.inf, 1]])
    for kind in KINDS:
        got = box_iou(x, x[:1], format="xyxy", kind=kind)[:, 0]
        assert got[0] == 1 and bool(jnp.all(jnp.isnan(got[1:])))
    point = jnp.zeros((1, 4))
    assert [float(box_iou(point, point, format="xywh", kind=k)[0, 0]) for k in KINDS] == [0.0] * 4


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_is_that_of_the_value(kind):
    x = jnp.array([[0.0, 0.0, 2.0, 2.5], [5.0, 5.0, 6.0, 7.0], [jnp.nan, 0.0, 1.0, 1.0]])
    y = jnp.array([[1.0, 1.0, 3.5, 3.0], [5.0, 5.0, 6.0, 7.5], [0.0, 0.0, 1.0, 1.0]])
    f = lambda x: jnp.trace(box_iou(x[:2], y[:2], format="xyxy", kind=kind))
    got = jax.grad(f)(x)
    for i, j in ((0, 0), (0, 3), (1, 3)):
        step = np.zeros((3, 4), np.float32)
        step[i, j] = 1e-2
        slope = (f(x + step) - f(x - step)) / 2e-2
        np.testing.assert_allclose(got[i, j], slope, atol=2e-3)
    all_of = jax.grad(lambda x: jnp.nansum(box_iou(x, y, format="xyxy", kind=kind)))(x)
    assert bool(jnp.all(jnp.isfinite(all_of)))


def test_what_is_wrong_is_told():
    with pytest.raises(ValueError, match="Boxes\\('yolo'\\): expected 'xyxy'"):
        eqm.detection.Boxes("yolo")  # pyright: ignore[reportArgumentType]
    x = jnp.zeros((2, 3, 4))
    with pytest.raises(ValueError, match="kind='l1': expected 'iou'"):
        box_iou(x, x, format="xyxy", kind="l1")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="`boxes` is float32\\[2, 3, 5\\], expected boxes of four"):
        box_iou(x, jnp.zeros((2, 3, 5)), format="xyxy")
    with pytest.raises(TypeError, match="with the same leading axes"):
        box_iou(x, x[0], format="xyxy")
