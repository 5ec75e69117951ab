"""How kernels are coded and where a file's bits go: plain values, so that reading a record needs no codec.

What the paper leaves open has a name and a default in `Settings`.
"""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from ilwp.paper.methods import BITS, Loop, Method


@dataclass(frozen=True, config={"extra": "forbid"})
class Settings:
    """How depthwise kernels are predicted, quantized and Huffman coded."""

    method: Method = "ill"
    bits: Annotated[int, Field(ge=BITS[0], le=BITS[-1])] = 8
    loop: Loop = "closed"  # predict from reconstructed kernels (Eq. 4) or from the originals (section 3.1)
    quantizer: Literal["symmetric", "affine"] = "symmetric"
    range: Literal["layer", "network"] = "layer"  # one quantization step per layer, or one for all
    table: Literal["layer", "network"] = "network"  # one Huffman table a layer, or one for all


@dataclass(frozen=True, config={"extra": "forbid"})
class Rate:
    """Bits of a file, part by part. The sum is the file's length."""

    texture: int  # code words of the quantized residuals
    index: int  # references: the paper's non-texture bits
    raw: int  # the first layer, which is not quantized
    side: int  # header, names, steps, code tables, padding, checksum
    other: int = 0  # tensors that are not depthwise kernels

    @property
    def total(self) -> int:
        """All bits."""
        return self.texture + self.index + self.raw + self.side + self.other
