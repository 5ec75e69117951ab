"""MobileNetV2 (Sandler et al. 2018) for 32x32 images: 17 depthwise layers, 7,136 kernels at width 1.

The stem and the first widening stage keep full resolution; three stages halve it, down to 4x4.
"""

import torch
from torch import nn

from ilwp.networks.layers import classifier, conv_bn, depthwise, scaled

STEM, HEAD = 32, 1280
# (expansion, output channels, blocks, stride of the first block) of each stage
STAGES = [
    (1, 16, 1, 1),
    (6, 24, 2, 1),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
]


class InvertedResidual(nn.Module):
    """Expand (unless the factor is 1), filter depthwise, project linearly; added to its input where shapes agree."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        expand = [] if expansion == 1 else [conv_bn(inputs, hidden)]
        self.body = nn.Sequential(*expand, depthwise(hidden, stride), conv_bn(hidden, outputs, relu=False))
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        y: torch.Tensor = self.body(x)
        return x + y if self.shortcut else y


def mobilenetv2(classes: int, width: float = 1.0) -> nn.Module:
    """Stem, seventeen inverted residual blocks, pointwise head, classifier."""
    channels = scaled(STEM, width)
    layers: list[nn.Module] = [conv_bn(3, channels, kernel=3)]
    for expansion, planned, blocks, stride in STAGES:
        outputs = scaled(planned, width)
        for block in range(blocks):
            layers.append(InvertedResidual(channels, outputs, expansion, stride if block == 0 else 1))
            channels = outputs
    head = max(HEAD, scaled(HEAD, width))
    return nn.Sequential(*layers, conv_bn(channels, head), classifier(head, classes))
