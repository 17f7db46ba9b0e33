"""The laws for several devices: the value is the same however the program is distributed."""

from typing import Any

import equinox as eqx
import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from ._subject import Subject, updated


def _local(tree: Any) -> Any:
    """The pytree on one device, for which programs are compiled already."""
    return jax.device_put(jax.tree.map(np.asarray, tree))


def at(index: int, tree: Any) -> Any:
    """One of several stacked states, taken by NumPy: jax would compile a program for each shape."""
    return jax.device_put(jax.tree.map(lambda x: np.asarray(x)[index], tree))


def _over_devices(
    t: Subject, axes: AxisType = AxisType.Auto
) -> tuple[Mesh, dict[str, np.ndarray]]:
    devices = jax.local_devices()[: t.rows]
    n = len(devices)
    mesh = jax.make_mesh((n,), ("devices",), axis_types=(axes,), devices=devices)
    return mesh, t.part(slice(0, t.rows // n * n))


def by_pmap(t: Subject) -> None:
    mesh, even = _over_devices(t)
    mapped = eqx.filter_pmap(
        lambda b: updated(t.empty, b).all_reduce("devices"), axis_name="devices"
    )(jax.device_put({k: v.reshape(mesh.size, -1, *v.shape[1:]) for k, v in even.items()}))
    t.equal(at(0, mapped), t.run([even]), "the value of `update` and `all_reduce`")


def by_shard_map(t: Subject) -> None:
    # Starts from a metric that has seen data: its past must count once, not once per device.
    mesh, even = _over_devices(t)
    across = jax.shard_map(
        lambda m, b: m.update_across("devices", **b),
        mesh=mesh,
        in_specs=(PartitionSpec(), PartitionSpec("devices")),
        out_specs=PartitionSpec(),
    )
    got = jax.jit(across)(t.parts[0], even)
    t.equal(_local(got), t.run([even], t.parts[0]), "the value of `update_across`")


def _spread(t: Subject, axes: AxisType) -> None:
    mesh, even = _over_devices(t, axes)
    placed = jax.device_put(even, NamedSharding(mesh, PartitionSpec("devices")))
    t.equal(_local(jax.jit(updated)(t.empty, placed)), t.run([even]))


def by_sharded_jit(t: Subject) -> None:
    _spread(t, AxisType.Auto)


def by_explicit_axes(t: Subject) -> None:
    _spread(t, AxisType.Explicit)
