"""Scores of images beside others, of depth maps, of optical flow and of keypoints."""

from ._depth import (
    AbsoluteRelative as AbsoluteRelative,
    DeltaAccuracy as DeltaAccuracy,
    RMSELog as RMSELog,
    ScaleInvariantLog as ScaleInvariantLog,
    SquaredRelative as SquaredRelative,
)
from ._flow import EndPointError as EndPointError, FlowOutliers as FlowOutliers
from ._image import Image as Image
from ._keypoints import OKS as OKS, PCK as PCK
from ._psnr import PSNR as PSNR
from ._ssim import MultiScaleSSIM as MultiScaleSSIM, SSIM as SSIM
