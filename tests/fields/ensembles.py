"""What the oracle tests of ensembles share: members that aren't there, and a value of each row."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .oracle import batch_of, mean_of_rows, WAYS


MEMBERS = 4


def with_members(
    seed: int, shapes: Mapping[str, tuple[int, ...]], least: int
) -> dict[str, np.ndarray]:
    """Some members aren't there, and hold anything; `least` are."""
    batch = batch_of(seed, shapes)
    rng = np.random.default_rng(seed)
    rows = batch["weights"].shape
    real = rng.random((*rows, MEMBERS)) < rng.choice([0.5, 1.0])
    real[..., :least] = True
    batch["members"] = real
    samples = batch["samples"]
    out = ~real.reshape(*real.shape, *(1,) * (samples.ndim - real.ndim))
    batch["samples"] = np.where(out, np.float32(rng.choice([np.nan, np.inf, -1e30])), samples)
    return batch


def check_ensembles(
    seed: int,
    metric: Any,
    value: Callable[[np.ndarray, np.ndarray], Any],
    *,
    vector: tuple[int, ...] = (),
    least: int = 1,
    rtol: float = 1e-5,
    atol: float = 1e-6,
    power: float = 1,
) -> None:
    """The metric beside the mean of `value(samples, target)`, over time and over devices. `atol` is
    in units of the `power` of the targets' scale."""
    shapes = {"samples": (MEMBERS, *vector), "targets": vector}
    each = lambda samples, targets, members, mask: value(samples[members != 0], targets)
    for way, _ in WAYS:
        batch = with_members(seed, shapes, least)
        size = np.nanmax(np.abs(batch["targets"]), initial=1e-30)
        got = way(metric, batch).compute()
        np.testing.assert_allclose(got, mean_of_rows(batch, each), rtol, atol * size**power)
