"""ShuffleNetV2 (Ma et al. 2018) for 32x32 images: 19 depthwise layers, 2,460 kernels at width 1.

The stem keeps full resolution; each of the three stages halves it, down to 4x4. A down-sampling block
has two depthwise layers: branch1's counts as the earlier one.
"""

import torch
from torch import nn

from ilwp.networks.layers import classifier, conv_bn, depthwise, scaled

STEM, HEAD = 24, 1024
# (output channels, blocks that keep resolution) of each stage
STAGES = [(116, 3), (232, 7), (464, 3)]


class DownUnit(nn.Module):
    """Both branches see the whole input and halve its resolution; their outputs are shuffled together."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.branch1 = nn.Sequential(depthwise(inputs, stride=2, relu=False), conv_bn(inputs, half))
        self.branch2 = nn.Sequential(conv_bn(inputs, half), depthwise(half, stride=2, relu=False), conv_bn(half, half))
        self.shuffle = nn.ChannelShuffle(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, inputs, h, w) to (n, outputs, h / 2, w / 2)."""
        y: torch.Tensor = self.shuffle(torch.cat([self.branch1(x), self.branch2(x)], dim=1))
        return y


class ShuffleUnitV2(nn.Module):
    """Half of the channels pass through, the other half is filtered; then both are shuffled together."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.branch2 = nn.Sequential(conv_bn(half, half), depthwise(half, relu=False), conv_bn(half, half))
        self.shuffle = nn.ChannelShuffle(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, channels, h, w) to the same shape."""
        passed, filtered = x.chunk(2, dim=1)
        y: torch.Tensor = self.shuffle(torch.cat([passed, self.branch2(filtered)], dim=1))
        return y


def shufflenetv2(classes: int, width: float = 1.0) -> nn.Module:
    """Stem, three stages of one down-sampling and several plain units, pointwise head, classifier."""
    channels = scaled(STEM, width)
    layers: list[nn.Module] = [conv_bn(3, channels, kernel=3)]
    for planned, plain in STAGES:
        outputs = scaled(planned, width, multiple=4)
        layers.append(DownUnit(channels, outputs))
        layers += [ShuffleUnitV2(outputs) for _ in range(plain)]
        channels = outputs
    head = scaled(HEAD, width)
    return nn.Sequential(*layers, conv_bn(channels, head), classifier(head, classes))
