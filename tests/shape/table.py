"""The rows of the table of laws for `eqm.shape`."""

import eqmetrics as eqm

from ..draws import drawn, scores, SIZES


STRUCTURES = drawn(SIZES, predictions=scores(4, 3), targets=scores(4, 3))

ROWS = {
    "shape.RMSD": (eqm.shape.RMSD(), STRUCTURES),
    "shape.MPJPE": (eqm.shape.MPJPE(align="similarity"), STRUCTURES),
    "shape.ProcrustesDisparity": (eqm.shape.ProcrustesDisparity(), STRUCTURES),
    "shape.ChamferDistance": (eqm.shape.ChamferDistance(), STRUCTURES),
    "shape.LDDT": (eqm.shape.LDDT(cutoff=2.5, tolerances=(0.5, 1.0)), STRUCTURES),
}
