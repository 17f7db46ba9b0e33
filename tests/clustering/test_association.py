"""Measures of association beside scipy, and the definitions of what it doesn't have."""

import jax
import numpy as np
from hypothesis import given
from scipy.stats.contingency import association

import eqmetrics as eqm

from ..oracle import at_once, seeds
from .tables import at_each, big, cases_of, close, groups, table_of


NAN = float("nan")


def corrected(table: np.ndarray) -> tuple[float, float]:
    """Bergsma's V and T."""
    n, (r, k) = table.sum(), table.shape
    if n < 2 or r < 2 or k < 2:
        return NAN, NAN
    mean = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / n
    phi = ((table - mean) ** 2 / mean).sum() / n
    phi = max(0, phi - (r - 1) * (k - 1) / (n - 1))
    r, k = r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)
    v = np.sqrt(phi / (min(r, k) - 1)) if min(r, k) > 1 + 1e-9 else NAN
    t = np.sqrt(phi / np.sqrt((r - 1) * (k - 1))) if min(r, k) > 1 + 1e-9 else NAN
    return v, t


@at_once
@given(seed=seeds)
def test_scipy_agrees(seed):
    for got, y, p in cases_of(seed):
        table = table_of(y, p)
        table = table[table.any(1)][:, table.any(0)].astype(int)
        several = groups(y) > 1 and groups(p) > 1
        for name in ("cramer", "tschuprow"):
            close(got[name], association(table, name) if several else NAN, atol=1e-6)
        close(got["pearson"], association(table, "pearson") if len(y) else NAN, atol=1e-6)
        for name, want in zip(("cramer", "tschuprow"), corrected(table), strict=True):
            # The root of what is left of a difference.
            close(got[f"{name} corrected"] ** 2, want**2, atol=1e-5)
        if groups(y) < 2:
            assert np.isnan(got["lambda"])
            continue
        always = table.sum(1).max()
        close(got["lambda"], (table.max(0).sum() - always) / (len(y) - always))


def test_many_rows():
    batch = big(1_000_000, 5, 7, 0.0)
    metrics = eqm.MetricDict(
        table=eqm.clustering.ContingencyMatrix(5, 7),
        cramer=eqm.clustering.CramersV(5, 7),
        tells=eqm.clustering.GoodmanKruskalLambda(5, 7),
        more=eqm.clustering.TheilsU(5, 7),
    )
    got = jax.jit(lambda b: metrics(**b))(batch)
    table = np.asarray(got["table"]).astype(int)
    np.testing.assert_allclose(got["cramer"], association(table), rtol=1e-6)
    always = table.sum(1).max()
    want = (table.max(0).sum() - always) / (table.sum() - always)
    np.testing.assert_allclose(got["tells"], want, rtol=1e-6)


def test_by_hand():
    names = {"v": eqm.clustering.CramersV, "t": eqm.clustering.TschuprowsT}
    scores = eqm.MetricDict(
        {name: cls(3) for name, cls in names.items()}
        | {f"{name} corrected": cls(3, bias_correction=True) for name, cls in names.items()}
        | {f"{name} or 0": cls(3, undefined=0.0) for name, cls in names.items()},
        pearson=eqm.clustering.ContingencyCoefficient(3),
        theil=eqm.clustering.TheilsU(3),
        told=eqm.clustering.GoodmanKruskalLambda(3),
    )
    # Of three classes the last never came, which makes no difference.
    y, p = (np.tile(np.ravel(x), (3, 1)) for x in np.indices((2, 2)))
    weights = np.array([[10, 0, 0, 10], [5, 5, 5, 5], [3, 4, 0, 0]], np.float32)
    got = at_each(scores, y, p, weights)
    for name in names:
        np.testing.assert_allclose(got[name], [1, 0, NAN], rtol=1e-6)
        np.testing.assert_allclose(got[f"{name} corrected"], [1, 0, NAN], rtol=1e-6)
        np.testing.assert_allclose(got[f"{name} or 0"], [1, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(got["pearson"], [0.5**0.5, 0, 0], rtol=1e-6)
    np.testing.assert_array_equal(got["told"], [1, 0, NAN])
    x, y = np.array([0, 0, 1, 1]), np.array([0, 1, 2, 2])
    got = at_each(scores, np.stack([x, y, x]), np.stack([y, x, x]), np.ones((3, 4), np.float32))
    np.testing.assert_allclose(got["theil"], [1, 1 - 0.5 / 1.5, 1], rtol=1e-6)
