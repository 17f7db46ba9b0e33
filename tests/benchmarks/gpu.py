"""On one GPU: updates against bare jax.numpy, confusion matrices against one-hot products, groups,
and whole values beside torchmetrics on the same GPU. `--numbers 12` compares each row of the tests'
table with the CPU instead, in 12 processes. `--small` runs here what there is, without a GPU."""

import argparse
import os
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import eqmetrics as eqm

from . import _both, together
from ._timing import about, per_call, si, table
from ._values import Row, values


SLICE = 2**14
rng = np.random.default_rng(0)


def against(name: str, forms: dict[str, tuple[Callable, Any, Any]], calls: int = 100) -> Row:
    """A call of each form, a function of a state and a batch: its time, also relative to the first
    form, and the number of fused operations in its program."""
    programs, told = {}, {}
    for k, (f, *given) in forms.items():
        try:
            programs[k] = jax.jit(f).lower(*given).compile()
            jax.block_until_ready(programs[k](*given))
        except Exception as e:  # a product that the device doesn't have, say
            told[k] = type(e).__name__
            programs.pop(k, None)
    took = per_call({k: lambda c=c, x=forms[k][1:]: c(*x) for k, c in programs.items()}, calls)
    base = next(iter(took.values()))
    for k, c in programs.items():
        told[k] = f"{si(took[k])} ({took[k] / base:.2f}; {str(c.as_text()).count(' fusion(')})"
    return [name, *(told[k] for k in forms)]


def scanned(update: Callable) -> Callable:
    """Of ten batches in one program: without what a call costs the host."""
    return lambda state, batches: lax.scan(lambda s, b: (update(s, b), None), state, batches)[0]


def calls(large: int) -> Iterator[Row]:
    from . import regression, updates  # which make arrays, and so take the device; and need flax

    forms = {k: together.form_of(k) for k in ("bare", "eqmetrics")}
    for size in (4096, large):
        batch = together.batch_of(size)
        given = {k: (f, state, batch) for k, (f, state) in forms.items()}
        yield against(f"nine metrics, {size} rows", given)
        ten = jax.tree.map(lambda x: jnp.stack([x + i for i in range(10)]), batch)
        ten["labels"] = jnp.stack([batch["labels"]] * 10)
        given = {k: (scanned(f), state, ten) for k, (f, state) in forms.items()}
        yield against(f"nine metrics, {size} rows, ten in a `scan`", given, 20)
    data = [jnp.asarray(x) for x in updates.batch(min(large, 4096), 1000)]
    made = {"bare": updates.bare(), "eqmetrics": updates.ours()}
    given = {k: (lambda s, b, f=f: f(s, *b), s, data) for k, (s, f) in made.items()}
    yield against("accuracy, average, std; 4096 x 1000", given)
    names = "predictions", "targets"
    batch = {k: together.batch_of(large)[k] for k in names}
    plain = lambda s, b: regression.bare_update(s, *(b[k] for k in names))
    sums = jnp.zeros(11, jnp.float32), jnp.float32(-jnp.inf)
    given = {"bare": (plain, sums, batch), "eqmetrics": (_both.updated, regression.TEN, batch)}
    yield against(f"ten regression scores, {large} rows", given)


def one_hot(dtype: Any, summed: Any) -> Callable:
    """A confusion matrix as products of slices: counts to 2^24 are exact in each. (Only timed.)"""

    def update(matrix: jax.Array, batch: dict[str, jax.Array]) -> jax.Array:
        classes = jnp.arange(len(matrix), dtype=jnp.int32)

        def step(matrix: jax.Array, both: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
            true, predicted = ((x[:, None] == classes[None]).astype(dtype) for x in both)
            contracted = (((0,), (0,)), ((), ()))
            added = lax.dot_general(true, predicted, contracted, preferred_element_type=summed)
            return matrix + added.astype(matrix.dtype), None

        true, predicted = (batch[k].reshape(-1, SLICE) for k in ("labels", "predicted_labels"))
        return lax.scan(step, matrix, (true, predicted))[0]

    return update


def matrices(large: int) -> Iterator[Row]:
    for classes in (10, 100, 1000):
        names = "labels", "predicted_labels"
        batch = {k: jnp.asarray(rng.integers(0, classes, large), jnp.int32) for k in names}
        zeros = jnp.zeros((classes, classes), jnp.int32)
        scatter = lambda m, b: m.at[b["labels"], b["predicted_labels"]].add(1)
        forms = {
            "bare": (scatter, zeros, batch),
            "eqmetrics": (_both.updated, eqm.ConfusionMatrix(eqm.Multiclass(classes)), batch),
            "bfloat16": (one_hot(jnp.bfloat16, jnp.float32), zeros, batch),
            "int8": (one_hot(jnp.int8, jnp.int32), zeros, batch),
        }
        yield against(f"{classes} classes, {large} rows", forms, 10)


def in_groups(large: int) -> Iterator[Row]:
    from . import groups  # which makes arrays at once, and so takes the device

    group = jnp.asarray(rng.integers(0, 1000, large), jnp.int32)
    for name, metric in groups.METRICS.items():
        batch = groups.batch_of(metric, large)
        forms = {
            "plain": (_both.updated, metric, batch),
            "one": (_both.updated, eqm.PerGroup(metric, 1), batch | {"group": 0 * group}),
            "many": (_both.updated, eqm.PerGroup(metric, 1000), batch | {"group": group}),
        }
        yield against(name, forms, 10)


BRACKETS = "In brackets: against the first form, and the fused operations of the program."
ERROR = "Error: against float64 on the CPU; of the confusion matrix, of its trace. Each call waits."
PARTS = {
    calls: (["a call of `update`", "bare", "eqmetrics"], BRACKETS),
    matrices: (["confusion matrix", "scatter", "eqmetrics", "one-hot bfloat16", "int8"], BRACKETS),
    in_groups: (["rows at once", "plain", "1 group", "1000 groups"], BRACKETS),
    values: (["update and value", "", "time", "", "error"], ERROR),
}


def main() -> None:
    parser = argparse.ArgumentParser("python -m tests.benchmarks.gpu", description=__doc__)
    parser.add_argument("--small", action="store_true", help="on any device, at small sizes")
    parser.add_argument("--numbers", type=int, metavar="PROCESSES")
    parser.add_argument("--shard", metavar="I/N", help="of the rows: what --numbers runs")
    parser.add_argument("--seconds", type=float, default=150, help="for --numbers")
    parser.add_argument("--match", default="", help="for --numbers: a pattern for names of rows")
    chosen = parser.parse_args()
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # torch needs memory too
    jax.config.update("jax_num_cpu_devices", 2)  # to compare two devices also without a GPU
    if chosen.shard:
        i, n = chosen.shard.split("/")
        return _both.shard(int(i), int(n), chosen.seconds, chosen.match)
    if chosen.numbers:
        return _both.report(chosen.numbers, chosen.seconds, chosen.match)
    if jax.default_backend() != "gpu" and not chosen.small:
        return print("## On a GPU\n\nNo GPU is here.\n")
    about("On a GPU", "torch", "torchmetrics")
    large = 2**14 if chosen.small else 2**20
    for part, (head, note) in PARTS.items():
        try:
            table(head, part(large))
            print(note + "\n")
        except Exception:  # a GPU may be here for minutes: go on
            print(f"\n**{part.__name__} failed**\n\n{traceback.format_exc()[-1500:]}", flush=True)


if __name__ == "__main__":
    main()
