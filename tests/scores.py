"""Shared by the tests of curves: scores of many kinds, and rows drawn with ties."""

import math

import jax
import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from .oracle import masks, ROWS, STEPS, taken, weights


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# From standard normal noise, with a shift between the classes, and the labels.
KINDS = {
    "normal": lambda x, rng: ("logits", x),
    "normal at -30": lambda x, rng: ("logits", x - 30),
    "normal at 1000": lambda x, rng: ("logits", x + 1000),
    "tiny": lambda x, rng: ("logits", 1e-6 * x),
    "huge": lambda x, rng: ("logits", 1e6 * x),
    "low probabilities": lambda x, rng: ("probabilities", sigmoid(2 * x - 12)),
    "high probabilities": lambda x, rng: ("probabilities", sigmoid(2 * x + 12)),
    "probabilities near 1": lambda x, rng: ("probabilities", 1 - 1e-7 * sigmoid(x)),
    "integers": lambda x, rng: ("logits", np.round(x * rng.integers(1, 9))),
    "constant": lambda x, rng: ("logits", 0 * x + rng.normal()),
    "with infinities": lambda x, rng: ("logits", np.where(np.abs(x) > 1, x * np.inf, x)),
    "a cluster in a wide range": lambda x, rng: ("logits", np.where(x > 1, 1e6 * x, 100 + x)),
}


def drawn_of(kind: str, rows: int, seed: int) -> tuple[str, np.ndarray, np.ndarray]:
    """The name, `logits` or `probabilities`, the float32 scores, and labels with at least one row
    of each class."""
    rng = np.random.default_rng(seed)
    labels = rng.random(rows) < rng.uniform(0.02, 0.98)
    labels[:2] = False, True
    noise = rng.normal(size=rows) + rng.uniform(0, 3) * labels
    name, x = KINDS[kind](noise, rng)
    return name, x.astype(np.float32), labels


# Few values, so that ties are common; different values never share a cell, even at a low
# resolution.
FEW = st.sampled_from([-1.0, -0.0, 0.0, 1.0, 2.0, 1e30, -1e30, 1e-30, math.inf, -math.inf])
SHARES = st.sampled_from([0.0, 1e-30, 0.1, 0.5, 0.7, 1 - 2.0**-24, 1.0])


@st.composite
def scored(draw, name="logits", classes=None, elements=None):
    """Stacked batches of scores and labels: binary, or with one of `classes` for each row."""
    shape = (STEPS, ROWS)
    if elements is None:
        elements = FEW if name == "logits" else SHARES
    wide = shape if classes is None else (*shape, classes)
    labels = st.integers(0, 1 if classes is None else classes - 1)
    batch = {
        name: draw(arrays(np.float32, wide, elements=elements)),
        "labels": draw(arrays(np.int32, shape, elements=labels)),
        "weights": draw(arrays(np.float32, shape, elements=weights)),
        "mask": draw(masks()),
    }
    away = ~taken(batch)
    batch[name][away], batch["labels"][away] = np.nan, -1
    return batch


def kept(batch, name):
    """Scores, labels and weights of the rows that count, in float64."""
    keep = taken(batch)
    scores = np.clip(batch[name][keep].astype(np.float64), -1e300, 1e300)
    return scores, batch["labels"][keep], batch["weights"][keep].astype(np.float64)


@jax.jit
def read(metric):
    return metric.compute(), metric.bounds()


@jax.jit
def read_value(metric):
    return metric.compute()
