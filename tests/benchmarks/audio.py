"""Updates of signals beside mir_eval and fast-bss-eval, in CPU time of all threads, in turns; and
what their programs take to compile."""

import warnings

import jax.numpy as jnp
import numpy as np

import eqmetrics as eqm

from ._timing import about, si, table
from .peers import module
from .text import compiled, cpu_per_call


SIGNALS, SECONDS, RATE = 4, 2, 16_000


def speech() -> tuple[np.ndarray, np.ndarray]:
    """Noise of low frequencies, and what a room makes of it, with noise of its own at 20 dB."""
    rng = np.random.default_rng(0)
    lfilter = module("scipy.signal").lfilter
    t = lfilter([1], [1, -0.97], rng.normal(size=(SIGNALS, SECONDS * RATE)), axis=-1)
    p = lfilter(np.exp(-np.arange(200) / 20) * rng.normal(size=200), [1], t, axis=-1)
    p = p + 0.1 * p.std() * rng.normal(size=p.shape)
    return p.astype(np.float32), t.astype(np.float32)


def main() -> None:
    warnings.filterwarnings("ignore", category=FutureWarning)
    about("Audio", "mir_eval", "fast_bss_eval")
    mir, bss = module("mir_eval.separation"), module("fast_bss_eval.numpy")
    p, t = speech()
    batch = {"predictions": jnp.asarray(p), "targets": jnp.asarray(t)}
    pairs = [(x[None], y[None]) for x, y in zip(t.astype(float), p.astype(float), strict=True)]
    each = lambda fn: lambda: [fn(*pair) for pair in pairs] and None
    peers = {
        "mir_eval": each(lambda t, p: mir.bss_eval_sources(t, p, False)),
        "fast-bss-eval": each(lambda t, p: bss.sdr(t, p)),
    }
    metrics = {"SDR": eqm.audio.SDR(), "SISDR": eqm.audio.SISDR()}
    programs = {k: compiled(metric, batch) for k, metric in metrics.items()}
    took = cpu_per_call(peers | {k: f for k, (f, _) in programs.items()}, rounds=9)
    rows: list[list[object]] = [
        [f"`{k}`", si(took[k]), *(f"{took[k] / took[x]:.2f} of {x}" for x in peers), f"{s:.1f} s"]
        for k, (_, s) in programs.items()
    ]
    print(f"{SIGNALS} signals of {SECONDS} s at {RATE // 1000} kHz. The peers compute `SDR`, in")
    print("float64, a signal at a time.\n")
    table(["metric", "CPU time of an update", "", "", "compiled in"], rows)


if __name__ == "__main__":
    main()
