"""One eager update, with the checks and without them; and a jitted one, which must not
differ. The checks are switched by jaxtyping's own variable, so each case is a process; the
processes take turns."""

import json
import sys

import jax
import jax.numpy as jnp

import eqmetrics as eqm

from ._timing import about, in_turns, per_call, si, table


def measure() -> dict[str, float]:
    values, labels = jnp.ones(32), jnp.zeros(32, jnp.int32)
    logits = jnp.ones((32, 10))
    metrics = {
        "Sum": eqm.Sum(),
        "Average": eqm.Average(),
        "Std (two levels)": eqm.Std(),
        "Accuracy": eqm.Accuracy(),
        "MetricDict of three": eqm.MetricDict(
            accuracy=eqm.Accuracy(),
            loss=eqm.Average().from_output("loss"),
            std=eqm.Std().from_output("loss"),
        ),
    }

    def outputs(name):
        if name == "Accuracy":
            return {"logits": logits, "labels": labels}
        if name.startswith("MetricDict"):
            return {"logits": logits, "labels": labels, "loss": values}
        return {"values": values}

    def call(metric, outputs):
        return lambda: metric.update(**outputs)  # the bound method is part of the price

    functions = {n: call(m, outputs(n)) for n, m in metrics.items()}
    step, average = jax.jit(lambda m, x: m.update(x)), metrics["Average"]
    functions["Average, jitted"] = lambda: step(average, values)
    return per_call(functions, 200, 9)


def main() -> None:
    about("Eager updates")
    run = ["tests.benchmarks.eager", "measure"]
    env = {name: {"JAXTYPING_DISABLE": name} for name in ("0", "1")}
    taken = in_turns({name: run for name in env}, 5, env)
    rows = []
    for name in taken["0"]:
        on, off = (taken[k][name] for k in ("0", "1"))
        rows.append([name, si(on), si(off), si(on - off) if on > off else "0 µs"])
    table(["update of 32 rows", "checked", "JAXTYPING_DISABLE=1", "difference"], rows)


if __name__ == "__main__":
    if sys.argv[1:] == ["measure"]:
        print(json.dumps(measure()))
    else:
        main()
