"""Scores of images beside others, of depth maps, of optical flow and of keypoints."""

from ._image import Image as Image
from ._psnr import PSNR as PSNR
from ._ssim import MultiScaleSSIM as MultiScaleSSIM, SSIM as SSIM
