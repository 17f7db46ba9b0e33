"""Scores of segmentations: of masks of pixels, their surfaces, and segments."""

from ._boundary_iou import BoundaryIoU as BoundaryIoU
from ._generalized_dice import GeneralizedDice as GeneralizedDice
from ._overlap import Dice as Dice, MeanIoU as MeanIoU
from ._panoptic import PanopticQuality as PanopticQuality
from ._surface import (
    HausdorffDistance as HausdorffDistance,
    SurfaceDice as SurfaceDice,
    SurfaceDistance as SurfaceDistance,
)
