"""Mistakes of a first day: the error says what came, what was expected, and the line to write."""

import re

import jax.numpy as jnp
import numpy as np
import pytest

import eqmetrics as eqm


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
