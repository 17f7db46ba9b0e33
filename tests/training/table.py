"""The rows of the table of laws for `eqm.training`."""

import numpy as np

import eqmetrics as eqm

from ..draws import drawn, scores, SIZES, values, yes


EXPERTS = 5


def chosen(rng, n):
    return np.argsort(rng.random((n, EXPERTS)), axis=1)[:, :2].astype(np.int32)


def routed(rng, n):
    p = rng.random((n, EXPERTS))
    return (p / p.sum(1, keepdims=True)).astype(np.float32)


def codes(rng, n):
    return rng.integers(0, 8, n).astype(np.int32)


def rectified(rng, n):
    return np.maximum(rng.normal(size=(n, 4)) - [0, 0, 0.5, 9], 0).astype(np.float32)


def whole(rng, n):
    return rng.integers(1, 9, n).astype(np.float32)


# Of one array: the laws put rows side by side, and a pytree of one leaf is one.
TREES = drawn(SIZES, gradients=scores(2, 3))
ACTIVE = drawn(SIZES, activations=rectified)

ROWS = {
    "training.TreeNorm": (eqm.training.TreeNorm(axes=1), TREES),
    "training.UpdateRatio": (
        eqm.training.UpdateRatio(axes=1),
        drawn(SIZES, updates=scores(3), params=scores(4)),
    ),
    "training.Ratio": (eqm.training.Ratio(), drawn(SIZES, numerator=values, denominator=whole)),
    "training.ActivationCounts": (eqm.training.ActivationCounts(4), ACTIVE),
    "training.DeadUnits": (eqm.training.DeadUnits(4, per_unit=True), ACTIVE),
    "training.ActivationSparsity": (eqm.training.ActivationSparsity(4), ACTIVE),
    "training.ExpertLoad": (eqm.training.ExpertLoad(EXPERTS), drawn(SIZES, experts=chosen)),
    "training.BalanceLoss": (
        eqm.training.BalanceLoss(EXPERTS),
        drawn(SIZES, experts=chosen, probabilities=routed),
    ),
    "training.CodebookUsage": (eqm.training.CodebookUsage(8), drawn(SIZES, codes=codes)),
    "training.PopulationStability": (
        eqm.training.PopulationStability([-1.0, 1.0]),
        drawn(SIZES, values=values, reference=yes),
    ),
}
