"""Fig. 7 and what a range quantizer makes of residuals: how peaked they are decides, not how small.

kernels -> coded_residuals -> one array per layer -> peakedness, layer_differences
runs -> peaks_and_bits -> Peaks
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from ilwp.common.distortion import later_layers_snr, rms
from ilwp.experiments.curves import CURVES
from ilwp.experiments.evidence import Runs, select
from ilwp.paper import codec
from ilwp.paper.huffman import entropy
from ilwp.paper.kernels import Kernels
from ilwp.paper.laplace import LaplaceFit
from ilwp.paper.methods import Loop, Method
from ilwp.paper.settings import Settings

FIG7_BITS = 8


@dataclass(frozen=True)
class Peaks:
    """What a curve's later layers are like, one entry per run: (n, layers) but for `snr_db`, which is (n,).

    `peaks` are largest over mean absolute values, `bits` the entropy of each layer's levels of 8 bits. `shares`
    (layers,) says what part of all weights a layer has.
    """

    peaks: np.ndarray
    bits: np.ndarray
    snr_db: np.ndarray
    shares: np.ndarray

    def mean(self, values: np.ndarray) -> float:
        """The mean of a field over runs and weights; NaN without runs."""
        return float((values * self.shares).sum(axis=1).mean()) if len(values) else float("nan")


def coded_residuals(kernels: Kernels, method: Method, loop: Loop, bits: int = FIG7_BITS) -> list[np.ndarray]:
    """What a method quantizes of each later layer, (c_i, kh * kw) float64: against original or decoded predictions."""
    if method == "baseline" or loop == "open":
        return codec.residuals(kernels, method)
    coded = codec.encode_kernels(kernels, Settings(method, bits, loop))
    decoded = codec.decode_kernels(coded)
    return [
        # decoded kernels are prediction plus level
        (kernels[name].astype(np.float64) - decoded[name] + levels * quantizer.step).reshape(len(levels), -1)
        for name, levels, quantizer in zip(coded.names[1:], coded.levels, coded.quantizers, strict=True)
    ]


def laplace_distance(values: np.ndarray, fit: LaplaceFit) -> float:
    """Kolmogorov's distance: the largest between the distribution functions of values of any shape and of a fit."""
    return float(stats.kstest(values.ravel(), "laplace", (fit.location, fit.scale)).statistic)


def rms_of_later_layers(kernels: Kernels) -> np.ndarray:
    """Root mean square weight of each layer from the second on, (layers,)."""
    return np.array([rms(layer) for layer in list(kernels.values())[1:]])


def peakedness(residuals: Sequence[np.ndarray]) -> np.ndarray:
    """Largest over mean absolute value of each layer: what decides the bits of levels whose range follows the largest.

    NaN for a layer of zeros.
    """
    sizes = [np.abs(layer) for layer in residuals]
    return np.array([size.max() / size.mean() if size.any() else np.nan for size in sizes])


def layer_differences(kernels: Kernels) -> np.ndarray:
    """Root mean square difference of each later layer from the kernels beside it, over the layer's own; (layers,)."""
    differences = np.array([rms(residual) for residual in codec.residuals(kernels, "ill")])
    of_layers: np.ndarray = differences / rms_of_later_layers(kernels)
    return of_layers


def peaks_and_bits(runs: Runs, kernels: Callable[[Path], Kernels], curve: str, loop: Loop) -> Peaks:
    """The peaks of a curve's runs, all of one network; `kernels` reads those of one."""
    method = CURVES[curve].method
    trained = [kernels(path) for path in select(runs, inter_layer=CURVES[curve].inter_layer)]
    rows = [_peaks(k, method, loop) for k in trained]
    counts = np.array([layer.size for layer in list(trained[0].values())[1:]]) if trained else np.ones(1)
    peaks, bits, snr_db = (np.array([row[i] for row in rows]) for i in range(3))
    return Peaks(peaks, bits, snr_db, counts / counts.sum())


def _peaks(kernels: Kernels, method: Method, loop: Loop) -> tuple[np.ndarray, ...]:
    residuals = coded_residuals(kernels, method, loop)
    coded = codec.encode_kernels(kernels, Settings(method, FIG7_BITS, loop))
    bits = np.array([entropy(np.unique(q, return_counts=True)[1]) for q in coded.levels])
    snr_db = np.array(later_layers_snr(kernels, codec.decode_kernels(coded)))
    return peakedness(residuals), bits, snr_db
