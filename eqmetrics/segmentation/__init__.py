"""Scores of segmentations: of masks of pixels, of their surfaces, and of segments."""

from ._generalized_dice import GeneralizedDice as GeneralizedDice
from ._overlap import Dice as Dice, MeanIoU as MeanIoU
