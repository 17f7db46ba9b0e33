from .base import AbstractReduction as AbstractReduction, NAMED as NAMED, run as run
from .limbs import EXACT_SUM as EXACT_SUM


exact_sum = EXACT_SUM
"""The reduction of pairs of float32, arrays of shape `(2, ...)`, high then low: their sum over
devices is exact for whole numbers to $2^{48}$ and doesn't depend on the order of the devices.
A metric that holds an [`eqmetrics.Sum`][] needs no pairs of its own."""
