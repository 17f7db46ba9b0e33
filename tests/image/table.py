"""The rows of the table of laws for `eqm.image`."""

import numpy as np

import eqmetrics as eqm

from ..draws import drawn, SIZES


SMALL = eqm.image.Image(data_range=1.0, channels=2)


def pictures(*shape: int):
    return lambda rng, n: rng.random((n, *shape)).astype(np.float32)


def pairs(*shape: int) -> list[dict]:
    return drawn(SIZES, predictions=pictures(*shape), targets=pictures(*shape))


def away(low: float, high: float, *shape: int):
    """Numbers that noise of 0.05 doesn't take to 0."""
    return lambda rng, n: rng.uniform(low, high, (n, *shape)).astype(np.float32)


DEPTHS = drawn(SIZES, predictions=away(0.5, 3, 4, 4), targets=away(0.5, 3, 4, 4))
FLOWS = drawn(SIZES, predictions=away(-4, 4, 4, 4, 2), targets=away(-4, 4, 4, 4, 2))

FUSED = drawn(SIZES, predictions=pictures(8, 4, 2), multispectral=pictures(4, 3, 2))
SHARPENED = drawn(
    SIZES,
    predictions=pictures(8, 4, 2),
    multispectral=pictures(4, 3, 2),
    panchromatic=pictures(8, 4),
    coarse_panchromatic=pictures(4, 3),
)


def points(**size):
    return drawn(SIZES, predictions=away(-2, 2, 4, 2), targets=away(-2, 2, 4, 2), **size)


ROWS = {
    "image.PSNR": (eqm.image.PSNR(SMALL), pairs(8, 4, 2)),
    "image.SSIM": (eqm.image.SSIM(SMALL, window=3), pairs(8, 4, 2)),
    "image.MultiScaleSSIM": (
        eqm.image.MultiScaleSSIM(SMALL, weights=(0.4, 0.6), window=3),
        pairs(8, 8, 2),
    ),
    "image.UniversalQuality": (eqm.image.UniversalQuality(SMALL, window=3), pairs(8, 4, 2)),
    "image.VisualInformationFidelity": (
        eqm.image.VisualInformationFidelity(SMALL),
        pairs(41, 41, 2),
    ),
    "image.SpectralAngle": (eqm.image.SpectralAngle(SMALL), pairs(8, 4, 2)),
    "image.ERGAS": (eqm.image.ERGAS(SMALL), pairs(8, 4, 2)),
    "image.RASE": (eqm.image.RASE(SMALL), pairs(8, 4, 2)),
    "image.SpatialCorrelation": (eqm.image.SpatialCorrelation(SMALL, window=2), pairs(8, 4, 2)),
    "image.TotalVariation": (
        eqm.image.TotalVariation(SMALL),
        drawn(SIZES, predictions=pictures(8, 4, 2)),
    ),
    "image.SpectralDistortion": (eqm.image.SpectralDistortion(SMALL, window=2), FUSED),
    "image.SpatialDistortion": (eqm.image.SpatialDistortion(SMALL, window=2), SHARPENED),
    "image.QNR": (eqm.image.QNR(SMALL, window=2), SHARPENED),
    "image.AbsoluteRelative": (eqm.image.AbsoluteRelative(), DEPTHS),
    "image.SquaredRelative": (eqm.image.SquaredRelative(per="pooled"), DEPTHS),
    "image.RMSELog": (eqm.image.RMSELog(per="pooled"), DEPTHS),
    "image.DeltaAccuracy": (eqm.image.DeltaAccuracy(1.5), DEPTHS),
    "image.ScaleInvariantLog": (eqm.image.ScaleInvariantLog(), DEPTHS),
    "image.EndPointError": (eqm.image.EndPointError(per="pooled"), FLOWS),
    "image.FlowOutliers": (eqm.image.FlowOutliers(), FLOWS),
    "image.PCK": (eqm.image.PCK(1.0), points(scale=away(0.5, 2))),
    "image.OKS": (eqm.image.OKS((0.3, 0.5, 0.4, 0.6)), points(areas=away(1, 4))),
}
SLOW = {"image.VisualInformationFidelity"}
