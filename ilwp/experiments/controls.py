"""Controls of the inter-layer loss: their kernels coded against the layers that their own loss compared them with.

No file format names such layers, so a network is coded pair by pair: each layer after its target.
"""

from collections.abc import Sequence
from dataclasses import replace

from ilwp.paper import codec
from ilwp.paper.kernels import Kernels
from ilwp.paper.settings import Settings


def encode_against(kernels: Kernels, targets: Sequence[int], settings: Settings) -> tuple[codec.CodedKernels, Kernels]:
    """Collocated prediction (3.3) of each layer from the second on from another earlier layer than the previous one.

    `targets` holds that layer for each, counted from 0. Returns what a file would hold, as `codec.encode_kernels` does,
    and what a decoder that knows the targets would get. The settings' method is ill, and each layer has its own range.
    """
    names = list(kernels)
    first = kernels[names[0]]
    decoded, pairs = {names[0]: first}, []
    for name, target in zip(names[1:], (names[t] for t in targets), strict=True):
        reference = decoded[target] if settings.loop == "closed" else kernels[target]
        pair = codec.encode_kernels({target: reference, name: kernels[name]}, settings)
        decoded[name] = codec.decode_kernels(replace(pair, first=decoded[target]))[name]
        pairs.append(pair)
    levels, indices, quantizers = (
        tuple(part for pair in pairs for part in getattr(pair, field)) for field in ("levels", "indices", "quantizers")
    )
    return codec.CodedKernels(settings, tuple(names), first, levels, indices, quantizers), decoded
