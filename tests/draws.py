"""Draws the batches for the rows of the tables."""

from collections.abc import Callable

import numpy as np

import eqmetrics as eqm


# Batches of two lengths (each length costs the laws some compilations), and in total three rows for
# each of 8 devices.
SIZES = (7, 10, 7)


def drawn(sizes: tuple[int, ...], **make: Callable) -> list[dict]:
    rng = np.random.default_rng(0)
    return [{name: f(rng, n) for name, f in make.items()} for n in sizes]


def values(rng, n):
    return rng.normal(size=n).astype(np.float32)


def logits(rng, n):
    return rng.integers(-3, 3, size=(n, 5)).astype(np.float32)  # with ties


def labels(rng, n):
    return rng.integers(0, 5, size=n).astype(np.int32)


def yes_or_no(*shape):
    return lambda rng, n: rng.integers(0, 2, size=(n, *shape)).astype(np.int32)


def scores(*shape):
    return lambda rng, n: rng.normal(size=(n, *shape)).astype(np.float32)


BINARY, MULTICLASS, MULTILABEL = eqm.Binary(), eqm.Multiclass(5), eqm.Multilabel(3)


def of_binary(sizes=SIZES):
    return drawn(sizes, logits=scores(), labels=yes_or_no())


def of_multiclass(sizes=SIZES):
    return drawn(sizes, logits=logits, labels=labels)


def of_multilabel(sizes=SIZES):
    return drawn(sizes, logits=scores(3), labels=yes_or_no(3))


def logit(rng, n):
    return rng.integers(-3, 3, size=n).astype(np.float32)  # with ties


def share(rng, n):
    return rng.random(n).astype(np.float32)


def shares(rng, n):
    x = rng.random((n, 5))
    return (x / x.sum(-1, keepdims=True)).astype(np.float32)


def some(rng, n):
    return rng.random((n, 5)) < 0.5


def yes(rng, n):
    return np.arange(n) % 3 % 2 == 0  # both values in each batch


def positive(rng, n):
    return rng.gamma(2.0, size=n).astype(np.float32)


def vectors(rng, n):
    return rng.gamma(2.0, size=(n, 3)).astype(np.float32)


def columns(rng, n):
    return rng.normal(size=(n, 2)).astype(np.float32)


def thirds(rng, n):
    return rng.integers(0, 3, n).astype(np.int32)


IDS = np.split(np.arange(24, dtype=np.int32), [7, 17])


def numbered(**make: Callable) -> list[dict]:
    """Batches with `ids`: a different number in each row of all batches."""
    return [b | {"ids": i} for b, i in zip(drawn(SIZES, **make), IDS, strict=True)]


PAIR = {"predictions": values, "targets": values}
TIED = {"predictions": logit, "targets": logit}
POSITIVE = {"predictions": positive, "targets": positive}
INTERVAL = {"lower": lambda rng, n: -positive(rng, n), "upper": positive, "targets": values}
VECTORS = {"predictions": vectors, "targets": vectors}
