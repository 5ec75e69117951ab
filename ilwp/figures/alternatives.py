"""What the paper leaves open, and what each alternative changes: measured by coding trained kernels both ways."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ilwp import networks
from ilwp.common.distortion import later_layers_snr
from ilwp.experiments.curves import CURVES, PAPER_CURVES
from ilwp.experiments.evidence import Runs, curve_results, select
from ilwp.figures.explorer import ans_rate
from ilwp.paper import bitstream, codec
from ilwp.paper.kernels import Kernels
from ilwp.paper.settings import Rate, Settings
from ilwp.whole import models
from ilwp.whole.transform import basis, forward


@dataclass(frozen=True)
class Alternative:
    """A setting that the paper leaves open: our default, another value, and the settings of `codec` for that one."""

    setting: str
    default: str
    other: str
    settings: tuple[tuple[str, Any], ...] = ()


ALTERNATIVES = (
    Alternative("loop", "closed: against what the decoder has", "open: against the originals", (("loop", "open"),)),
    Alternative(
        "quantizer", "symmetric, zero is a level", "affine, from least to greatest", (("quantizer", "affine"),)
    ),
    Alternative("range", "the layer's largest residual", "one step for the network", (("range", "network"),)),
    Alternative("Huffman table", "one for the network", "one per layer", (("table", "layer"),)),
    Alternative("entropy coder", "Huffman", "ANS, a model per layer"),
    Alternative("transform", "none", "3 x 3 cosine transform of residuals"),
)


def alternatives(runs: Runs, bits: int, kernels: Callable[[Path], Kernels]) -> pd.DataFrame:
    """One row per setting, curve and run: `size`, the file's over the default's, and `gain` in dB of what is decoded.

    Each curve is measured on the runs that it stands on, whose kernels (c_i, kh, kw) `kernels` reads. The transform's
    size is that of the levels on ANS, at the same step with and without it.
    """
    rows = []
    for name, curve in PAPER_CURVES.items():
        for path in select(runs, inter_layer=curve.inter_layer):
            trained = kernels(path)
            default = Settings(curve.method, bits)
            coded = codec.encode_kernels(trained, default)
            rate, snr = bitstream.write_kernel_file(coded)[1], later_layers_snr(trained, codec.decode_kernels(coded))
            for alternative in ALTERNATIVES:
                size, gain = 1.0, 0.0
                if alternative.setting == "entropy coder":
                    size = ans_rate(rate, coded).total / rate.total
                elif alternative.setting == "transform":
                    size = _with_transform(trained, coded)
                elif alternative.setting != "loop" or len(curve.loops) > 1:
                    other = codec.encode_kernels(trained, replace(default, **dict(alternative.settings)))
                    size = bitstream.write_kernel_file(other)[1].total / rate.total
                    gain = later_layers_snr(trained, codec.decode_kernels(other)) - snr
                rows.append({"setting": alternative.setting, "curve": name, "size": size, "gain": gain})
    return pd.DataFrame(rows, columns=["setting", "curve", "size", "gain"])


def other_layer_order(kernels: Kernels) -> Kernels:
    """The same layers with the two branches of each of ShuffleNetV2's down-sampling blocks changing places."""
    names = list(kernels)
    for i, (first, second) in enumerate(pairwise(kernels)):
        if ".branch1." in first and first.partition(".branch1.")[0] == second.partition(".branch2.")[0]:
            names[i], names[i + 1] = second, first
    return {name: kernels[name] for name in names}


def _with_transform(kernels: Kernels, coded: codec.CodedKernels) -> float:
    """Bits of transformed residuals over those of plain ones, both on ANS with the steps of `coded`."""
    size = coded.first.shape[1:]
    residuals = codec.residuals(kernels, coded.settings.method)
    plain = transformed = 0.0
    for residual, quantizer in zip(residuals, coded.quantizers, strict=True):
        coefficients = forward(residual, basis(*size))
        plain += _model_bits(residual, quantizer.step)
        transformed += _model_bits(coefficients, quantizer.step)
    return transformed / plain


def _model_bits(values: np.ndarray, step: float) -> float:
    return models.fit_code(np.rint(values / step).astype(np.int64))[1]


def commonest_levels(runs: Runs, bits: int, kernels: Callable[[Path], Kernels]) -> dict[str, float]:
    """By quantizer: percent of ILL's weights that its commonest level holds, a mean over runs; NaN without any."""
    shares: dict[str, float] = {}
    for quantizer in ("symmetric", "affine"):
        settings = replace(Settings("ill", bits), quantizer=quantizer)
        found = []
        for path in select(runs, inter_layer=CURVES["ill"].inter_layer):
            levels = codec.encode_kernels(kernels(path), settings).levels
            counts = np.unique(np.concatenate([level.ravel() for level in levels]), return_counts=True)[1]
            found.append(100 * counts.max() / counts.sum())
        shares[quantizer] = float(np.mean(found)) if found else np.nan
    return shares


def accuracies_by_loop(runs: Runs) -> pd.DataFrame:
    """Mean accuracy after decoding, of one network and data set: rows are methods and loops, columns bit widths."""
    rows = []
    for name in ("fss", "lss", "ill"):
        for loop in CURVES[name].loops:
            table = curve_results(runs, loop)
            mine = table[table["curve"] == name]
            if len(mine):
                accuracy = mine.groupby("bits")["accuracy"].mean()
                row = {"method": CURVES[name].title, "loop": loop}
                rows.append(row | {f"{bits} bits": f"{value:.1f}" for bits, value in accuracy.items()})
    return pd.DataFrame(rows)


def first_layers(runs: Runs, bits: int, kernels: Callable[[Path], Kernels]) -> pd.DataFrame:
    """One row per network and method: bytes, the first layer's share of them, and the size with branches swapped.

    Of one data set; means over runs.
    """
    rows = []
    for curve in (CURVES["baseline"], CURVES["ill"]):
        for network, title in networks.TITLES.items():
            found = [kernels(path) for path in select(runs, network=network, inter_layer=curve.inter_layer)]
            if not found:
                continue
            settings = Settings(curve.method, bits)
            rates = [_rate(trained, settings) for trained in found]
            changed = [_rate(other_layer_order(k), settings).total / r.total for k, r in zip(found, rates, strict=True)]
            other = f"{np.mean(changed):.3f}" if network == "shufflenetv2" else "no such choice"
            rows.append({
                "network": title,
                "method": curve.title,
                "file (bytes)": f"{np.mean([rate.total for rate in rates]) / 8:,.0f}",
                "first layer's share": f"{np.mean([rate.raw / rate.total for rate in rates]):.1%}",
                "branch 2 first: size over branch 1 first's": other,
            })  # fmt: skip
    return pd.DataFrame(rows)


def _rate(kernels: Kernels, settings: Settings) -> Rate:
    return bitstream.write_kernel_file(codec.encode_kernels(kernels, settings))[1]
