"""What rows of data/benchmarks call networks and codecs: for the benchmarks that write them, and for the figures."""

IMAGENET = "MobileNetV2, ImageNet"
CREPE = "CREPE, sound"

OURS, NO_GRAPH = "ilwp", "ilwp, no graph"
TAUGHT = "ilwp, images"  # by unlabelled images
AS_SMALL_DB = 26.0  # at which our file of MobileNetV2 is no larger than NNCodec's
AS_SMALL = f"{OURS}, {AS_SMALL_DB:.0f} dB"

PEER = "NNCodec"
OPT_QP, FOLDED = f"{PEER}, opt_qp", f"{PEER}, folded, opt_qp"
WITH_BIASES = f"{FOLDED}, our biases"
