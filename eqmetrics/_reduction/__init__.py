from .base import AbstractReduction as AbstractReduction, SUM as SUM
from .extremum import MAX as MAX, MIN as MIN
from .limbs import EXACT_SUM as EXACT_SUM
from .plans import run as run


NAMED: dict[str, AbstractReduction] = {"sum": SUM, "max": MAX, "min": MIN}

exact_sum = EXACT_SUM
"""The reduction of pairs of float32, arrays of shape `(2, ...)`, high then low: their sum over
devices is exact for whole numbers to $2^{48}$ and doesn't depend on the order of the devices.
A metric that holds an [`eqmetrics.Sum`][] needs no pairs of its own."""
