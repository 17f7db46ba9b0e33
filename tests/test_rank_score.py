"""Bounds of averages: what is rounded last is widened last."""

import jax
import numpy as np
from jax import lax

import eqmetrics as eqm


def test_the_bounds_of_averages_hold():
    """A thousand cases in one program, beside pairs that are counted in float64."""
    cases, rows, labels = 1000, 32, 5
    rng = np.random.default_rng(0)
    task = eqm.Multilabel(labels)
    shares = rng.uniform(0.1, 0.9, (cases, 1, labels))
    y = (rng.random((cases, rows, labels)) < shares).astype(np.int32)
    y[:, 0], y[:, 1] = 0, 1
    noise = rng.normal(size=y.shape) / rng.choice([0.01, 1, 3], (cases, 1, labels))
    x = np.round(noise + 9 * y, 1).astype(np.float32)
    w = np.where(rng.random((cases, 1)) < 0.5, 1, rng.random((cases, rows)) + 0.1)
    w = w.astype(np.float32)
    exactly = w.astype(np.float64)[..., None]
    metrics = eqm.MetricDict(
        {
            f"{cls.__name__} {average}": cls(task, average=average, resolution=9)
            for cls in (eqm.AUROC, eqm.Gini, eqm.AveragePrecision)
            for average in ("macro", "weighted", "micro", None)
        }
    )

    @jax.jit
    def bounds(x, y, w):
        one = lambda b: eqm.bounds(metrics.update(logits=b[0], labels=b[1], weights=b[2]))
        return lax.map(one, (x, y, w))

    found = bounds(x, y, w)
    flat = lambda z: np.moveaxis(z, 2, 1).reshape(cases * labels, rows)
    all_weights = np.repeat(exactly, labels, axis=2)
    own = areas(flat(x), flat(y), flat(all_weights)).reshape(2, cases, labels)
    support = (exactly * y).sum(1)
    both = [z.reshape(cases, -1) for z in (x, y, all_weights)]
    means = {
        "macro": own.mean(-1),
        "weighted": (own * support).sum(-1) / support.sum(-1),
        "micro": areas(*both),
        "None": own,
    }
    for average, (area, precision) in means.items():
        exact = {"AUROC": area, "Gini": 2 * area - 1, "AveragePrecision": precision}
        for name, truth in exact.items():
            low, high = (np.asarray(z, np.float64) for z in found[f"{name} {average}"])
            # float64 rounds too: a sum of shares is 1 + 2e-16
            out = np.maximum(low - truth, truth - high)
            assert out.max() < 1e-14, (name, average, (out >= 1e-14).sum(), out.max())
            assert np.all(high <= 1) and np.all(low >= (-1 if name == "Gini" else 0))


def areas(x, y, w):
    """AUROC and average precision of each row of scores, in float64."""
    above = x[:, :, None] > x[:, None, :]
    tied = x[:, :, None] == x[:, None, :]
    p, n = w * y, w * (1 - y)
    wins = np.einsum("ci,cij,cj->c", p, above + 0.5 * tied, n)
    tp, fp = (np.einsum("cij,ci->cj", (above | tied).astype(np.float64), z) for z in (p, n))
    precision = (p * tp / (tp + fp)).sum(-1) / p.sum(-1)
    return np.stack([wins / (p.sum(-1) * n.sum(-1)), precision])
