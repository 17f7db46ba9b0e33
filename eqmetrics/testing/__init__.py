"""Checks for your CI: the laws that a metric obeys, and the shapes that it accepts."""

from ._check_metric import check_metric as check_metric, LawError as LawError
from ._check_shapes import check_shapes as check_shapes
