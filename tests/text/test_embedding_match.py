"""`eqm.text.EmbeddingMatch` beside a loop over rows and tokens in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import agree, at_once, seeds


ROWS, SAID, MEANT, DIM = 50, 4, 3, 5
NAMES = ("precision", "recall", "f1")


def scores(x, y, w, v) -> list[float]:
    """Precision, recall and F1 of one row, from the tokens that are there."""
    cos = lambda a, b: a @ b / (np.linalg.norm(a) * np.linalg.norm(b)) if a.any() and b.any() else 0

    def side(x, y, w, v):
        best = [max((cos(a, b) for b, c in zip(y, v, strict=True) if c), default=0.0) for a in x]
        return float(w @ best / w.sum()) if w.sum() else 0.0

    p, r = side(x, y, w, v), side(y, x, v, w)
    return [p, r, 2 * p * r / (p + r) if p + r else 0.0]


def drawn(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    there = lambda length: rng.random((ROWS, length)) < rng.choice([0.0, 0.6, 1.0], (ROWS, 1))
    # Of whole numbers, so that some match equally well, some not at all, and some are 0.
    batch = {
        "predicted_embeddings": rng.integers(-2, 3, (ROWS, SAID, DIM)).astype(np.float32),
        "embeddings": rng.integers(-2, 3, (ROWS, MEANT, DIM)).astype(np.float32),
        "predicted_mask": there(SAID),
        "mask": there(MEANT),
        "predicted_idf": rng.integers(0, 3, (ROWS, SAID)).astype(np.float32),
        "idf": rng.integers(0, 3, (ROWS, MEANT)).astype(np.float32),
    }
    batch["predicted_embeddings"][::9, 0] = 0
    for side in ("predicted_", ""):
        gone = ~batch[f"{side}mask"]
        batch[f"{side}embeddings"][gone], batch[f"{side}idf"][gone] = np.nan, -1
    return batch


each_row = jax.jit(lambda **batch: eqm.text.EmbeddingMatch().per_row(**batch))
all_rows = jax.jit(lambda **batch: eqm.text.EmbeddingMatch().update(**batch).compute())


@at_once
@given(seed=seeds)
def test_each_row_is_the_loop(seed):
    batch = drawn(seed)
    weights = np.arange(ROWS, dtype=np.float32) % 4
    want = []
    for i in range(ROWS):
        one = {k: v[i] for k, v in batch.items()}
        here, known = one["predicted_mask"], one["mask"]
        want.append(
            scores(one["predicted_embeddings"][here].astype(float), one["embeddings"][known],
                   one["predicted_idf"][here], one["idf"][known])
        )  # fmt: skip
    want = np.array(want)
    each, whole = each_row(**batch), all_rows(weights=weights, **batch)
    for k, name in enumerate(NAMES):
        agree(each[name], want[:, k], 1e-5, 1e-6)
        agree(whole[name], np.average(want[:, k], weights=weights), 1e-5, 1e-6)
    assert np.sum(want[:, 0] == 0) > 5 and np.any(want < 0)


def test_by_hand():
    metric = eqm.text.EmbeddingMatch()
    said = jnp.array([[[1.0, 0.0], [0.0, 3.0]]])
    meant = jnp.array([[[2.0, 0.0], [1.0, 1.0], [0.0, 1.0]]])
    value = metric(predicted_embeddings=said, embeddings=meant)
    recall = (2 + 0.5**0.5) / 3
    assert value["precision"] == 1
    agree([value["recall"], value["f1"]], [recall, 2 * recall / (1 + recall)], 1e-6)
    # A rare token counts more.
    idf = jnp.array([[1.0, 3.0, 0.0]])
    value = metric(predicted_embeddings=said, embeddings=meant, idf=idf)
    agree(value["recall"], (1 + 3 * 0.5**0.5) / 4, 1e-6)
    # What counts nothing isn't found either.
    agree(value["precision"], (1 + 0.5**0.5) / 2, 1e-6)


def test_scale_doesnt_matter_and_bad_rows_are_counted():
    metric = eqm.text.EmbeddingMatch()
    said = jnp.array([[[3e30, 4e30]], [[1e-30, 0.0]], [[jnp.nan, 0.0]]])
    meant = jnp.array([[[3e-30, 4e-30]], [[0.0, 1e30]], [[1.0, 0.0]]])
    metric = metric.update(predicted_embeddings=said[:2], embeddings=meant[:2])
    agree(metric.compute()["f1"], 0.5, 1e-6)
    bad = metric.update(predicted_embeddings=said, embeddings=meant)
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row"):
        bad.check()


def test_what_it_refuses():
    metric, x = eqm.text.EmbeddingMatch(), jnp.ones((2, 3, 4))
    with pytest.raises(TypeError, match=r"expected the shapes \(\*rows, length, dim\)"):
        metric(predicted_embeddings=x, embeddings=jnp.ones((2, 3, 5)))
    with pytest.raises(TypeError, match=r"`predicted_mask` is bool\[2\]"):
        metric(predicted_embeddings=x, embeddings=x, predicted_mask=jnp.ones(2, bool))
    with pytest.raises(TypeError, match=r"`idf` is float32\[2\], expected the shape \(2, 3\)"):
        metric(predicted_embeddings=x, embeddings=x, idf=jnp.ones(2))
