"""`eqm.fields.cell_areas` by hand."""

import numpy as np
import pytest

import eqmetrics as eqm


def test_by_hand():
    area = eqm.fields.cell_areas([-60.0, 0.0, 60.0], 4)
    assert area.shape == (3, 4)
    np.testing.assert_allclose(area.sum(1), [0.25, 0.5, 0.25])
    np.testing.assert_allclose(area, area[::-1])
    whole = eqm.fields.cell_areas(np.linspace(90, -90, 19), 36)
    np.testing.assert_allclose(whole.sum(), 1)
    # Fine grids: as the cosine, but at the poles, where that is 0.
    rows = whole.sum(1)
    cosine = np.cos(np.deg2rad(np.linspace(90, -90, 19)))
    np.testing.assert_allclose(rows[1:-1] / rows[9], cosine[1:-1], rtol=2e-3)
    assert rows[0] > 0
    np.testing.assert_allclose(eqm.fields.cell_areas([0.0], 1), [[1.0]])


@pytest.mark.parametrize("latitudes", [[0.0, 0.0], [0.0, 91.0], [], [0.0, 2.0, 1.0], [[0.0]]])
def test_what_it_refuses(latitudes):
    with pytest.raises(ValueError, match="from -90 to 90"):
        eqm.fields.cell_areas(latitudes, 2)
    with pytest.raises(ValueError, match="num_longitudes=0"):
        eqm.fields.cell_areas([0.0, 1.0], 0)
