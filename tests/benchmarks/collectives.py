"""What a reduction sends on 8 to 8192 devices: collectives, rounds and bytes, from programs for
meshes of devices that aren't there, and from the compiled program of the 8 that are."""

from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import AbstractMesh, AxisType, Mesh, PartitionSpec as P
from jax.stages import Traced

import eqmetrics as eqm

from ._sent import asked, compiled, Cost
from ._timing import about, table
from .compile import OURS, TASK


SIZES = 8, 64, 1024, 8192
ROWS = 500_000  # of COCO's 5000 images of 100 detections
NETWORKS = {"50 GB/s, 5 µs": (50e9, 5e-6), "1.25 GB/s, 50 µs": (1.25e9, 50e-6)}


def twenty() -> eqm.MetricDict:
    """Those of the benchmark of compile times, with a Brier score in the place of AUROC."""
    members = {k: m for part in OURS if part != "AUROC" for k, m in OURS[part]().items()}
    return eqm.MetricDict(members | {"brier": eqm.Brier(TASK)})


STATES: dict[str, Callable[[], eqm.Metric]] = {
    "20 metrics": twenty,
    "confusion matrix, 1000 classes": lambda: eqm.ConfusionMatrix(eqm.Multiclass(1000)),
    "AUROC": lambda: eqm.AUROC(eqm.Binary()),
    "Fréchet distance, 2048 features": lambda: eqm.generative.FrechetDistance(2048),
    "AUROC, exact, 500 000 rows": lambda: eqm.AUROC(eqm.Binary(), exact=ROWS),
    "mAP, 500 000 detections": lambda: eqm.detection.MeanAveragePrecision(
        80, eqm.detection.Boxes("xyxy"), ROWS
    ),
}


def abstract(shape: tuple[int, ...], names: tuple[str, ...] = ("devices",)) -> AbstractMesh:
    return AbstractMesh(shape, names, axis_types=(AxisType.Auto,) * len(shape))


def traced(new: Callable[[], eqm.Metric], mesh: AbstractMesh | Mesh) -> Traced:
    """The reduction of a state on each device of a mesh."""
    axes = mesh.axis_names

    def reduce(states: Any) -> Any:
        return eqm.all_reduce(jax.tree.map(lambda x: x[0], states), axes)

    stack = lambda x: jax.ShapeDtypeStruct((mesh.size, *x.shape), x.dtype)
    states = jax.tree.map(stack, jax.eval_shape(new))
    mapped = jax.shard_map(reduce, mesh=mesh, in_specs=P(axes), out_specs=P())
    return jax.jit(mapped).trace(states)


def size_of(new: Callable[[], eqm.Metric]) -> int:
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(jax.eval_shape(new)))


Counts = dict[str, dict[int, Cost]]


def counts() -> Counts:
    """Of each state, for each number of devices."""
    return {
        name: {n: asked(traced(new, abstract((n,))).jaxpr) for n in SIZES}
        for name, new in STATES.items()
    }


def sent_by_each(found: Counts) -> list[list[object]]:
    rows: list[list[object]] = []
    for name, costs in found.items():
        both = [x.sums + x.moves for x in costs.values()]
        rows.append([f"{name}: {in_bytes(size_of(STATES[name]))}", "collectives", *both])
        rows.append(["", "rounds", *(x.rounds for x in costs.values())])
        rows.append(["", "a device sends", *(in_bytes(x.sent(n)) for n, x in costs.items())])
    return rows


def times(found: Counts) -> list[list[object]]:
    return [
        [name, network, *(in_time(x.seconds(n, *NETWORKS[network])) for n, x in costs.items())]
        for name, costs in found.items()
        for network in NETWORKS
    ]


def in_bytes(size: float) -> str:
    return f"{size / 1e6:.3g} MB" if size >= 1e5 else f"{size / 1e3:.2g} kB"


def in_time(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds >= 0.1 else f"{seconds * 1e3:.2g} ms"


SENT = ["state of a device", "", *(f"{n} devices" for n in SIZES)]
TIMES = ["state of a device", "network", *(f"{n} devices" for n in SIZES)]


def main() -> None:
    jax.config.update("jax_num_cpu_devices", 8)
    about("What a reduction sends")
    found = counts()
    table(SENT, sent_by_each(found))
    print("In seconds, if an all-reduce of n devices takes 2 log2(n) steps:\n")
    table(TIMES, times(found))
    mesh = jax.make_mesh((8,), ("devices",), axis_types=(AxisType.Auto,))
    same = []
    for name, new in STATES.items():
        real = compiled(traced(new, mesh).lower().compile().as_text() or "")
        same.append([name, *real, "yes" if real == found[name][8] else f"no: {found[name][8]}"])
    table(["compiled for 8 devices", *Cost._fields, "as counted"], same)
    print("Covered: one axis of devices; no network, no arithmetic.\n")


if __name__ == "__main__":
    main()
