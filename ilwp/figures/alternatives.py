"""What the paper leaves open, and what each alternative changes: measured by coding trained kernels both ways."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ilwp.experiments.evidence import CURVES, Runs, select
from ilwp.figures.explorer import ans_rate
from ilwp.paper import bitstream, codec
from ilwp.paper.distortion import later_layers_snr
from ilwp.paper.kernels import Kernels
from ilwp.paper.settings import Settings
from ilwp.whole.models import fit
from ilwp.whole.transform import basis, forward

# choice -> our default, the alternative, and the settings that make the alternative
CHOICES: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "loop": ("closed: against what the decoder has", "open: against the originals", {"loop": "open"}),
    "quantizer": ("symmetric, zero is a level", "affine, from least to greatest", {"quantizer": "affine"}),
    "range": ("the layer's largest residual", "one step for the network", {"range": "network"}),
    "Huffman table": ("one for the network", "one a layer", {"table": "layer"}),
    "entropy coder": ("Huffman", "ANS, a model a layer", {}),
    "transform": ("none", "3 x 3 cosine transform of residuals", {}),
}
PAPER_CURVES = ("baseline", "fss", "lss", "ill")


def alternatives(runs: Runs, bits: int, kernels: Callable[[Path], Kernels]) -> pd.DataFrame:
    """A row a choice, curve and run: `size`, the file's over the default's, and `gain` in dB of what is decoded.

    Each curve is measured on the runs that it stands on (`evidence.CURVES`), whose kernels (c_i, kh, kw) `kernels`
    reads. The transform's size is that of the levels on ANS, at the same step with and without it.
    """
    rows = []
    for curve in PAPER_CURVES:
        inter_layer, method = CURVES[curve]
        for path in select(runs, inter_layer=inter_layer):
            trained = kernels(path)
            default = Settings(method, bits)  # type: ignore[arg-type]
            coded = codec.encode(trained, default)
            rate, snr = bitstream.write(coded)[1], later_layers_snr(trained, codec.decode(coded))
            for choice, (_, _, changed) in CHOICES.items():
                size, gain = 1.0, 0.0  # where there is no such choice
                if choice == "entropy coder":
                    size = ans_rate(rate, coded).total / rate.total
                elif choice == "transform":
                    size = _with_transform(trained, coded)
                elif (choice, method) != ("loop", "baseline"):
                    other = codec.encode(trained, replace(default, **changed))
                    size = bitstream.write(other)[1].total / rate.total
                    gain = later_layers_snr(trained, codec.decode(other)) - snr
                rows.append({"choice": choice, "curve": curve, "size": size, "gain": gain})
    return pd.DataFrame(rows, columns=["choice", "curve", "size", "gain"])


def other_layer_order(kernels: Kernels) -> Kernels:
    """The same layers with the two branches of each of ShuffleNetV2's down-sampling blocks changing places."""
    names = list(kernels)
    for i, (first, second) in enumerate(pairwise(kernels)):
        if ".branch1." in first and first.partition(".branch1.")[0] == second.partition(".branch2.")[0]:
            names[i], names[i + 1] = second, first
    return {name: kernels[name] for name in names}


def _with_transform(kernels: Kernels, coded: codec.Coded) -> float:
    """Bits of transformed residuals over those of plain ones, both on ANS with the steps of `coded`."""
    size = coded.first.shape[1:]
    residuals = codec.residuals(kernels, coded.settings.method)
    plain = transformed = 0.0
    for residual, quantizer in zip(residuals, coded.quantizers, strict=True):
        coefficients = forward(residual, basis(*size))
        plain += fit(_levels(residual, quantizer.step))[1]
        transformed += fit(_levels(coefficients, quantizer.step))[1]
    return transformed / plain


def _levels(values: np.ndarray, step: float) -> np.ndarray:
    return np.rint(values / step).astype(np.int64)
