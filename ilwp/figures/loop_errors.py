"""How an error travels through the layers: collocated prediction in a closed and in an open loop, side by side.

In a closed loop the residual is taken against what the decoder will have, so an error is quantization's alone. In an
open loop it is taken against the original, and each layer hands its error on to the next.
"""

from typing import Any

import numpy as np

from ilwp.common.distortion import rms
from ilwp.paper import codec
from ilwp.paper.kernels import Kernels
from ilwp.paper.methods import LOOPS
from ilwp.paper.settings import Settings


def loop_errors(kernels: Kernels, bits: int, channel: int) -> dict[str, Any]:
    """Plain values for a page's script: `layers`, one an entry, of layers (c_i, kh, kw).

    Of one kernel per layer, the one at `channel` modulo the layer's channels, an entry has the weights `trained` and in
    each loop the `decoded` ones. `error` is the root mean square error of the whole layer in percent of its root mean
    square weight, and `bound` the most that quantization alone can do to a weight, half a step, in the same unit.
    """
    coded = {loop: codec.encode_kernels(kernels, Settings("ill", bits, loop)) for loop in LOOPS}
    decoded = {loop: codec.decode_kernels(coded[loop]) for loop in LOOPS}
    layers = []
    for i, (name, layer) in enumerate(kernels.items()):
        scale = rms(layer) or 1.0
        errors = {loop: decoded[loop][name].astype(np.float64) - layer for loop in LOOPS}
        shown = channel % len(layer)
        layers.append(
            {
                "trained": _values(layer[shown]),
                "decoded": {loop: _values(decoded[loop][name][shown]) for loop in LOOPS},
                "error": {loop: round(100 * rms(errors[loop]) / scale, 3) for loop in LOOPS},
                "bound": round(100 * coded["closed"].quantizers[i - 1].step / 2 / scale, 3) if i else 0.0,
            }
        )
    return {"bits": bits, "channel": channel, "layers": layers}


def _values(kernel: np.ndarray) -> list[float]:
    return [float(f"{value:.4g}") for value in kernel.ravel()]
