"""Plots of values, with matplotlib (`pip install matplotlib`), which only this package imports."""

from ._confusion import confusion_matrix as confusion_matrix
from ._det import det as det
from ._detection import average_precision as average_precision, boxes as boxes
from ._intervals import intervals as intervals
from ._precision_recall import precision_recall as precision_recall
from ._regression import quantile_quantile as quantile_quantile, residuals as residuals
from ._reliability import reliability_diagram as reliability_diagram
from ._roc import roc as roc
