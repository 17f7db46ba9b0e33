"""Rank correlations and the concordance index of 10 000 and 100 000 rows beside scipy and
lifelines, in CPU time of all threads, in turns: update and value, compiled."""

import jax.numpy as jnp
import numpy as np

import eqmetrics as eqm

from ._timing import about, table
from .clustering import beside, whole
from .peers import module


def of_rows(rows: int) -> list[list[object]]:
    stats, rng = module("scipy.stats"), np.random.default_rng(0)
    t = rng.normal(size=rows).astype(np.float32)
    p = (t + rng.normal(size=rows)).astype(np.float32)
    seen = rng.random(rows) < 0.7
    pairs = {"predictions": jnp.asarray(p), "targets": jnp.asarray(t)}
    cases = {
        "Spearman": (eqm.Spearman(rows), pairs, lambda: stats.spearmanr(p, t)[0]),
        "Kendall": (eqm.Kendall(rows), pairs, lambda: stats.kendalltau(p, t)[0]),
    }
    try:
        utils = module("lifelines.utils")
        events = pairs | {"events": jnp.asarray(seen)}
        index = lambda: utils.concordance_index(t, p, seen)
        cases["ConcordanceIndex"] = eqm.ConcordanceIndex(rows), events, index
    except ImportError:
        pass
    found = []
    for name, (metric, batch, peer) in cases.items():
        mine = whole(metric, batch)
        assert abs(float(mine()) - float(peer())) < 1e-6, name
        found.append(beside(f"{name}, {rows} rows", mine, peer))
    return found


def main() -> None:
    about("Rank correlations", "scipy", "lifelines")
    head = ["", "CPU time of update and value", "scipy; lifelines for the index", ""]
    table(head, of_rows(10**4) + of_rows(10**5))


if __name__ == "__main__":
    main()
