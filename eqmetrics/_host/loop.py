"""The evaluation loop: padding, masks, placement on a mesh, one compilation."""

import functools as ft
import inspect
import operator
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from .._metric.checks import to_array
from .._metric.functions import one_of_equal
from .._metric.messages import describe


_T = TypeVar("_T")


class EvaluationError(RuntimeError):
    """The step or the data of [`eqmetrics.evaluate`][] raised an error, which is its `__cause__`.

    `metrics` has seen the `batches` batches before the error. It is `None` if the compiled program
    itself failed, since its donated state is lost.
    """

    metrics: Any
    batches: int

    def __init__(self, metrics: Any, batches: int):
        self.metrics = metrics
        self.batches = batches
        kept = "are lost with the compiled step" if metrics is None else "are in `.metrics`"
        RuntimeError.__init__(
            self,
            f"`eqm.evaluate` failed at batch {batches}, counted from 0. The metrics of the "
            f"batches before it {kept}.",
        )


_Path = tuple[Any, ...]


def _where(path: _Path) -> str:
    return f"batch{jax.tree_util.keystr(path)}"


def _is_key(x: Any) -> bool:
    return isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def _refuse(who: str, path: _Path, x: Any) -> None:
    """Raises an error for an array that can't be rows on a device."""
    if isinstance(x, str) or (isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind in "OSUMm"):
        raise TypeError(
            f"`{who}`: `{_where(path)}` is {describe(x)}, expected numbers or booleans. Leave it "
            "out of the batches that are passed, or replace it by numbers."
        )
    if _is_key(x) and x.ndim == 0:
        raise TypeError(
            f"`{who}`: `{_where(path)}` is a key, not rows. Pass it through `args`, and fold a "
            "count of the batches into it; or split it into one key for each row."
        )


def _rows(batch: Any, who: str) -> int:
    found = jax.tree_util.tree_leaves_with_path(batch)
    for path, x in found:
        _refuse(who, path, x)
    axes = {np.shape(x)[:1] for _, x in found}
    if len(axes) != 1 or () in axes:
        shapes = ", ".join(f"`{_where(path)}` is {np.shape(x)}" for path, x in found)
        raise ValueError(
            f"`{who}`: the arrays of a batch must have one leading axis in common, the rows; "
            f"{shapes or 'there is no array'}. Pass other values through `args`."
        )
    return axes.pop()[0]


def pad_batch(batch: _T, size: int) -> tuple[_T, np.ndarray]:
    """Pads every array of a batch to `size` rows with zeros, on the host.

    **Returns:** the padded batch, and the mask: `True` for the real rows.
    """
    rows = _rows(batch, "pad_batch")
    if rows > size:
        raise ValueError(f"`pad_batch`: the batch has {rows} rows, more than size={size}.")

    def pad(x):
        if _is_key(x):
            kind = jax.random.key_impl(x)
            return jax.random.wrap_key_data(pad(jax.random.key_data(x)), impl=kind)
        x = np.asarray(x)
        return np.concatenate([x, np.zeros((size - rows, *x.shape[1:]), x.dtype)])

    return jax.tree.map(pad, batch), np.arange(size) < rows


@ft.partial(jax.jit, static_argnums=(0, 1), donate_argnums=2)
def _step(step: Callable, static: tuple, state: Any, batch: Any, mask: Any, args: Any) -> Any:
    # One function for all calls of `evaluate`, so that they share its cache. `jax.jit`, since
    # `eqx.filter_jit` waits for the result of every step.
    leaves, treedef = static
    metrics, args = eqx.combine((state, args), jax.tree.unflatten(treedef, leaves))
    new = eqx.filter(step(metrics, batch, mask, *args), eqx.is_array)
    given, returned = jax.tree.leaves(state), jax.tree.leaves(new)
    if given and len(given) == len(returned) and all(map(operator.is_, given, returned)):
        warnings.warn(
            "`evaluate`: the step returned its metrics as it was given them, and nothing was "
            "counted. `update` returns updated ones: `metrics = metrics.update(..., mask=mask)`.",
            stacklevel=2,
        )
    if jax.tree.structure(new) != jax.tree.structure(state):
        raise TypeError(
            "`evaluate`: the step must return the metrics that it was given, updated, as "
            f"`return metrics.update(..., mask=mask)` does; it returned {type(new).__name__}."
        )
    return new


def _narrow(path: _Path, x: Any) -> Any:
    if isinstance(x, jax.Array):
        return x
    x = np.asarray(x)
    # `jit` would silently cut 64-bit integers to 32 bits; it accepts everything else as it is.
    return to_array(_where(path), x) if x.dtype.itemsize == 8 else x


class _Placement:
    """Where batches, masks and states are placed: on one device, or over a mesh."""

    def __init__(self, mesh: Mesh | None):
        self.rows = self.everywhere = None
        self.shards = 1
        if mesh is not None:
            self.rows = NamedSharding(mesh, PartitionSpec(mesh.axis_names))
            self.everywhere = NamedSharding(mesh, PartitionSpec())
            self.shards = mesh.size // jax.process_count()

    def batch(self, batch: Any) -> Any:
        batch = jax.tree_util.tree_map_with_path(_narrow, batch)
        if self.rows is None:
            return batch
        if jax.process_count() == 1:
            return jax.device_put(batch, self.rows)
        put = ft.partial(jax.make_array_from_process_local_data, self.rows)
        return jax.tree.map(lambda x: put(np.asarray(x)), batch)

    def state(self, tree: Any) -> Any:
        """Replicates a state over the mesh, unless it is already on several devices."""

        def put(x):
            spread = isinstance(x, jax.Array) and len(x.sharding.device_set) > 1
            return x if self.everywhere is None or spread else jax.device_put(x, self.everywhere)

        return jax.tree.map(put, tree)


