"""One update of a metric for each of 1000 groups, at batch 4096: in one pass over the rows, against
one group, the plain metric, and a `vmap` over the masks of the groups (arguments: groups, rows)."""

import functools as ft
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import eqmetrics as eqm

from ._timing import about, per_call, si, table


TASK = eqm.Multiclass(10)
METRICS: dict[str, eqm.Metric] = {
    "Accuracy": eqm.Accuracy(),
    "F1": eqm.F1(TASK),
    "Average": eqm.Average(),
    "MeanSquaredError": eqm.MeanSquaredError(),
}


def batch_of(metric: eqm.Metric, rows: int) -> dict[str, jax.Array]:
    rng = np.random.default_rng(0)
    if isinstance(metric, eqm.Average):
        return {"values": jnp.asarray(rng.normal(size=rows), jnp.float32)}
    if isinstance(metric, eqm.MeanSquaredError):
        made = rng.normal(size=(2, rows)).astype(np.float32)
        return {"predictions": jnp.asarray(made[0]), "targets": jnp.asarray(made[1])}
    return {
        "logits": jnp.asarray(rng.normal(size=(rows, 10)), jnp.float32),
        "labels": jnp.asarray(rng.integers(0, 10, rows), jnp.int32),
    }


@ft.partial(jax.jit, donate_argnums=0)
def update(metric: Any, batch: dict[str, Any]) -> Any:
    return type(metric).update(metric, **batch)


@ft.partial(jax.jit, donate_argnums=0)
def by_masks(metrics: Any, batch: dict[str, Any], group: Any) -> Any:
    """What one writes without `PerGroup`."""
    places = jnp.arange(len(jax.tree.leaves(metrics)[0]))
    masked = lambda m, place: type(m).update(m, **batch, mask=group == place)
    return jax.vmap(masked)(metrics, places)


class Loop:
    """Updates a state again and again."""

    def __init__(self, step: Any, state: Any, *rest: Any):
        self.step, self.state, self.rest = step, state, rest

    def __call__(self) -> Any:
        self.state = self.step(self.state, *self.rest)
        return self.state


def main(groups: int, rows: int) -> None:
    about("Groups")
    group = jnp.asarray(np.random.default_rng(1).integers(0, groups, rows), jnp.int32)
    lines: list[list[object]] = []
    for name, metric in METRICS.items():
        batch = batch_of(metric, rows)
        one = eqm.PerGroup(metric, 1)
        many = eqm.PerGroup(metric, groups)
        took = per_call(
            {
                "plain": Loop(update, metric, batch),
                "one": Loop(update, one, batch | {"group": 0 * group}),
                "many": Loop(update, many, batch | {"group": group}),
            },
            calls=30,
        )
        naive = Loop(by_masks, eqm.stack(metric, groups), batch, group)
        took |= per_call({"naive": naive}, calls=1, rounds=3)
        ratio = lambda a, b: f"{took[a] / took[b]:.1f}"
        lines.append(
            [
                name,
                *(si(took[k]) for k in ("plain", "one", "many", "naive")),
                ratio("many", "one"),
                ratio("many", "plain"),
                ratio("naive", "many"),
            ]
        )
    table(
        [
            f"batch {rows}", "plain", "1 group", f"{groups} groups", "`vmap` over masks",
            f"{groups} : 1", f"{groups} : plain", f"masks : {groups}",
        ],
        lines,
    )


if __name__ == "__main__":
    main(*(int(x) for x in sys.argv[1:])) if len(sys.argv) > 2 else main(1000, 4096)
