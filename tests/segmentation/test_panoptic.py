"""`eqm.segmentation.PanopticQuality` beside panopticapi's rules written as loops, and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, fold, seeds, spread
from .oracle import mean, ROWS, STEPS, WEIGHTS


PanopticQuality = eqm.segmentation.PanopticQuality
CLASSES, SIZE, SPACE = 3, 6, (7, 6)
METRICS = eqm.MetricDict(
    mean=PanopticQuality(CLASSES, SIZE), each=PanopticQuality(CLASSES, SIZE, average=None)
)


def drawn(seed, pixels):
    """Segments in stripes, and predictions that are moved, cut, or of another class."""
    rng = np.random.default_rng(seed)
    rows = STEPS, ROWS
    places = np.cumsum(rng.random((*rows, *SPACE[:1], 1)) < 0.5, axis=2) + np.arange(SPACE[1]) // 4
    segments = rng.permutation(SIZE)[places % SIZE]
    moved = np.roll(segments, rng.integers(-1, 2), axis=-1)
    noise = rng.random(segments.shape) < rng.choice([0.0, 0.2, 0.5], (*rows, 1, 1))
    predicted = np.where(noise, rng.integers(0, SIZE, segments.shape), moved)
    segments = np.where(rng.random(segments.shape) < 0.1, 0, segments)
    labels = rng.integers(0, CLASSES, (*rows, SIZE))
    other = rng.random(labels.shape) < 0.2
    said = np.where(other, rng.integers(0, CLASSES, labels.shape), labels)
    mask = rng.random((*rows, *SPACE) if pixels else rows) < rng.choice([0.7, 0.95, 1.0])
    batch = {"segments": segments, "predicted_segments": predicted}
    out = ~mask.reshape(mask.shape + (1,) * (segments.ndim - mask.ndim))
    batch = {k: np.where(out, -3, x) for k, x in batch.items()}
    batch |= {"segment_labels": labels, "predicted_segment_labels": said}
    crowd = rng.random(labels.shape) < 0.15
    batch = {k: x.astype(np.int32) for k, x in batch.items()} | {"crowd": crowd, "mask": mask}
    return batch | {"weights": rng.choice(WEIGHTS, rows)}


def image(segments, predicted, labels, said, crowd, taken):
    """The sums of one image: IoU, true and false positives and false negatives."""
    iou, tp, fp, fn = np.zeros((4, CLASSES))
    y, p = segments[taken], predicted[taken]
    true = [i for i in np.unique(y) if i > 0]
    found = [j for j in np.unique(p) if j > 0]
    left, lost = set(found), {i for i in true if not crowd[i]}
    for i in [*lost]:
        for j in found:
            both = np.sum((y == i) & (p == j))
            union = np.sum(y == i) + np.sum(p == j) - both - np.sum((y == 0) & (p == j))
            if labels[i] == said[j] and 2 * both > union:
                iou[labels[i]] += both / union
                tp[labels[i]] += 1
                left.discard(j)
                lost.discard(i)
    for i in lost:
        fn[labels[i]] += 1
    for j in left:
        own = [i for i in true if crowd[i] and labels[i] == said[j]]
        excused = np.sum(np.isin(y, [0, *own]) & (p == j))
        fp[said[j]] += 2 * excused <= np.sum(p == j)
    return np.array([iou, tp, fp, fn])


NAMES = "segments", "predicted_segments", "segment_labels", "predicted_segment_labels", "crowd"


@pytest.mark.parametrize("way, pixels", [(fold, True), (spread, False)])
@few
@given(seed=seeds)
def test_the_rules_of_panopticapi(way, pixels, seed):
    batch = drawn(seed, pixels)
    seen = way(METRICS, batch)
    total = np.zeros((4, CLASSES))
    for at in np.ndindex(STEPS, ROWS):
        weight, mask = batch["weights"][at], batch["mask"][at]
        if weight > 0 and (mask.ndim or mask):
            taken = np.broadcast_to(mask, SPACE)
            y, p, labels, said, crowd = (batch[name][at] for name in NAMES)
            total += weight * image(y, p, labels, said, crowd, taken)
    iou, tp, fp, fn = total
    every = tp + fp / 2 + fn / 2
    of = lambda top, bottom: np.where(every > 0, top / np.maximum(bottom, 1e-9), np.nan)
    got = seen.compute()
    np.testing.assert_allclose(got["each"], of(iou, every), 1e-5)
    np.testing.assert_allclose(got["mean"], mean(list(of(iou, every)), [1.0] * CLASSES), 1e-5)
    parts = seen["each"].parts()
    np.testing.assert_allclose(parts["segmentation"], of(iou, tp), 1e-5)
    np.testing.assert_allclose(parts["recognition"], of(tp, every), 1e-5)


def of_row(segments, predicted, labels=(0, 1, 1), said=(0, 1, 1), **kw):
    arrays = dict(segments=segments, predicted_segments=predicted)
    arrays |= dict(segment_labels=labels, predicted_segment_labels=said) | kw
    return {k: jnp.asarray(x)[None, None] if "labels" not in k and k != "crowd"
            else jnp.asarray(x)[None] for k, x in arrays.items()}  # fmt: skip


def test_by_hand():
    quality = PanopticQuality(2, 3)
    # one match of IoU 0.8, one false positive and one false negative
    one = of_row([1, 1, 1, 1, 1, 2, 2, 2, 2, 2], [1, 1, 1, 1, 2, 2, 0, 0, 0, 0])
    assert quality(**one) == jnp.float32(0.4)
    parts = quality.update(**one).parts()
    assert parts["segmentation"] == jnp.float32(0.8) and parts["recognition"] == 0.5
    # an IoU of exactly 1/2 is no match
    half = of_row([1, 1, 0, 2], [1, 0, 0, 2])
    assert quality(**half) == 0.5  # the second matches; the first is a false positive and negative
    # what is void in the labels is in no union, and excuses a prediction that lies in it
    void = of_row([1, 1, 0, 0, 0, 0], [1, 1, 1, 2, 2, 2])
    assert quality(**void) == 1
    # so does a crowd of its class, which isn't missed
    crowd = of_row([1, 1, 2, 2, 2, 2], [1, 1, 0, 2, 2, 0], crowd=[False, False, True])
    assert quality(**crowd) == 1
    assert quality(**of_row(*([1, 1, 2, 2, 2, 2], [1, 1, 0, 2, 2, 0]))) == 0.5
    other = of_row([1, 1, 2], [1, 1, 2], said=[0, 1, 0], crowd=[False, False, True])
    assert quality(**other) == 0.5  # a crowd of another class excuses nothing


def test_undefined_invalid_and_refused():
    quality = PanopticQuality(2, 3)
    good = of_row([1, 2, 2], [1, 2, 2])
    assert jnp.isnan(quality.compute()) and quality(**good) == 1
    assert PanopticQuality(2, 3, undefined=0.0).compute() == 0
    assert jnp.isnan(PanopticQuality(2, 3, average=None)(**good)[0])
    for bad in (
        of_row([1, 3, 2], [1, 2, 2]),
        of_row([1, 2, 2], [1, -1, 2]),
        of_row([1, 2, 2], [1, 2, 2], labels=[0, 1, 2]),
        of_row([1, 2, 2], [1, 2, 2], said=[0, -1, 1]),
    ):
        with pytest.raises(eqm.InvalidDataError, match=r"1 invalid.*segments in \[0, 3\)"):
            quality.update(**bad).check()
    # of void, and of a number that isn't there, the class may be any
    assert quality(**of_row([1, 0, 1], [1, 0, 1], labels=[9, 1, -1], said=[-1, 1, 7])) == 1
    for wrong, words in (
        (dict(predicted_segments=good["segments"][:, :, :2]), "that of `segments`"),
        (dict(segment_labels=jnp.zeros((1, 4), int)), "a number for each of `max_segments`"),
        (dict(crowd=jnp.zeros((3,), bool)), "a number for each of `max_segments`"),
        (dict(segments=jnp.zeros(3, int)), "`dimensions=1` says"),
    ):
        with pytest.raises(TypeError, match=words):
            quality.update(**(good | wrong))
    for make, words in (
        (lambda: PanopticQuality(0, 3), "num_classes=0"),
        (lambda: PanopticQuality(2, 1), "max_segments=1"),
        (lambda: PanopticQuality(2, 3, average="micro"), "average='micro'"),  # pyright: ignore[reportArgumentType]
    ):
        with pytest.raises(ValueError, match=words):
            make()
