"""What the oracle tests share: batches drawn in one shape, and two ways to see them all."""

from typing import Any

import jax
import numpy as np
from hypothesis import settings, strategies as st
from hypothesis.extra.numpy import arrays


STEPS, ROWS = 3, 8
# One shape, so one compilation; the same examples in each run.
few = settings(deadline=None, max_examples=25, derandomize=True)


@jax.jit
def fold(metric: Any, batches: dict[str, Any]) -> Any:
    """Over time: an update for each of the stacked batches."""
    step = lambda m, b: (type(m).update(m, **b), None)
    return jax.lax.scan(step, metric, batches)[0]


@jax.jit
def spread(metric: Any, batches: dict[str, Any]) -> Any:
    """Over devices: a state for each of the stacked batches, reduced."""
    return jax.vmap(lambda b: type(metric).update(metric, **b))(batches).reduce()


def floats(bound: float, **kwargs: Any) -> st.SearchStrategy[float]:
    bound = float(np.float32(bound))
    return st.floats(-bound, bound, width=32, allow_subnormal=False, **kwargs)


weights = st.sampled_from([0.0, 1.0, 2.0, 3.0, 0.25, 0.7, 1e3])


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    """Of each batch all rows, none, one, or any."""
    kinds = [np.ones(ROWS, bool), np.zeros(ROWS, bool), np.arange(ROWS) == 2]
    some = st.one_of(st.sampled_from(kinds), arrays(np.bool_, ROWS))
    return np.stack([draw(some) for _ in range(STEPS)])


@st.composite
def batches(
    draw: st.DrawFn, elements: st.SearchStrategy, *, weighted: bool = True
) -> dict[str, np.ndarray]:
    """Stacked batches of `values`, with NaN where a row doesn't take part."""
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
    """The values and weights that count, in float64 (in which their products are exact)."""
    keep = taken(batch)
    w = batch.get("weights", np.ones_like(batch["values"]))
    return batch["values"][keep].astype(np.float64), w[keep].astype(np.float64)
