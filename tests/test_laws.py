import inspect

import pytest

import eqmetrics as eqm
from eqmetrics.testing import check_metric

from .table import APART, ROWS


@pytest.mark.parametrize("name", ROWS)
def test_laws(name):
    metric, batches = ROWS[name]
    check_metric(metric, batches)


def test_every_public_metric_has_a_row_and_its_docstring_says_what_it_must():
    public = {
        name
        for name, x in vars(eqm).items()
        if inspect.isclass(x) and issubclass(x, eqm.Metric)
    }
    assert public == ROWS.keys() | APART
    for name in public - APART - {"MetricDict", "FromOutput", "FromFun", "CentredMoments"}:
        doc = getattr(eqm, name).__doc__
        assert "State:" in doc and "Undefined when" in doc and "!!! example" in doc, name
