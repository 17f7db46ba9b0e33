"""`jax.export` of an update whose number of rows is left open."""

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import eqmetrics as eqm

from . import table


# They keep the rows themselves, draw a weight for each, go through them in a loop, or scatter
# floats, which needs to know how many there may be.
OF_KNOWN_ROWS = {
    "ScoreBuffer",
    "exact AUROC",
    "PairBuffer",
    "Buffer",
    "Spearman",
    "Kendall",
    "ConcordanceIndex",
    "NormalizedGini",
    "Significance",
    "Bootstrap",
    "Bootstrap of PerGroup",
    "PerGroup of Bootstrap",
    "PerGroup of Interval",
    "clustering.ClusterBuffer",
    "clustering.Coincidences",
    "clustering.KrippendorffAlpha",
    "clustering.Silhouette",
    "detection.DetectionBuffer",
    "detection.DetectionReport",
    "detection.MeanAveragePrecision",
    "detection.MeanAveragePrecision of similarities",
    "detection.MeanAverageRecall",
    "detection.SimilarityBuffer",
    "generative.Coverage",
    "generative.Density",
    "generative.FeatureBuffer",
    "generative.GenerativePrecision",
    "generative.GenerativeRecall",
    "generative.KernelDistance",
    "generative.MaximumMeanDiscrepancy",
    "ranking.LinkHits",
    "rl.EpisodeStatistics",
    "rl.IQM",
    "rl.MedianOfMeans",
    "rl.OptimalityGap",
    "rl.PerformanceProfile",
    "rl.ProbabilityOfImprovement",
    "rl.RunScores",
    "rl.StratifiedBootstrap",
    "uncertainty.AURC",
    "uncertainty.BulkSampleSize",
    "uncertainty.ChainBuffer",
    "uncertainty.ConfidenceBuffer",
    "uncertainty.ConformalQuantile of a buffer",
    "uncertainty.IPCWBrier",
    "uncertainty.IntegratedBrier",
    "uncertainty.RankRHat",
    "uncertainty.SelectiveRisk",
    "uncertainty.SurvivalBuffer",
    "uncertainty.TimeDependentAUC",
    "uncertainty.ValueBuffer",
}


def of_open_rows(batch):
    (rows,) = export.symbolic_shape("rows")

    def spec(x):
        x = jnp.asarray(x)
        return jax.ShapeDtypeStruct((rows, *x.shape[1:]) if x.ndim else (), x.dtype)

    return {name: spec(x) for name, x in batch.items()}


def exported(metric, batch):
    leaves, treedef = jax.tree.flatten(metric)

    def update(leaves, batch):
        return jax.tree.leaves(jax.tree.unflatten(treedef, leaves).update(**batch))

    shapes = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in leaves]
    return export.export(jax.jit(update))(shapes, of_open_rows(batch))


def rows_of_table():
    slow = table.SLOW
    for name in sorted(table.ROWS.keys() - table.APART - OF_KNOWN_ROWS):
        yield pytest.param(name, marks=pytest.mark.slow if name in slow else ())


@pytest.mark.parametrize("name", [*rows_of_table()])
def test_update_of_open_rows(name):
    metric, batches = table.ROWS[name]
    assert len(exported(metric, batches[0]).out_avals) == len(jax.tree.leaves(metric))


@pytest.mark.parametrize("row", sorted(OF_KNOWN_ROWS))
def test_update_of_known_rows(row):
    metric, batches = table.ROWS[row]
    where, name = vars(jax.errors), "InconclusiveDimensionOperation"
    inconclusive = where[name] if name in where else vars(jax.core)[name]  # before jax 0.10
    with pytest.raises((TypeError, inconclusive), match="[Dd]im"):
        exported(metric, batches[0])


@pytest.mark.parametrize("weighted", [False, True])
def test_one_program_for_any_number_of_rows(weighted):
    metrics = eqm.MetricDict(
        accuracy=eqm.Accuracy(),
        f1=eqm.F1(eqm.Multiclass(5)).from_output(weights=None),
        loss=eqm.Average().from_output("loss"),
        std=eqm.Std().from_output("loss"),
    )
    rng = np.random.default_rng(0)

    def batch(rows):
        out = {
            "logits": rng.normal(size=(rows, 5)).astype(np.float32),
            "labels": rng.integers(0, 5, rows).astype(np.int32),
            "loss": rng.normal(1e3, 1, size=rows).astype(np.float32),
            "mask": rng.random(rows) < 0.8,
        }
        return out | ({"weights": rng.random(rows).astype(np.float32)} if weighted else {})

    program = exported(metrics, batch(3))
    leaves, treedef = jax.tree.flatten(metrics)
    want = metrics
    for rows in (1, 64, 20_000):
        outputs = batch(rows)
        leaves = program.call(leaves, outputs)
        want = jax.jit(lambda m, x: m.update(**x))(want, outputs)
    got = eqm.to_host(jax.tree.unflatten(treedef, leaves))
    for name, x in eqm.to_host(want).items():
        np.testing.assert_allclose(got[name], x, rtol=1e-6)


def test_an_exported_collection_of_an_open_number_of_rows():
    metrics = eqm.MetricDict(mean=eqm.Average(), std=eqm.Std(), most=eqm.Max())
    leaves, treedef = jax.tree.flatten(metrics)

    def update(leaves, x):
        return jax.tree.leaves(jax.tree.unflatten(treedef, leaves).update(values=x))

    (rows,) = export.symbolic_shape("rows")
    given = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), leaves)
    saved = export.export(jax.jit(update))(given, jax.ShapeDtypeStruct((rows,), jnp.float32))
    for x in np.split(np.arange(20, dtype=np.float32) ** 2, [13]):
        new = jax.tree.unflatten(treedef, saved.call(leaves, jnp.asarray(x)))
        alone = metrics.update(values=x).compute()
        for name, value in new.compute().items():
            np.testing.assert_allclose(value, alone[name], rtol=1e-6)
