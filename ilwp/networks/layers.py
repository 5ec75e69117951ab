"""What the four networks share: a convolution with its batch norm, and the width multiplier."""

from torch import nn


def scaled(channels: int, width: float, multiple: int = 8) -> int:
    """`channels` times the width multiplier, rounded to a positive multiple; exact at width 1."""
    return channels if width == 1 else max(multiple, round(channels * width / multiple) * multiple)


def conv_bn(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, relu: bool = True
) -> nn.Sequential:
    """Convolution without bias, batch norm and, unless the block is linear here, ReLU."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


def depthwise(channels: int, stride: int = 1, relu: bool = True) -> nn.Sequential:
    """A 3x3 convolution with one kernel a channel: what the paper predicts from layer to layer."""
    return conv_bn(channels, channels, kernel=3, stride=stride, groups=channels, relu=relu)


def classifier(channels: int, classes: int) -> nn.Sequential:
    """Global average pooling and one linear layer: (n, channels, h, w) to (n, classes)."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))
