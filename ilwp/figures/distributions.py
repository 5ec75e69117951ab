"""Fig. 7: weights and residuals of one network each, the Laplace distributions fitted to them, and what is near zero.

kernels -> distribution -> Distribution -> row of a table
"""

from dataclasses import dataclass

import numpy as np

from ilwp.common.distortion import later_layers_snr, zero_share
from ilwp.figures.residuals import coded_residuals, laplace_distance, peakedness, rms_of_later_layers
from ilwp.paper import codec
from ilwp.paper.huffman import entropy
from ilwp.paper.kernels import Kernels
from ilwp.paper.laplace import LaplaceFit, fit_laplace
from ilwp.paper.methods import LOOPS, Loop, Method
from ilwp.paper.settings import Settings


@dataclass(frozen=True)
class Coding:
    """Levels of one bit width and loop: their entropy in bits, percent of zeros, SNR in dB, and peaks by layer."""

    entropy: float
    zeros: float
    snr_db: float
    peaks: np.ndarray


@dataclass(frozen=True)
class Distribution:
    """Values of all layers but the first, (n,): as they are, and over their layer's root mean square weight."""

    plain: np.ndarray
    relative: np.ndarray
    codings: dict[Loop, Coding]

    @property
    def fit(self) -> LaplaceFit:
        """The Laplace distribution of `plain`."""
        return fit_laplace(self.plain)

    @property
    def relative_fit(self) -> LaplaceFit:
        """The Laplace distribution of `relative`."""
        return fit_laplace(self.relative)

    def row(self, bits: int) -> dict[str, str]:
        """What the page's table says of it; `bits` is the width that the codings have."""
        fit = self.fit
        words = {
            "scale b": f"{fit.scale:.4f}",
            "entropy by Eq. 5 (nats)": f"{fit.nats:.2f}",
            "entropy by Eq. 5 (bits)": f"{fit.bits:.2f}",
            "Kolmogorov's distance to the fit": f"{laplace_distance(self.plain, fit):.3f}",
            "scale b relative to the layer": f"{self.relative_fit.scale:.4f}",
        }
        for loop, coding in self.codings.items():
            words |= {
                f"largest over mean, by layer, {loop} loop": f"{coding.peaks.min():.1f} to {coding.peaks.max():.1f}",
                f"entropy of {bits}-bit levels, {loop} loop (bits)": f"{coding.entropy:.2f}",
                f"levels that are zero, {loop} loop (%)": f"{coding.zeros:.1f}",
                f"signal-to-noise ratio, {loop} loop (dB)": f"{coding.snr_db:.1f}",
            }
        return words

    def quoted(self, name: str) -> dict[str, float]:
        """What prose quotes of it, by names that begin with `name`; peaks are those of the closed loop."""
        closed, opened = self.codings["closed"], self.codings["open"]
        return {
            f"{name}_scale": self.fit.scale,
            f"{name}_peak_low": float(closed.peaks.min()),
            f"{name}_peak_high": float(closed.peaks.max()),
            f"{name}_closed_zeros": closed.zeros,
            f"{name}_open_zeros": opened.zeros,
        }


def distribution(kernels: Kernels, method: Method, bits: int) -> Distribution:
    """What a method leaves of kernels (c_i, kh, kw), against the original ones; codings are at `bits`."""
    values = coded_residuals(kernels, method, "open")
    scales = rms_of_later_layers(kernels)
    return Distribution(
        np.concatenate([v.ravel() for v in values]),
        np.concatenate([(v / scale).ravel() for v, scale in zip(values, scales, strict=True)]),
        {loop: _coding(kernels, method, loop, bits) for loop in LOOPS},
    )


def _coding(kernels: Kernels, method: Method, loop: Loop, bits: int) -> Coding:
    coded = codec.encode_kernels(kernels, Settings(method, bits, loop))
    counts = np.unique(np.concatenate([q.ravel() for q in coded.levels]), return_counts=True)[1]
    peaks = peakedness(coded_residuals(kernels, method, loop, bits))
    snr_db = later_layers_snr(kernels, codec.decode_kernels(coded))
    return Coding(entropy(counts), 100 * zero_share(coded.levels), snr_db, peaks)
