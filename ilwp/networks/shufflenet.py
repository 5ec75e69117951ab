"""ShuffleNet with two groups (Zhang et al. 2018) for 32x32 images: 16 depthwise layers, 1,644 kernels at width 1.

The stem is pointwise at full resolution; each of the three stages halves it, down to 4x4.
"""

import torch
from torch import nn

from ilwp.networks.layers import classifier, conv_bn, depthwise, scaled

GROUPS = 2
STEM = 24
# (output channels, blocks) of each stage
STAGES = [(200, 4), (400, 8), (800, 4)]


class ShuffleUnit(nn.Module):
    """Grouped squeeze, channel shuffle, depthwise, grouped expansion.

    With stride 2 the average-pooled input is concatenated, else the input is added.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, groups: int) -> None:
        super().__init__()
        branch = outputs - inputs if stride == 2 else outputs
        hidden = branch // 4
        self.squeeze = conv_bn(inputs, hidden, groups=groups)
        self.shuffle = nn.ChannelShuffle(groups)
        self.depthwise = depthwise(hidden, stride, relu=False)
        self.expand = conv_bn(hidden, branch, groups=GROUPS, relu=False)
        self.pool = nn.AvgPool2d(3, stride=2, padding=1) if stride == 2 else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        y = self.expand(self.depthwise(self.shuffle(self.squeeze(x))))
        return torch.relu_(x + y if self.pool is None else torch.cat([y, self.pool(x)], dim=1))


def shufflenet(classes: int, width: float = 1.0) -> nn.Module:
    """Stem, sixteen shuffle units in three stages, classifier."""
    channels = scaled(STEM, width)
    layers: list[nn.Module] = [conv_bn(3, channels)]
    for planned, blocks in STAGES:
        outputs = scaled(planned, width)
        for block in range(blocks):
            # the stem is too narrow to be grouped (section 3.2 of the ShuffleNet paper)
            groups = 1 if len(layers) == 1 else GROUPS
            layers.append(ShuffleUnit(channels, outputs, 2 if block == 0 else 1, groups))
            channels = outputs
    return nn.Sequential(*layers, classifier(channels, classes))
