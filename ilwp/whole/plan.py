"""What a user asks for when a whole network is coded."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

Bits = Annotated[float, Field(ge=2, le=16)]


@dataclass(frozen=True, config={"extra": "forbid"})
class Plan:
    """How to code a network. Bits, where they are given, take the place of quality.

    Of n bits there are 2 ** n - 1 levels in the range of the largest weight; n need not be whole.
    """

    method: Literal["baseline", "fss", "lss", "ill", "aligned", "multiset"] = "ill"
    quality: Annotated[float, Field(ge=0, le=100)] | None = None  # dB; None: as `methods` has it
    bits: Bits | None = None  # of depthwise kernels
    range: Literal["layer", "network"] = "layer"  # with bits: a step for every depthwise layer, or one for all
    dense_bits: Bits | None = None  # of all other weights, in the range of the largest among them
    vector_bits: Bits | None = None  # of batch norms and biases, in each one's own range
