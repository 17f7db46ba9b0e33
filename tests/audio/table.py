"""The rows of the table of laws for `eqm.audio`."""

import eqmetrics as eqm

from ..draws import drawn, scores, SIZES


SIGNALS = drawn(SIZES, predictions=scores(2, 24), targets=scores(2, 24))
MIXTURES = drawn(SIZES, predictions=scores(2, 12), targets=scores(2, 12))
AUDIO = eqm.audio

ROWS = {
    "audio.SNR": (AUDIO.SNR(), SIGNALS),
    "audio.SISDR": (AUDIO.SISDR(), SIGNALS),
    "audio.SDR": (AUDIO.SDR(4), SIGNALS),
    "audio.MultiResolutionSTFT": (AUDIO.MultiResolutionSTFT([(8, 4, 8), (4, 2, 3)]), SIGNALS),
    "audio.LogMelDistance": (
        AUDIO.LogMelDistance(8_000, mels=3, resolution=(16, 8, 16)),
        SIGNALS,
    ),
    "audio.MelCepstralDistortion": (AUDIO.MelCepstralDistortion(), SIGNALS),
    "audio.SASDR": (AUDIO.SASDR(), MIXTURES),
    "audio.PermutationInvariant": (AUDIO.PermutationInvariant(AUDIO.SNR(), 2), MIXTURES),
    "audio.Improvement": (
        AUDIO.Improvement(AUDIO.PermutationInvariant(AUDIO.SISDR(), 2)),
        drawn(SIZES, predictions=scores(2, 12), targets=scores(2, 12), mixture=scores(2, 12)),
    ),
}
