from collections.abc import Sequence
from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._rows.quotient import over, root
from .._rows.row_mean import AbstractRowMean
from ._points import Places, points


@final
class LDDT(AbstractRowMean):
    r"""The local distance difference test of structures, from 0 to 1. Of all pairs of points less
    than `cutoff` apart in the target, it is the share whose distance changes by less than a
    tolerance. This share is averaged over the `tolerances`, then over the structures. It needs no
    alignment.

    **Arguments:**

    - `cutoff`: the distance in the target below which pairs count, in the unit of the coordinates;
        15 (angstroms) if not given.
    - `tolerances`: in the same unit; those of the paper, 0.5, 1, 2 and 4, if not given.
    - `undefined`: what replaces an undefined value; NaN if not given.

    A row is one structure, and its points are one atom of each residue (C-alpha, as in AlphaFold):
    the paper's form for all atoms leaves out pairs within a residue, which isn't known here. Leave
    out residues that aren't resolved with a `mask` of shape `(*rows, points)`. NaN in a coordinate
    propagates.

    The gradient is 0: the value is piecewise constant. An update holds the distances of all
    pairs of each structure.
    State: 6 floats. Undefined when: no structure has two points less than `cutoff` apart.
    Source: Mariani et al., "lDDT: a local superposition-free score for comparing protein structures
    and models using distance difference tests", 2013.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        t = jnp.array([[[0.0, 0.0, 0.0], [3.0, 0.0, 0.0]]])
        moved = t.at[0, 1, 0].add(1.5)  # kept to 2 and to 4
        assert eqm.shape.LDDT()(predictions=moved, targets=t) == 0.5
        ```
    """

    cutoff: float = eqx.field(static=True)
    tolerances: tuple[float, ...] = eqx.field(static=True)

    def __init__(
        self,
        *,
        cutoff: float = 15.0,
        tolerances: Sequence[float] = (0.5, 1.0, 2.0, 4.0),
        undefined: float | None = None,
    ):
        if not cutoff > 0:
            raise ValueError(f"cutoff={cutoff}: expected a distance above 0.")
        if len(tolerances) == 0 or not all(x > 0 for x in tolerances):
            raise ValueError(f"tolerances={tolerances}: expected one or more, above 0.")
        self.cutoff = float(cutoff)
        self.tolerances = tuple(float(x) for x in tolerances)
        AbstractRowMean.__init__(self, undefined=undefined)

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` are coordinates, of shape `(*rows, points, axes)`; `weights`
        has the shape of the rows, `mask` too, or `(*rows, points)`."""
        view = points(predictions, targets, mask, weights)
        p, t = _distances(view.predictions), _distances(view.targets)
        pairs = view.keep[:, :, None] & view.keep[:, None, :]
        pairs &= ~jnp.eye(p.shape[1], dtype=bool)[None] & (t < self.cutoff)
        error = jnp.abs(p - t)
        kept = sum((error < x).astype(jnp.float32) for x in self.tolerances)
        total = jnp.sum(jnp.where(pairs, kept, 0), axis=(1, 2)) / len(self.tolerances)
        count = jnp.sum(pairs.astype(jnp.float32), axis=(1, 2))
        lost = jnp.any(jnp.isnan(view.predictions) | jnp.isnan(view.targets), axis=(1, 2))
        value = jnp.where(lost, jnp.nan, over(total, count))
        return self.plus(view.batch, value, (count > 0) | lost)


def _distances(x: Places) -> Float32[Array, "rows points points"]:
    total: Array = jnp.zeros((*x.shape[:2], x.shape[1]), jnp.float32)
    for axis in range(x.shape[2]):
        d = x[:, :, None, axis] - x[:, None, :, axis]
        total = total + d * d
    return root(total)
