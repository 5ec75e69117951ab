"""A small member of each family of networks that torchvision builds; benchmarks/zoo.py takes them all, whole."""

import math
from importlib import import_module

import pytest
import torch
from torch import nn

from ilwp import compress, decompress
from ilwp.networks.comparison import snr_db
from ilwp.whole.methods import QUALITY_OF_WEIGHTS


def of(module: str):
    return import_module(f"torchvision.models.{module}")  # some modules have the name of a function beside them


def alexnet() -> nn.Module:
    with torch.device("meta"):
        layers = of("alexnet").AlexNet().features[:4]
    layers.to_empty(device="cpu")
    for p in layers.parameters():
        nn.init.normal_(p, std=0.1)
    return layers


def convnext() -> nn.Module:
    setting = of("convnext").CNBlockConfig
    return of("convnext").ConvNeXt([setting(8, 16, 2), setting(16, None, 2)], layer_scale=0.5, num_classes=7)


def efficientnet() -> nn.Module:
    one, fused = of("efficientnet").MBConvConfig, of("efficientnet").FusedMBConvConfig
    settings = [fused(4, 3, 1, 8, 8, 1), one(4, 5, 2, 8, 16, 2), one(6, 3, 2, 16, 24, 1)]
    return of("efficientnet").EfficientNet(settings, dropout=0.2, num_classes=7, last_channel=32)


def mvit() -> nn.Module:
    setting = of("video.mvit").MSBlockConfig
    settings = [setting(1, 8, 8, [3, 3, 3], [3, 3, 3], [1, 1, 1], [1, 2, 2]),
                setting(2, 8, 16, [3, 3, 3], [3, 3, 3], [1, 2, 2], [1, 1, 1])]  # fmt: skip
    return of("video.mvit").MViT((32, 32), 4, settings, False, True, True, True, num_classes=7)


def regnet() -> nn.Module:
    widths = of("regnet").BlockParams.from_init_params(3, 16, 8, 2, group_width=8, se_ratio=0.25)
    return of("regnet").RegNet(widths, num_classes=7, stem_width=8)


def detector() -> nn.Module:
    """Heads of detectors with anchors, and of one without, on a pyramid."""
    detection = "detection."
    pyramid = import_module("torchvision.ops").FeaturePyramidNetwork([8, 16], 8)
    anchors = of(detection + "anchor_utils").AnchorGenerator(((8,), (16,)), ((0.5, 1.0),) * 2)
    heads = [of(detection + "rpn").RPNHead(8, 2), of(detection + "retinanet").RetinaNetHead(8, 2, 7),
             of(detection + "fcos").FCOSHead(32, 1, 7, 1), of(detection + "faster_rcnn").FastRCNNPredictor(8, 7),
             of(detection + "mask_rcnn").MaskRCNNHeads(8, (8,), 1),
             of(detection + "keypoint_rcnn").KeypointRCNNHeads(8, (8,)),
             of(detection + "ssdlite").SSDLiteHead([8, 16], [2, 2], 7, nn.BatchNorm2d)]  # fmt: skip
    return nn.ModuleList([pyramid, anchors, *heads])


def video_resnet() -> nn.Module:
    blocks = of("video.resnet")
    made = [blocks.BasicBlock(8, 8, kind) for kind in (blocks.Conv3DSimple, blocks.Conv3DNoTemporal)]
    return nn.Sequential(*made, blocks.BasicBlock(8, 8, blocks.Conv2Plus1D))


def swin(version: int) -> nn.Module:
    swin = of("swin_transformer")
    block = [swin.SwinTransformerBlock, swin.SwinTransformerBlockV2][version - 1]
    merging = [swin.PatchMerging, swin.PatchMergingV2][version - 1]
    options = {"num_classes": 7, "block": block, "downsample_layer": merging}
    return swin.SwinTransformer([4, 4], 8, [2, 1], [1, 2], [7, 7], **options)


FAMILIES = {
    "AlexNet": alexnet,
    "ConvNeXt": convnext,
    "DeepLabV3": lambda: of("segmentation.deeplabv3").ASPP(16, [2, 4], 8),
    "DenseNet": lambda: of("densenet").DenseNet(4, (2, 2), 8, num_classes=7),
    "detectors": detector,
    "EfficientNet": efficientnet,
    "FCN": lambda: of("segmentation.fcn").FCNHead(16, 7),
    "GoogLeNet": lambda: of("googlenet").Inception(16, 8, 8, 16, 8, 16, 8),
    "Inception": lambda: of("inception").InceptionC(16, 8),
    "LR-ASPP": lambda: of("segmentation.lraspp").LRASPPHead(8, 16, 7, 8),
    "MaxViT": lambda: of("maxvit").MaxVit((64, 64), 8, 2, [8, 16], [1, 1], 8, 0.0, num_classes=7),
    "MNASNet": lambda: of("mnasnet").MNASNet(0.1, num_classes=7),
    "MobileNetV2": lambda: of("mobilenetv2").mobilenet_v2(width_mult=0.1, num_classes=7),
    "MobileNetV3": lambda: of("mobilenetv3").mobilenet_v3_small(width_mult=0.1, num_classes=7),
    "MViT": mvit,
    "quantizable": lambda: of("quantization.shufflenetv2").QuantizableShuffleNetV2([1, 1, 1], [8, 8, 16, 16, 32]),
    "RAFT": lambda: of("optical_flow.raft").FeatureEncoder(layers=(8, 8, 16, 16, 32)),
    "RegNet": regnet,
    "ResNet": lambda: of("resnet").Bottleneck(32, 16, groups=4),
    "S3D": lambda: of("video.s3d").SepInceptionBlock3D(16, 8, 8, 16, 8, 16, 8, nn.BatchNorm3d),
    "ShuffleNetV2": lambda: of("shufflenetv2").ShuffleNetV2([2, 2, 2], [8, 16, 32, 64, 64], num_classes=7),
    "SqueezeNet": lambda: of("squeezenet").Fire(32, 8, 16, 16),
    "Swin": lambda: swin(1),
    "Swin V2": lambda: swin(2),
    "VGG": lambda: of("vgg").make_layers([8, "M", 16], batch_norm=True),
    "video ResNets": video_resnet,
    "video Swin": lambda: of("video.swin_transformer").SwinTransformer3d([2, 4, 4], 8, [1, 1], [1, 2], [8, 7, 7]),
    "ViT": lambda: of("vision_transformer").VisionTransformer(32, 16, 2, 2, 16, 32, num_classes=7),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_comes_back_under_its_names_in_its_types_and_as_well_as_its_quality_says(family: str):
    torch.manual_seed(0)
    network = FAMILIES[family]()
    for name, buffer in network.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 2)
    state = network.state_dict()
    content = compress(state)
    back = decompress(content)
    assert list(back) == list(state)
    inexact = {name for name, _ in network.named_parameters()}
    inexact |= {name for name in state if name.endswith(("running_mean", "running_var"))}
    for name, tensor in state.items():
        assert (back[name].shape, back[name].dtype) == (tuple(tensor.shape), tensor.numpy().dtype)
        assert snr_db(tensor.numpy(), back[name]) >= (QUALITY_OF_WEIGHTS - 1 if name in inexact else math.inf), name
    assert len(content) < 0.8 * sum(t.nbytes for t in state.values())
