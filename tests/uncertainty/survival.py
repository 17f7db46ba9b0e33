"""Survival curves with censored times, drawn from a seed, and the estimate of Kaplan and Meier."""

from typing import Any

import numpy as np

from ..oracle import CASES
from .drawn import hidden, masked, SHAPE


TIMES = (0.5, 1.0, 2.0, 3.5)
SIZE: dict[str, Any] = {"times": TIMES, "capacity": 24}


def drawn(seed):
    rng = np.random.default_rng(seed)
    mask, steps = masked(rng), rng.choice([2, 1000], (CASES, 1, 1))
    targets = np.ceil(rng.exponential(2, SHAPE) * steps) / steps  # with ties, also at the times
    events = rng.random(SHAPE) < rng.choice([0.0, 0.4, 0.8, 1.0], (CASES, 1, 1))
    curve = np.sort(rng.random((*SHAPE, len(TIMES))), axis=-1)[..., ::-1]
    curve = np.where(rng.random((CASES, 1, 1, 1)) < 0.3, np.round(curve * 4) / 4, curve)
    return {
        "predictions": hidden(curve, mask),
        "targets": hidden(targets, mask),
        "events": np.where(mask, events, 7).astype(np.int32),
        "mask": mask,
    }


def left_until(x, events, targets, reverse=False):
    """Kaplan and Meier: what is left after the time `x`. In reverse, of those who aren't censored,
    where those who die at one time are no longer at risk."""
    left = 1.0
    for t in np.unique(targets[targets <= x]):
        died = (events & (targets == t)).sum()
        gone = (~events & (targets == t)).sum()
        at_risk = (targets >= t).sum()
        left *= 1 - gone / max(at_risk - died, 1) if reverse else 1 - died / at_risk
    return left
