"""Ten regression scores of one batch of rows, updated under `jit`: against the bare jax.numpy form,
metrax, torchmetrics and keras."""

import functools as ft

import jax
import jax.numpy as jnp
import numpy as np

import eqmetrics as eqm

from ._timing import about, per_call, si, table


TEN = eqm.MetricDict(
    mse=eqm.MeanSquaredError(),
    rmse=eqm.RootMeanSquaredError(),
    mae=eqm.MeanAbsoluteError(),
    smape=eqm.SymmetricMAPE(),
    log_cosh=eqm.LogCosh(),
    max=eqm.MaxError(),
    r2=eqm.R2(),
    explained=eqm.ExplainedVariance(),
    pearson=eqm.Pearson(),
    concordance=eqm.Concordance(),
)


def bare_update(sums, p, t):
    """Plain sums, as most libraries keep them; at an offset they cancel."""
    e = p - t
    size = jnp.abs(p) + jnp.abs(t)
    new = [
        jnp.float32(p.size),
        jnp.sum(e * e),
        jnp.sum(jnp.abs(e)),
        jnp.sum(jnp.where(size == 0, 0, 2 * jnp.abs(e) / size)),
        jnp.sum(jnp.logaddexp(e, -e) - jnp.log(2.0)),
        jnp.sum(e),
        jnp.sum(p),
        jnp.sum(t),
        jnp.sum(p * p),
        jnp.sum(t * t),
        jnp.sum(p * t),
    ]
    return sums[0] + jnp.stack(new), jnp.maximum(sums[1], jnp.max(jnp.abs(e)))


def bare_compute(sums):
    (n, se, ae, sm, lc, e, p, t, pp, tt, pt), most = sums
    var_p, var_t, cov = pp / n - (p / n) ** 2, tt / n - (t / n) ** 2, pt / n - p * t / n**2
    return {
        "mse": se / n,
        "rmse": jnp.sqrt(se / n),
        "mae": ae / n,
        "smape": sm / n,
        "log_cosh": lc / n,
        "max": most,
        "r2": 1 - se / n / var_t,
        "explained": 1 - (se / n - (e / n) ** 2) / var_t,
        "pearson": cov / jnp.sqrt(var_p * var_t),
        "concordance": 2 * cov / (var_p + var_t + (p / n - t / n) ** 2),
    }


def with_metrax():
    """Those of the ten that it has."""
    import metrax

    kinds = metrax.MSE, metrax.RMSE, metrax.MAE, metrax.RSQUARED
    update = jax.jit(
        lambda m, p, t: [a.merge(type(a).from_model_output(predictions=p, labels=t)) for a in m]
    )
    return [kind.empty() for kind in kinds], update


def with_torch():
    import torch  # pyright: ignore[reportMissingImports]
    import torchmetrics  # pyright: ignore[reportMissingImports]
    import torchmetrics.regression as r  # pyright: ignore[reportMissingImports]

    found = {
        "mse": r.MeanSquaredError(),
        "rmse": r.MeanSquaredError(squared=False),
        "mae": r.MeanAbsoluteError(),
        "smape": r.SymmetricMeanAbsolutePercentageError(),
        "log_cosh": r.LogCoshError(),
        "minkowski": r.MinkowskiDistance(2.0),  # for the largest error, which it hasn't
        "r2": r.R2Score(),
        "explained": r.ExplainedVariance(),
        "pearson": r.PearsonCorrCoef(),
        "concordance": r.ConcordanceCorrCoef(),
    }
    metrics = torchmetrics.MetricCollection(found, compute_groups=True)
    return metrics, torch.from_numpy


def with_keras():
    """Those of the ten that it has, as its users write it for the jax backend: state by state."""
    import os

    os.environ["KERAS_BACKEND"] = "jax"
    import keras  # pyright: ignore[reportMissingImports]

    k = keras.metrics
    found = [
        k.MeanSquaredError(),
        k.RootMeanSquaredError(),
        k.MeanAbsoluteError(),
        k.LogCoshError(),
        k.R2Score(),
        k.PearsonCorrelation(axis=0),
        k.ConcordanceCorrelation(axis=0),
    ]

    @jax.jit
    def update(states, p, t):
        p, t = p[:, None], t[:, None]
        pairs = zip(found, states, strict=True)
        return [m.stateless_update_state(s, t, p) for m, s in pairs]

    one = np.ones((2, 1), np.float32)
    for m in found:
        m.update_state(one, one)  # builds it
        m.reset_state()
    return [[jnp.asarray(v.value) for v in m.variables] for m in found], update


def looped(update, state, *arguments):
    held = [state]

    def call():
        held[0] = update(held[0], *arguments)
        return held[0]

    return call


def main() -> None:
    about("Ten regression scores", "google-metrax", "torchmetrics", "keras")
    times_of, reads = [], []
    ours = jax.jit(lambda m, p, t: m.update(predictions=p, targets=t))
    bare = jax.jit(bare_update)
    for count in (10**3, 10**4, 10**5, 10**6):
        rng = np.random.default_rng(0)
        t = rng.normal(size=count).astype(np.float32)
        p = (t + 0.5 * rng.normal(size=count)).astype(np.float32)
        pair = jnp.asarray(p), jnp.asarray(t)
        empty = jnp.zeros(11, jnp.float32), jnp.float32(-jnp.inf)
        forms = {
            "bare": looped(bare, empty, *pair),
            "eqmetrics": looped(ours, TEN, *pair),
        }
        for name, make in (("metrax, 4 of them", with_metrax), ("keras, 7 of them", with_keras)):
            try:
                state, update = make()
                forms[name] = looped(update, state, *pair)
            except ImportError:
                pass
        try:
            metrics, convert = with_torch()
            both = convert(p), convert(t)
            forms["torchmetrics"] = ft.partial(metrics.update, *both)
        except ImportError:
            pass
        times = per_call(forms, 10 if count > 10**5 else 30, 7)
        against = {k: f"{si(x)} ({x / times['bare']:.2f})" for k, x in times.items()}
        times_of.append([count, *against.values()])
        read = {
            "bare": ft.partial(jax.jit(bare_compute), bare(empty, *pair)),
            "ours": ft.partial(jax.jit(eqm.compute), ours(TEN, *pair)),
        }
        read = per_call(read, 10, 7)
        reads.append([count, si(read["bare"]), si(read["ours"])])
    table(["rows", *forms], times_of)
    print("An update; in brackets: against the bare form.\n")
    table(["rows", "bare compute", "eqmetrics compute"], reads)

    t = (rng.normal(size=10**5) + 1e6).astype(np.float32)
    p = (t + 0.5 * rng.normal(size=t.size)).astype(np.float32)
    exact = p.astype(np.float64), t.astype(np.float64)
    right = 1 - np.sum((exact[0] - exact[1]) ** 2) / np.sum((exact[1] - exact[1].mean()) ** 2)
    seen = ours(TEN, p, t).compute()["r2"]
    cancelled = bare_compute(bare(empty, p, t))["r2"]
    print(f"R2 at an offset of 1e6: {seen:.6f}; bare {cancelled:.6f}; float64 {right:.6f}\n")
    print("Covered: one device, float32, no mask, no weights.\n")


if __name__ == "__main__":
    main()
