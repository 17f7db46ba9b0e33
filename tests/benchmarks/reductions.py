"""One reduction over 8 devices: time and collectives, against a plain psum, the floor of an
exact sum (one pmax, two psums, no arithmetic), and clu's gather."""

import re

import clu.metrics
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

import eqmetrics as eqm

from ._timing import about, per_call, si, table


@struct.dataclass
class CluTotal(clu.metrics.Metric):
    """What a user of clu writes for a sum of any shape."""

    total: jax.Array

    def merge(self, other):
        return CluTotal(self.total + other.total)

    def reduce(self):
        return CluTotal(self.total.sum(0))


def floor(state):
    bits = [lax.bitcast_convert_type(x, jnp.int32) for x in jax.tree.leaves(state)]
    halves = [(b[0], b[1]) for b in bits]
    return lax.pmax([a for a, _ in halves], "d"), lax.psum(halves, "d")


def plain(state):
    return lax.psum([x[0] for x in jax.tree.leaves(state)], "d")


def clu_scan(state):
    # clu's `gather_from_model_output(...).reduce()`: gather all states, then a scan of merges
    def reduce(x):
        every = CluTotal(lax.all_gather(x[0], "d"))
        first = jax.tree.map(lambda a: a[0], every)
        rest = jax.tree.map(lambda a: a[1:], every)
        return lax.scan(lambda m, o: (m.merge(o), None), first, rest)[0].total

    return [reduce(x) for x in jax.tree.leaves(state)]


def main() -> None:
    jax.config.update("jax_num_cpu_devices", 8)
    about("Reductions over 8 devices", "clu")
    mesh = jax.make_mesh((8,), ("d",), axis_types=(AxisType.Auto,))
    place = NamedSharding(mesh, P("d"))

    def over(f):
        body = lambda tree: f(jax.tree.map(lambda x: x[0], tree))
        checked = f is not clu_scan  # what was gathered isn't known to be replicated
        mapped = jax.shard_map(
            body, mesh=mesh, in_specs=P("d"), out_specs=P(), check_vma=checked
        )
        return jax.jit(mapped)

    cases = {
        "a sum": (eqm.Sum(), 100),
        "20 sums": (eqm.MetricDict({f"m{i}": eqm.Sum() for i in range(20)}), 50),
        "1000 x 1000": (eqm.Sum((1000, 1000)), 5),
    }
    rng = np.random.default_rng(0)
    rows = []
    for name, (metric, calls) in cases.items():
        filled = jax.tree.map(
            lambda x: rng.normal(size=(8, *x.shape)).astype(np.float32), metric
        )
        state = jax.device_put(filled, place)
        forms = {
            "psum": over(plain),
            "pmax and two psums": over(floor),
            "eqmetrics": over(lambda m: eqm.all_reduce(m, "d")),
            "clu's gather and scan": over(clu_scan),
        }
        run = {form: lambda f=f: jax.block_until_ready(f(state)) for form, f in forms.items()}
        times = per_call(run, calls)
        for form, f in forms.items():
            compiled = f.lower(state).compile()
            text = compiled.as_text() or ""
            sent = re.findall(r"= \S.* (all-\w+|collective-\w+)(?:-start)?\(", text)
            analysis = compiled.memory_analysis()
            memory = 0 if analysis is None else analysis.temp_size_in_bytes
            ratio = f"{times[form] / times['psum']:.2f}"
            rows.append([name, form, si(times[form]), ratio, len(sent), f"{memory / 1e6:.1f} MB"])
    table(["state", "form", "time", "of a psum", "collectives", "temporaries"], rows)
    print("Covered: float32 states on simulated devices of one process; no network.\n")


if __name__ == "__main__":
    main()
