"""Scores of sets of points: structures, poses, point clouds."""

from ._aligned import MPJPE as MPJPE, ProcrustesDisparity as ProcrustesDisparity, RMSD as RMSD
from ._chamfer import ChamferDistance as ChamferDistance
from ._lddt import LDDT as LDDT
