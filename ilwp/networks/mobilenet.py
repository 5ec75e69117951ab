"""MobileNet (Howard et al. 2017) for 32x32 images: 13 depthwise layers, 4,960 kernels at width 1.

The stem keeps full resolution; four of the thirteen blocks halve it, down to 2x2.
"""

from torch import nn

from ilwp.networks.layers import classifier, conv_bn, depthwise, scaled

STEM = 32
# (output channels, stride) of each block
BLOCKS = [
    (64, 1),
    (128, 2), (128, 1),
    (256, 2), (256, 1),
    (512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1),
    (1024, 2), (1024, 1),
]  # fmt: skip


def mobilenet(classes: int, width: float = 1.0) -> nn.Module:
    """Stem, thirteen depthwise separable blocks, classifier."""
    channels = scaled(STEM, width)
    layers = [conv_bn(3, channels, kernel=3)]
    for planned, stride in BLOCKS:
        outputs = scaled(planned, width)
        layers.append(nn.Sequential(depthwise(channels, stride), conv_bn(channels, outputs)))
        channels = outputs
    return nn.Sequential(*layers, classifier(channels, classes))
