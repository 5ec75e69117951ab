import json
import struct
from pathlib import Path

import numpy as np
import pytest
import reference_decoder
import safetensors.numpy
from bitarray.util import canonical_huffman
from hypothesis import given
from hypothesis import strategies as st
from samples import SMALL, VARIANTS, kernels

from ilwp.common.errors import IlwpError
from ilwp.paper import bitstream, codec
from ilwp.paper.methods import PAPER_METHODS, Method
from ilwp.paper.settings import Settings

EXPECTED = Path(__file__).parents[1] / "expected"


def golden_kernels() -> dict[str, np.ndarray]:
    """Weights a machine cannot disagree on: sixteenths that go around and around."""
    layers = {}
    for i, channels in enumerate((2, 4, 3)):
        numbers = np.arange(9 * channels) * (7 + 4 * i) % 31 - 15
        layers[f"features.{i}.weight"] = (numbers.reshape(channels, 3, 3) / 16).astype(np.float32)
    return layers


@pytest.mark.parametrize("method", PAPER_METHODS)
def test_golden_files_are_written_and_read_as_ever(method: Method):
    golden = (EXPECTED / f"{method}.ilwp").read_bytes()
    other = {"features.0.bias": np.arange(3, dtype=np.float32)}
    assert (
        bitstream.write_kernel_file(codec.encode_kernels(golden_kernels(), Settings(method, bits=4)), other)[0]
        == golden
    )
    wanted = safetensors.numpy.load_file(EXPECTED / f"{method}.safetensors")
    coded, tensors, rate = bitstream.read_kernel_file(golden)
    found = codec.decode_kernels(coded) | tensors
    assert {n: (k.shape, k.tobytes()) for n, k in found.items()} == {
        n: (k.shape, k.tobytes()) for n, k in wanted.items()
    }
    assert rate == bitstream.write_kernel_file(coded, tensors)[1]
    layers, tail = reference_decoder.decode(golden)
    assert layers == {name: wanted[name].tobytes() for name in golden_kernels()}
    assert struct.unpack("<3f", tail[-12:]) == (0, 1, 2)
    assert list(json.loads(tail[8:-12])) == ["features.0.bias"]


def test_a_tiny_file_byte_by_byte():
    layers = {"a.1": np.float32([[[1]], [[2]]]), "a.2": np.float32([[[2]], [[1]], [[1]]])}
    file, rate = bitstream.write_kernel_file(codec.encode_kernels(layers, Settings("lss", bits=2)))
    assert file[:-4] == (
        b"ILWP" b"\1" b"\2" b"\2" b"\x08"  # version 1, lss, 2 bits, one code table
        b"\1\1" b"\2\0" b"\2\0\0\0"  # 1x1 kernels, 2 layers, 2 bytes of coded section
        b"\0\0\3a.1" b"\2\0\0\0"  # first name in full, 2 channels
        b"\2\0\0012" b"\3\0\0\0"  # second name: two bytes of the first and "2"; 3 channels
        b"\0\0\x80\x3f" b"\0\0\0\x40"  # 1.0, 2.0
        b"\0\0\x80\0"  # residuals are all zero: the least step
        # code lengths 0, 1, 0 as differences 0, 1, -1: 1 010 011, then indices 1, 0, 0: 1 in three bits, no words
        + bytes([0b10100110, 0b01000000])
    )  # fmt: skip
    assert (rate.texture, rate.index, rate.raw) == (0, 3, 64)


@pytest.mark.parametrize("chosen", VARIANTS, ids=lambda s: s.method)
def test_the_rate_says_where_the_bits_go(chosen: Settings):
    layers = kernels((5, 7, 6), seed=2)
    other = {"bias": np.arange(5)}
    coded = codec.encode_kernels(layers, chosen)
    file, rate = bitstream.write_kernel_file(coded, other)
    assert rate.texture + rate.index + rate.raw + rate.side + rate.other == rate.total == 8 * len(file)
    assert rate.raw == 32 * 5 * 9
    assert rate.other == 8 * len(safetensors.numpy.save(other))
    pools = {"fss": (5, 5 + 7), "lss": (5, 7)}.get(chosen.method, (1, 1))
    assert rate.index == sum((pool**c - 1).bit_length() for pool, c in zip(pools, (7, 6), strict=True))
    levels = [q.ravel() for q in coded.levels]
    texture = 0
    for group in levels if chosen.table == "layer" else [np.concatenate(levels)]:
        symbols, counts = np.unique(group, return_counts=True)
        occurrences = dict(zip(symbols.tolist(), counts.tolist(), strict=True))
        texture += sum(len(word) * occurrences[s] for s, word in canonical_huffman(occurrences)[0].items())
    assert rate.texture == texture


@given(st.lists(st.text(max_size=60), min_size=1, max_size=6, unique=True))
def test_any_names_come_back_in_order(names):
    file, _ = bitstream.write_kernel_file(codec.encode_kernels(dict.fromkeys(names, SMALL["a.0.weight"]), Settings()))
    assert list(bitstream.read_kernel_file(file)[0].names) == names
    assert list(reference_decoder.decode(file)[0]) == names


def test_names_may_have_255_bytes_and_no_more():
    def written(name: str) -> bytes:
        return bitstream.write_kernel_file(
            codec.encode_kernels({"a": SMALL["a.0.weight"], name: SMALL["a.1.weight"]}, Settings())
        )[0]

    assert bitstream.read_kernel_file(written("é" * 127 + "x"))[0].names[1] == "é" * 127 + "x"
    with pytest.raises(IlwpError, match="longer than 255"):
        written("é" * 128)


@pytest.mark.parametrize(
    "tensor",
    [
        np.array(3),
        np.zeros((0, 3), np.float32),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)[:, ::-1],
        np.array([True, False]),
        np.array([1.5, -2], np.float16),
        np.array([1, 255], np.uint8),
    ],
)
def test_other_tensors_come_back_whatever_their_type_shape_or_layout(tensor: np.ndarray):
    file, _ = bitstream.write_kernel_file(codec.encode_kernels(SMALL, Settings()), {"other": tensor})
    found = bitstream.read_kernel_file(file)[1]["other"]
    assert (found.dtype, found.shape) == (tensor.dtype, tensor.shape)
    np.testing.assert_array_equal(found, tensor)


def test_more_weights_than_the_format_holds_are_refused():
    layers = {"a": np.broadcast_to(np.float32(0), ((1 << 24) // 9 + 1, 3, 3))}
    with pytest.raises(IlwpError, match="too large"):
        bitstream.write_kernel_file(codec.encode_kernels(layers, Settings()))
    with pytest.raises(IlwpError, match="too large"):
        bitstream.write_kernel_file(codec.encode_kernels({"a": np.zeros((1, 256, 1), np.float32)}, Settings()))


def test_files_read_the_same_where_training_has_switched_denormals_off():
    import torch

    layers = {"a": np.ones((2, 3, 3), np.float32), "b": np.ones((3, 3, 3), np.float32)}
    torch.set_flush_denormal(True)
    for chosen in VARIANTS:
        file, _ = bitstream.write_kernel_file(codec.encode_kernels(layers, chosen))
        assert all((k == 1).all() for k in codec.decode_kernels(bitstream.read_kernel_file(file)[0]).values())
