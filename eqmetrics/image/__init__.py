"""Scores of images against targets, of depth maps, of optical flow and of keypoints."""

from ._depth import (
    AbsoluteRelative as AbsoluteRelative,
    DeltaAccuracy as DeltaAccuracy,
    RMSELog as RMSELog,
    ScaleInvariantLog as ScaleInvariantLog,
    SquaredRelative as SquaredRelative,
)
from ._detail import (
    SpatialCorrelation as SpatialCorrelation,
    TotalVariation as TotalVariation,
)
from ._flow import EndPointError as EndPointError, FlowOutliers as FlowOutliers
from ._image import Image as Image
from ._keypoints import OKS as OKS, PCK as PCK
from ._pansharpening import (
    QNR as QNR,
    SpatialDistortion as SpatialDistortion,
    SpectralDistortion as SpectralDistortion,
)
from ._psnr import PSNR as PSNR
from ._spectra import ERGAS as ERGAS, RASE as RASE, SpectralAngle as SpectralAngle
from ._ssim import MultiScaleSSIM as MultiScaleSSIM, SSIM as SSIM
from ._universal_quality import UniversalQuality as UniversalQuality
from ._visual_information import VisualInformationFidelity as VisualInformationFidelity