def _bar(batches: Iterable[_T], progress: bool | None, total: int | None) -> Iterable[_T]:
    if progress is False or (progress is None and not sys.stderr.isatty()):
        return batches
    try:
        from tqdm.auto import tqdm
    except ImportError as e:
        if progress is None:
            return batches
        raise ImportError("`evaluate(..., progress=True)` needs `pip install tqdm`.") from e
    return tqdm(batches, total=total)


def _padded(batches: Iterable[Any], size: int | None, place: _Placement) -> Iterator[Any]:
    whole = None
    for batch in batches:
        rows = _rows(batch, "evaluate")
        if size is None:
            size = rows + -rows % place.shards
            if size == 0:
                raise ValueError(
                    "`evaluate`: the first batch is empty, and its rows are the size of all "
                    "batches. Pass `size=`, the rows of a padded batch, or leave it out."
                )
        if rows > size:
            raise ValueError(
                f"`evaluate`: a batch has {rows} rows, more than the {size} of a padded batch: "
                "its size is that of the first batch. Pass `size=` if a later one is larger."
            )
        if whole is None:
            whole = place.batch(np.ones(size, bool))
        mask = whole
        if rows != size:
            batch, mask = pad_batch(batch, size)
            mask = place.batch(mask)
        yield place.batch(batch), mask


def _check_step(step: Callable, args: tuple[Any, ...]) -> None:
    if not isinstance(args, (tuple, list)):
        raise TypeError(
            f"`evaluate`: `args` is {describe(args)}, expected a tuple: `args=(x,)` for one."
        )
    try:
        signature = inspect.signature(step)
    except (TypeError, ValueError):  # it has none
        return
    try:
        signature.bind(None, None, None, *args)
    except TypeError as e:
        more = "".join(f", args[{i}]" for i in range(len(args)))
        raise TypeError(
            f"`evaluate`: the step takes `{signature}`, and is called with (metrics, batch, mask"
            f"{more}): {e}. Its third argument is the mask of the rows that aren't padding."
        ) from None


def evaluate(
    step: Callable[..., _T],
    metrics: _T,
    batches: Iterable[Any],
    *,
    args: tuple[Any, ...] = (),
    size: int | None = None,
    mesh: Mesh | None = None,
    progress: bool | None = None,
    total: int | None = None,
) -> _T:
    """The evaluation loop: `metrics = step(metrics, batch, mask, *args)` for every batch.

    The step is compiled once, even if the last batch is short: it is padded, and the `mask` is
    `True` for the real rows. The state is donated from step to step; the metrics that were passed
    in stay intact.

    **Arguments:**

    - `step`: a pure function of `(metrics, batch, mask, *args)` that returns the updated metrics.
        Define it once, outside the loop over epochs: a new function with a closure is compiled
        again.
    - `metrics`: a metric, or any pytree of metrics.
    - `batches`: an iterable of pytrees of arrays (NumPy, JAX, or what NumPy can read) with
        the rows as their leading axis.
    - `args`: further arguments of the step, such as the model: their arrays are arguments of the
        compiled program, not constants.
    - `size`: the number of rows of a padded batch; by default that of the first batch. Over a mesh
        it must be a multiple of the number of devices.
    - `mesh`: shards the rows over all axes of the mesh. In a program of several processes,
        `batches` are those of this process, and every process must have the same number of them.
    - `progress`: whether to show a progress bar (needs tqdm); by default if stderr is a terminal.
    - `total`: the number of batches, for the progress bar.

    **Returns:** the updated metrics. `EvaluationError` if the step or the data raised.

    !!! example

        ```python
        import eqmetrics as eqm, numpy as np

        def step(metrics, batch, mask, scale):
            return metrics.update(scale * batch["x"], mask=mask)

        batches = [{"x": np.ones(4)}, {"x": np.ones(3)}]
        assert eqm.evaluate(step, eqm.Sum(), batches, args=(2.0,)).compute() == 14
        ```
    """
    place = _Placement(mesh)
    if size is not None and size % place.shards:
        raise ValueError(
            f"`evaluate`: size={size} isn't a multiple of the {place.shards} devices that "
            f"share a batch; {size + -size % place.shards} would be."
        )
    _check_step(step, args)
    step = one_of_equal(step)
    dynamic, static = eqx.partition((metrics, args), eqx.is_array)
    leaves, treedef = jax.tree.flatten(static)
    frozen = tuple(leaves), treedef
    # A copy, since the first step donates it.
    state, args = place.state(dynamic)
    state = jax.tree.map(jnp.copy, state)
    count = 0
    try:
        for batch, mask in _padded(_bar(batches, progress, total), size, place):
            state = _step(step, frozen, state, batch, mask, args)
            count += 1
    except Exception as e:
        lost = any(x.is_deleted() for x in jax.tree.leaves(state))
        raise EvaluationError(None if lost else _whole(state, static), count) from e
    return _whole(state, static)


def _whole(state: Any, static: Any) -> Any:
    return eqx.combine(state, static[0])
