"""The rows of the table of laws for `eqm.image`."""

import numpy as np

import eqmetrics as eqm

from ..draws import drawn, SIZES


SMALL = eqm.image.Image(data_range=1.0, channels=2)


def pictures(*shape: int):
    return lambda rng, n: rng.random((n, *shape)).astype(np.float32)


def pairs(*shape: int) -> list[dict]:
    return drawn(SIZES, predictions=pictures(*shape), targets=pictures(*shape))


ROWS = {
    "image.PSNR": (eqm.image.PSNR(SMALL), pairs(8, 4, 2)),
    "image.SSIM": (eqm.image.SSIM(SMALL, window=3), pairs(8, 4, 2)),
    "image.MultiScaleSSIM": (
        eqm.image.MultiScaleSSIM(SMALL, weights=(0.4, 0.6), window=3),
        pairs(8, 8, 2),
    ),
}
