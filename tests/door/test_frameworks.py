import ml_dtypes
import numpy as np
import pytest
import torch

from ilwp.common.errors import IlwpError
from ilwp.door import compress, decompress

HALF = np.ones(3, np.uint32).view(np.uint8)
STRANGE = {
    "sparse": torch.eye(5).to_sparse(),
    "without numbers": torch.empty(5, 5, device="meta"),
    "complex32": torch.from_numpy(HALF).view(torch.complex32),
    "object": np.array([None]),
    "<U1": np.array(["a"]),
    "int4": np.ones(3, ml_dtypes.int4),
    "datetime64": np.array(["2020"], "M8[Y]"),
}


@pytest.mark.parametrize("kind", STRANGE)
def test_a_tensor_without_a_place_in_the_format_is_named(kind: str):
    with pytest.raises(IlwpError, match=rf"^a.weight is {kind}.*, which has no place in a file"):
        compress({"a.weight": STRANGE[kind]})


@pytest.mark.parametrize("view", [torch.conj, torch._neg_view, torch.t, lambda t: t[::2], lambda t: t.imag])
def test_views_of_torch_come_back_by_value(view):
    tensor = view(torch.randn(4, 6, dtype=torch.complex64))
    back = decompress(compress({"a": tensor}), "torch")["a"]
    assert torch.equal(back, tensor.resolve_conj().resolve_neg())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quality": -1}, "quality"),
        ({"quality": float("nan")}, "quality"),
        ({"method": "best"}, "method"),
        ({"metadata": {"a": 1}}, "metadata is no Unicode text"),
        ({"metadata": {"a": "\ud800"}}, "metadata is no Unicode text"),
    ],
)
def test_options_that_cannot_be_are_refused_in_one_line(options, message: str):
    with pytest.raises(IlwpError, match=rf"^.*{message}[^\n]*$"):
        compress({"a.weight": np.eye(5)}, **options)
    with pytest.raises(IlwpError, match="the name 1 is no text"):
        compress({1: np.eye(5)})


def test_images_without_numbers_are_refused():
    network, images = torch.nn.Conv2d(3, 8, 3), np.ones((2, 3, 9, 9))
    assert decompress(compress(network.state_dict(), network=network, images=images)).keys() == {"weight", "bias"}
    images[0, 0, 0, 0] = np.nan
    with pytest.raises(IlwpError, match="the images hold NaN"):
        compress(network.state_dict(), network=network, images=images)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_a_quantized_tensor_is_refused_with_what_to_do():
    quantized = torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.qint8)
    with pytest.raises(IlwpError, match=r"^a is qint8, of a quantized network: compress"):
        compress({"a": quantized})
    assert compress({"a": quantized.dequantize()})
