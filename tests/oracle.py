"""Shared by the oracle tests: batches drawn in one shape, and two ways to update with them."""

import functools as ft
from typing import Any

import jax
import numpy as np
from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.extra.numpy import arrays


STEPS, ROWS = 3, 8
# All draws have one shape, so there is one compilation; each run draws the same examples. A busy
# machine may be slow to draw.
slowly = [HealthCheck.too_slow]
few = settings(
    deadline=None, max_examples=25, derandomize=True, suppress_health_check=slowly
)


@jax.jit
def fold(metric: Any, batches: dict[str, Any]) -> Any:
    """Over time: one update for each of the stacked batches."""
    step = lambda m, b: (type(m).update(m, **b), None)
    return jax.lax.scan(step, metric, batches)[0]


@jax.jit
def spread(metric: Any, batches: dict[str, Any]) -> Any:
    """Over devices: one state for each of the stacked batches, reduced."""
    return jax.vmap(lambda b: type(metric).update(metric, **b))(batches).reduce()


def floats(bound: float, **kwargs: Any) -> st.SearchStrategy[float]:
    bound = float(np.float32(bound))
    return st.floats(-bound, bound, width=32, allow_subnormal=False, **kwargs)


weights = st.sampled_from([0.0, 1.0, 2.0, 3.0, 0.25, 0.7, 1e3])


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    """Masks of all rows of a batch, of none, of one, or of any."""
    kinds = [np.ones(ROWS, bool), np.zeros(ROWS, bool), np.arange(ROWS) == 2]
    some = st.one_of(st.sampled_from(kinds), arrays(np.bool_, ROWS))
    return np.stack([draw(some) for _ in range(STEPS)])


@st.composite
def batches(
    draw: st.DrawFn, elements: st.SearchStrategy, *, weighted: bool = True
) -> dict[str, np.ndarray]:
    """Stacked batches of `values`, with NaN in the rows that are left out."""
    values = draw(arrays(np.float32, (STEPS, ROWS), elements=elements))
    mask = draw(masks())
    batch = {"values": values, "mask": mask}
    if weighted:
        batch["weights"] = draw(arrays(np.float32, (STEPS, ROWS), elements=weights))
    batch["values"] = np.where(taken(batch), values, np.float32(np.nan))
    return batch


def taken(batch: dict[str, np.ndarray]) -> np.ndarray:
    return batch["mask"] & (batch["weights"] > 0) if "weights" in batch else batch["mask"]


def rows_of(batch: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The values and weights of the rows that count, in float64 (in which their products are
    exact)."""
    keep = taken(batch)
    w = batch.get("weights", np.ones_like(batch["values"]))
    return batch["values"][keep].astype(np.float64), w[keep].astype(np.float64)


# A mean square below this is NaN, since squares of single numbers may underflow.
LOST = 2.0**-100
# For predictions and targets: 100 examples, so 200 over both ways.
many = settings(
    deadline=None, max_examples=100, derandomize=True, suppress_health_check=slowly
)


@st.composite
def pairs(
    draw: st.DrawFn, low: float = -2.0, *, weighted: bool = True, columns: tuple[int, ...] = ()
) -> dict[str, np.ndarray]:
    """Stacked batches of `predictions` and `targets`: multiples of 1/1024 up to 2."""
    shape, whole = (STEPS, ROWS, *columns), st.integers(int(low * 1024), 2048)
    names = "predictions", "targets"
    drawn = {name: draw(arrays(np.int32, shape, elements=whole)) for name in names}
    batch = {name: (x / 1024).astype(np.float32) for name, x in drawn.items()}
    batch["mask"] = draw(masks())
    if weighted:
        batch["weights"] = draw(arrays(np.float32, (STEPS, ROWS), elements=weights))
    return batch


def moved(
    batch: dict[str, np.ndarray], scale: float = 1.0, offset: float = 0.0
) -> dict[str, np.ndarray]:
    """At another scale and offset, and with NaN in the rows that are left out."""
    keep, names = taken(batch), {"mask", "weights"} & batch.keys()
    put = lambda x: (x * scale + offset).astype(np.float32)
    new = {k: v if k in names else put(v) for k, v in batch.items()}
    for k in new.keys() - names:
        rest = (1,) * (new[k].ndim - keep.ndim)
        new[k] = np.where(keep.reshape(*keep.shape, *rest), new[k], np.float32(np.nan))
    return new


def real_rows(batch: dict[str, np.ndarray], *names: str) -> list[np.ndarray]:
    """The named arrays and the weights of the rows that count, in float64."""
    keep = taken(batch)
    weights = batch.get("weights", np.ones(keep.shape))
    return [batch[name][keep].astype(np.float64) for name in names] + [
        weights[keep].astype(np.float64)
    ]


def agree(got: Any, want: Any, rtol: float = 1e-5, atol: float = 0.0) -> None:
    np.testing.assert_allclose(np.asarray(got, np.float64), want, rtol, atol)


# Four draws of 50 cases, which run through one program side by side: 200 cases in each way.
at_once = settings(
    deadline=None,
    max_examples=4,
    derandomize=True,
    suppress_health_check=slowly,
    phases=[Phase.generate],  # a seed can't be shrunk
)
seeds = st.integers(0, 2**32 - 1)
CASES = 50


def cases(
    seed: int, low: float = -2.0, *, weighted: bool = True, columns: tuple[int, ...] = ()
) -> dict[str, np.ndarray]:
    """The same as `pairs`, with a leading axis of `CASES`."""
    rng = np.random.default_rng(seed)
    size = (CASES, STEPS, ROWS)
    draw = lambda: rng.integers(int(low * 1024), 2049, (*size, *columns)) / 1024
    batch = {name: draw().astype(np.float32) for name in ("predictions", "targets")}
    one = np.broadcast_to(np.arange(ROWS) == 2, size)
    some = rng.random(size) < rng.random((CASES, 1, 1))
    kinds = [some, np.ones(size, bool), one, np.zeros(size, bool)]
    which = rng.choice(4, (CASES, STEPS, 1), p=[0.5, 0.25, 0.125, 0.125])
    batch["mask"] = np.select([which == i for i in range(4)], kinds, False)
    if weighted:
        weights = rng.choice(np.array([0.0, 1, 2, 3, 0.25, 0.7, 1e3], np.float32), size)
        # In a third of the cases all weights are equal.
        batch["weights"] = np.where(rng.random((CASES, 1, 1)) < 1 / 3, np.float32(1), weights)
    return batch


@ft.partial(jax.jit, static_argnames="way")
def values_of(way: Any, metric: Any, batches: dict[str, Any]) -> Any:
    """The value of the metric for each of the stacked cases."""
    return jax.vmap(lambda batch: way(metric, batch).compute())(batches)


def separate(stacked: Any) -> list[Any]:
    return [jax.tree.map(lambda x, i=i: x[i], stacked) for i in range(CASES)]
