"""The paper's four networks, a user's own network, and what of a network may change without changing what it does."""

TITLES = {
    "mobilenet": "MobileNet",
    "mobilenetv2": "MobileNetV2",
    "shufflenet": "ShuffleNet",
    "shufflenetv2": "ShuffleNetV2",
}
