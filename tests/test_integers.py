"""Integers that no float32 holds: subtracted before they are rounded, at any offset."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import eqmetrics as eqm

from .table import ROWS


ROWS_OF, OFFSET = 40, 1_764_000_000  # seconds of Unix time
RNG = np.random.default_rng(0)
DRAWN = RNG.permuted(np.arange(ROWS_OF))[:, None] * np.array([[3, 5]]) + RNG.integers(0, 9, (40, 2))
P, T = DRAWN.astype(np.float64).T
NAIVE = 1.0 + np.arange(ROWS_OF) % 3
SIZE = float(OFFSET)


def quantile_loss(a, x):
    return np.where(x > 0, a * x, (a - 1) * x)


def crps(samples, t):
    pairs = np.abs(samples[:, :, None] - samples[:, None, :])
    return np.mean(np.abs(samples - t[:, None]).mean(1) - pairs.mean((1, 2)) / 2)


def tweedie(power, p, t):
    """Its leading term: the errors are a hundred-millionth of the targets."""
    return np.mean((t - p) ** 2 / (p + OFFSET) ** power)


def r2(p, t):
    return 1 - np.sum((t - p) ** 2) / np.sum((t - t.mean()) ** 2)


def concordance(p, t):
    both = np.mean((p - p.mean()) * (t - t.mean()))
    return 2 * both / (p.var() + t.var() + (p.mean() - t.mean()) ** 2)


def index(p, t, died):
    later = (t[:, None] < t[None]) | ((t[:, None] == t[None]) & ~died[None])
    first, second = np.nonzero(later & died[:, None])
    return np.mean(np.sign(p[second] - p[first]) / 2 + 0.5)


def ranks(samples, t):
    counts = np.zeros(4)
    for x, y in zip(samples, t, strict=True):
        lowest, highest = np.sum(x < y), np.sum(x <= y)
        counts[lowest : highest + 1] += 1 / (highest - lowest + 1)
    test = stats.chisquare(counts)
    return {"counts": counts, "chi_square": test.statistic, "p_value": test.pvalue}


def r_hat(x):
    within, between = x.var(1, ddof=1).mean(), x.mean(1).var(ddof=1)
    return np.sqrt(between / within + 1 - 1 / x.shape[1])


LOWER, UPPER, DIED = np.minimum(P, 40), np.minimum(P, 40) + 30, np.arange(ROWS_OF) % 3 > 0
SAMPLES = np.stack([P, T, (P + 2 * T) // 3], axis=1)
SHIFTED = {
    "predictions": P,
    "targets": T,
    "values": P,
    "samples": SAMPLES,
    "lower": LOWER,
    "upper": UPPER,
}
Z = (T - P) / NAIVE
E = np.abs(P - T)
CASES = {
    "MeanAbsoluteError": (eqm.MeanAbsoluteError(), E.mean()),
    "MeanSquaredError": (eqm.MeanSquaredError(), np.mean(E**2)),
    "RootMeanSquaredError": (eqm.RootMeanSquaredError(), np.sqrt(np.mean(E**2))),
    "SquaredErrors": (eqm.SquaredErrors(), {"total": np.sum(E**2), "weight": 40}),
    "MeanAbsolutePercentageError": (
        eqm.MeanAbsolutePercentageError(),
        np.mean(E / (T + SIZE)),
    ),
    "SymmetricMAPE": (eqm.SymmetricMAPE(), np.mean(2 * E / (T + P + 2 * SIZE))),
    "WeightedMAPE": (eqm.WeightedMAPE(), np.sum(E) / np.sum(T + SIZE)),
    "MeanSquaredLogError": (
        eqm.MeanSquaredLogError(),
        np.mean((E / (T + SIZE)) ** 2),
    ),
    "RootMeanSquaredLogError": (
        eqm.RootMeanSquaredLogError(),
        np.sqrt(np.mean((E / (T + SIZE)) ** 2)),
    ),
    "LogCosh": (eqm.LogCosh(), np.mean(np.logaddexp(E, -E) - np.log(2))),
    "Huber": (eqm.Huber(20), np.mean(np.where(E <= 20, E * E / 2, 20 * (E - 10)))),
    "Pinball": (eqm.Pinball(0.3), np.mean(quantile_loss(0.3, T - P))),
    "Minkowski": (eqm.Minkowski(3), np.sum(E**3) ** (1 / 3)),
    "MaxError": (eqm.MaxError(), E.max()),
    "MedianAbsoluteError": (eqm.MedianAbsoluteError(), np.median(E)),
    "Tweedie": (eqm.Tweedie(1.5), tweedie(1.5, P, T)),
    "D2Tweedie": (eqm.D2Tweedie(1.5), r2(P, T)),
    "OneSidedErrors": (
        eqm.OneSidedErrors(),
        {"below": np.maximum(T - P, 0).sum(), "above": np.maximum(P - T, 0).sum()},
    ),
    "MASE": (eqm.MASE(), np.mean(E / NAIVE)),
    "CRPSEnsemble": (eqm.CRPSEnsemble(), crps(SAMPLES, T)),
    "CRPSGaussian": (
        eqm.CRPSGaussian(),
        np.mean(
            NAIVE
            * (Z * (2 * stats.norm.cdf(Z) - 1) + 2 * stats.norm.pdf(Z) - 1 / np.sqrt(np.pi))
        ),
    ),
    "GaussianNLL": (eqm.GaussianNLL(), -np.mean(stats.norm.logpdf(T, P, NAIVE))),
    "IntervalCoverage": (eqm.IntervalCoverage(), np.mean((LOWER <= T) & (T <= UPPER))),
    "WinklerScore": (
        eqm.WinklerScore(0.5),
        np.mean(UPPER - LOWER + 4 * (np.maximum(LOWER - T, 0) + np.maximum(T - UPPER, 0))),
    ),
    "R2": (eqm.R2(), r2(P, T)),
    "ExplainedVariance": (eqm.ExplainedVariance(), 1 - np.var(T - P) / np.var(T)),
    "RelativeSquaredError": (eqm.RelativeSquaredError(), 1 - r2(P, T)),
    "NormalizedRMSE": (eqm.NormalizedRMSE("std"), np.sqrt(1 - r2(P, T))),
    "Pearson": (eqm.Pearson(), np.corrcoef(P, T)[0, 1]),
    "Concordance": (eqm.Concordance(), concordance(P, T)),
    "Spearman": (eqm.Spearman(50), stats.spearmanr(P, T)[0]),
    "Kendall": (eqm.Kendall(50), stats.kendalltau(P, T)[0]),
    "NormalizedGini": (
        eqm.NormalizedGini(50),
        np.cov(T, stats.rankdata(P))[0, 1] / np.cov(T, stats.rankdata(T))[0, 1],
    ),
    "ConcordanceIndex": (eqm.ConcordanceIndex(50), index(P, T, DIED)),
    "CriticalSuccessIndex": (
        eqm.CriticalSuccessIndex(OFFSET + 60),
        np.sum((P >= 60) & (T >= 60)) / np.sum((P >= 60) | (T >= 60)),
    ),
    "Std": (eqm.Std(), P.std()),
    "Variance": (eqm.Variance(ddof=1), P.var(ddof=1)),
    "Moments": (
        eqm.Moments(),
        {
            "mean": P.mean() + SIZE,
            "variance": P.var(ddof=1),
            "skewness": stats.skew(P),
            "kurtosis": stats.kurtosis(P),
            "standard_error": P.std(ddof=1) / np.sqrt(ROWS_OF),
        },
    ),
    "Histogram": (
        eqm.Histogram([OFFSET, OFFSET + 20, OFFSET + 50.5, OFFSET + 90]),
        {
            "counts": np.histogram(P, [0, 20, 50.5, 90])[0],
            "below": 0,
            "above": np.sum(P > 90),
        },
    ),
    "Sum": (eqm.Sum(), np.sum(P) + ROWS_OF * SIZE),
    "Average": (eqm.Average(), P.mean() + SIZE),
    "Max": (eqm.Max(), P.max() + SIZE),
    "Min": (eqm.Min(), P.min() + SIZE),
    "Median": (eqm.Median(), np.median(P) + SIZE),
    "Quantile": (eqm.Quantile(0.9), np.quantile(P, 0.9) + SIZE),
    "uncertainty.CredibleCoverage": (
        eqm.uncertainty.CredibleCoverage((0.5,)),
        [np.mean((np.quantile(SAMPLES, 0.25, 1) <= T) & (T <= np.quantile(SAMPLES, 0.75, 1)))],
    ),
    "uncertainty.ConformalQuantile of a buffer": (
        eqm.uncertainty.ConformalQuantile(0.1, exact=50),
        np.sort(P)[36] + SIZE,
    ),
    "uncertainty.SBCRanks": (eqm.uncertainty.SBCRanks(3), ranks(SAMPLES, T)),
    "uncertainty.RHat": (eqm.uncertainty.RHat(3, split=False), r_hat(SAMPLES)),
}
# Read through a statistic whose other readouts are above, or with a test of their own below.
OTHERS = {
    "CentredMoments", "CrossMoments", "PairMoments", "QuantileSketch", "PairBuffer", "Covariance",
    "Correlation", "D2Pinball", "D2AbsoluteError", "Wasserstein1D", "Reservoir", "Buffer",
    "training.PopulationStability", "uncertainty.ConformalQuantile", "uncertainty.ValueBuffer",
    "uncertainty.EffectiveSampleSize",
    "Significance", "LimitsOfAgreement",
}  # fmt: skip
# No numbers of any offset: probabilities, counts, directions, durations.
NONE = {
    "Count", "LastValue", "Throughput", "PoissonNLL", "CosineSimilarity", "KLDivergence",
    "JensenShannon", "MultiOutput", "Compose", "Windowed", "Decayed", "Best", "Bootstrap",
    "Bootstrap of PerGroup", "Decayed of PerGroup", "PerGroup by masks",
    "PerGroup of a user's metric", "Optional", "CrossEntropy",
}  # fmt: skip
# Pictures, fields, sounds and points, and the error of a value, which is a float of what rows add.
NONE |= {n for n in ROWS if n.startswith(("image.", "fields.", "audio.", "shape."))}
# Probabilities to live; and ranks of draws, which refuse integers that no float holds.
NONE |= {f"uncertainty.{name}" for name in ("IPCWBrier", "IntegratedBrier", "TimeDependentAUC")}
NONE |= {f"uncertainty.{name}" for name in ("SurvivalBuffer", "ChainBuffer", "RankRHat")}
NONE |= {"uncertainty.BulkSampleSize"}
NONE |= {"Interval of clusters", "Interval of moments", "PerGroup of Interval", "StandardError"}


def given_to(name, cast):
    batch = ROWS[name][1][0]
    given = {k: cast(v.astype(np.int64) + OFFSET) for k, v in SHIFTED.items() if k in batch}
    more = {"scales": NAIVE, "naive_errors": NAIVE, "events": DIED}
    return given | {k: jnp.asarray(v) for k, v in more.items() if k in batch}


def near(got, want, name):
    # Cells of a sketch are 0.4 % wide, and a skewness near 0 is a difference.
    rtol = 4e-3 if name == "MedianAbsoluteError" else 1e-5
    atol = 5e-5 if name == "Moments" else 0
    for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(np.asarray(x, np.float64), y, rtol, atol)


def test_no_row_is_left_out():
    taken = {name for name, (_, batches) in ROWS.items() if SHIFTED.keys() & batches[0].keys()}
    assert taken <= CASES.keys() | OTHERS | NONE


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    "dtype", ["int32", *(pytest.param(d, marks=pytest.mark.slow) for d in ("uint32", "int64"))]
)
def test_at_a_large_offset(name, dtype):
    metric, want = CASES[name]
    with jax.enable_x64(dtype == "int64"):
        near(metric(**given_to(name, lambda x: jnp.asarray(x, dtype))), want, name)


def test_two_types_of_integers_and_floats_beside_them():
    p = jnp.asarray(P.astype(np.int64) + OFFSET, jnp.uint32)
    t = jnp.asarray(T.astype(np.int64) + OFFSET, jnp.int32)
    mae = eqm.MeanAbsoluteError()
    near(mae(predictions=p, targets=t), E.mean(), "")
    near(mae(predictions=t, targets=p), E.mean(), "")
    rounded = np.float32(P + SIZE)
    want = np.mean(np.abs(rounded.astype(np.float64) - SIZE - T))
    near(mae(predictions=jnp.asarray(rounded), targets=t), want, "")
    near(mae(predictions=jnp.full(1, -(2**31)), targets=jnp.full(1, 2**31 - 1)), 2.0**32, "")
    assert mae(predictions=jnp.array([2**24 + 1]), targets=jnp.array([2**24])) == 1.0
    spread = eqm.Std()
    for part in np.split(P.astype(np.int64) + OFFSET, 8):
        spread = spread.update(jnp.asarray(part, jnp.int32))
    near(spread.compute(), P.std(), "")


def test_constants_are_told_from_what_rounds_to_them():
    one = jnp.full(30, OFFSET + 1, jnp.int32)
    two = one.at[3].add(1)
    weights = jnp.linspace(0.1, 2, 30)
    for w in (None, weights):
        assert jnp.isnan(eqm.R2()(predictions=two, targets=one, weights=w))
        assert eqm.Std()(one, weights=w) == 0.0
    both = eqm.Std().update(one, weights=weights).merge(eqm.Std().update(one[:7]))
    assert both.compute() == 0.0
    want = np.std(np.arange(30) == 3)
    near(eqm.Std()(two), want, "")
    assert eqm.R2()(predictions=two, targets=two) == 1.0
    columns = jnp.stack([two, one.at[4].add(-2)], axis=1)
    near(eqm.Covariance(2)(columns)[0, 0], want**2 * 30 / 29, "")
    assert abs(eqm.Correlation(2)(columns)[0, 1] - 1 / 29) < 1e-5
    d2 = eqm.D2Tweedie(1.5)
    assert jnp.isnan(d2(predictions=two, targets=one)) and d2(predictions=two, targets=two) == 1


@pytest.mark.slow
def test_bounds_hold_what_no_float_holds():
    p, t = (jnp.asarray(x.astype(np.int64) + OFFSET, jnp.int32) for x in (P, T))
    least = min(quantile_loss(0.3, T - x).sum() for x in T)
    cases = {
        1 - quantile_loss(0.3, T - P).sum() / least: eqm.D2Pinball(0.3),
        np.abs(np.sort(P) - np.sort(T)).mean(): eqm.Wasserstein1D(),
    }
    for want, metric in cases.items():
        low, high = metric.update(predictions=p, targets=t).bounds()
        assert low <= want <= high


def test_rows_are_kept_as_they_are_or_refused():
    values = jnp.asarray(P.astype(np.int64) + OFFSET, jnp.int32)
    ids = jnp.arange(ROWS_OF)
    kept = eqm.Reservoir(ROWS_OF, jax.random.key(0), dtype=jnp.int32)(values, ids=ids)
    assert sorted(kept.values.tolist()) == sorted(values.tolist())
    small = eqm.Reservoir(4, jax.random.key(0))
    assert small(values.astype(jnp.int16), ids=ids).mask.all()
    with pytest.raises(TypeError, match="keeps rows as float32.*int32.*dtype=jnp.int32"):
        small.update(values, ids=ids)
    whole = eqm.Reservoir(4, jax.random.key(0), dtype=jnp.int32)
    with pytest.raises(TypeError, match="keeps rows as int32"):
        whole.update(jnp.ones(ROWS_OF), ids=ids)
    buffer = eqm.Buffer(100, loss=jnp.float32)
    with pytest.raises(eqm.InvalidDataError, match="integers that fit"):
        buffer.update(loss=values).check()
