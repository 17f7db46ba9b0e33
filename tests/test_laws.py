"""Every metric of the library obeys the laws."""

import pytest

from eqmetrics.testing import check_metric

from .table import ROWS


@pytest.mark.parametrize("name", ROWS)
def test_laws(name):
    metric, batches = ROWS[name]
    check_metric(metric, batches)
