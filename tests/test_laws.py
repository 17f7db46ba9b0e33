"""Every metric of the library obeys the laws."""

import pytest

from eqmetrics.testing import check_metric

from .table import ROWS, SLOW


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in ROWS]
)
def test_laws(name):
    metric, batches = ROWS[name]
    check_metric(metric, batches)
