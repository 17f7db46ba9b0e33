"""The mean of 2e7 values (argument: how many; 1e8 take minutes), in steps of 1, 32 and 128
rows: relative errors and seconds. The gamma values are one block of 2^20, repeated; the truth is
its mean in exact arithmetic."""

import math
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

import eqmetrics as eqm

from ._timing import about, table


BLOCK = 2**20


def ours():
    return eqm.Average(), lambda m, x: m.update(x), lambda m: m.compute()


def plain():
    update = lambda s, x: (s[0] + x.sum(), s[1] + x.shape[0])
    return (jnp.zeros(()), jnp.zeros(())), update, lambda s: s[0] / s[1]


def with_clu():
    import clu.metrics

    average = clu.metrics.Average
    update = lambda m, x: m.merge(average.from_model_output(x))
    return average.empty(), update, lambda m: m.compute()


def with_metrax():
    import metrax

    update = lambda m, x: m.merge(metrax.Average.from_model_output(values=x))
    empty = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), metrax.Average.empty())
    return empty, update, lambda m: m.compute()


def mean(maker, block: np.ndarray, rows: int, total: int) -> tuple[float, float, int]:
    empty, update, compute = maker()
    steps = block.reshape(-1, rows)
    times = -(-total // block.size)

    @jax.jit
    def run(state, steps):
        def one(state, x):
            new = update(state, x)
            return jax.tree.map(lambda a, b: a.astype(b.dtype), new, state), None

        def whole(state, _):
            return jax.lax.scan(one, state, steps)[0], None

        return jax.lax.scan(whole, state, None, length=times)[0]

    start = time.perf_counter()
    value = float(compute(run(empty, steps)))
    return value, time.perf_counter() - start, times * block.size


def main(total: int) -> None:
    about("Sums", "clu", "google-metrax")
    values = {
        "0.1": np.full(BLOCK, 0.1, np.float32),
        "gamma(2, 3)": np.random.default_rng(0).gamma(2.0, 3.0, BLOCK).astype(np.float32),
    }
    makers = {"eqmetrics": ours, "plain float32": plain, "clu": with_clu, "metrax": with_metrax}
    rows = []
    for name, block in values.items():
        truth = math.fsum(block.tolist()) / block.size
        for size in (1, 32, 128):
            row: list[object] = [name, size]
            for maker in makers.values():
                value, seconds, _ = mean(maker, block, size, total)
                row.append(f"{value / truth - 1:+.1e} ({seconds:.1f} s)")
            rows.append(row)
    count = -(-total // BLOCK) * BLOCK
    table([f"mean of {count:.3g} values", "rows a step", *makers], rows)


if __name__ == "__main__":
    main(int(float(sys.argv[1])) if len(sys.argv) > 1 else 2 * 10**7)
