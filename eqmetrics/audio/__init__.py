"""Scores of audio signals: ratios of energies, separated sources, and distances of spectra."""

from ._improvement import Improvement as Improvement
from ._permutation import PermutationInvariant as PermutationInvariant
from ._sdr import SDR as SDR
from ._snr import SASDR as SASDR, SISDR as SISDR, SNR as SNR
from ._spectral import (
    LogMelDistance as LogMelDistance,
    MelCepstralDistortion as MelCepstralDistortion,
    MultiResolutionSTFT as MultiResolutionSTFT,
)
