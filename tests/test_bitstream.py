import json
import struct
import time
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import reference_decoder
import safetensors.numpy
from bitarray.util import canonical_huffman
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import kernels

from ilwp import bitstream, codec
from ilwp.codec import Settings
from ilwp.errors import IlwpError
from ilwp.prediction import METHODS, Method

EXPECTED = Path(__file__).parent / "expected"
SMALL = {"a.0.weight": np.float32([[[1, -2]], [[3, 4]]]), "a.1.weight": np.float32([[[1, -1]], [[3, 5]], [[2, -2]]])}
VARIANTS = [
    Settings("lss", bits=2),
    Settings("fss", bits=3, quantizer="affine", range="network"),
    Settings("ill", bits=2, loop="open", table="layer"),
    Settings("baseline", bits=4, table="layer", quantizer="affine"),
]


def small_file(chosen: Settings, other: bitstream.Tensors | None = None) -> bytes:
    return bitstream.write(codec.encode(SMALL, chosen), other)[0]


def with_checksum(content: bytes) -> bytes:
    return content + struct.pack("<I", zlib.crc32(content))


def changed(file: bytes, position: int, value: bytes) -> bytes:
    """The file with some bytes overwritten and its checksum made right again."""
    return with_checksum(file[:position] + value + file[position + len(value) : -4])


@pytest.mark.parametrize("chosen", VARIANTS, ids=lambda s: s.method)
def test_every_flipped_bit_is_refused(chosen: Settings):
    file = small_file(chosen, {"bias": np.arange(2)})
    for bit in range(8 * len(file)):
        damaged = bytearray(file)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(IlwpError):
            bitstream.read(bytes(damaged))


@pytest.mark.parametrize("chosen", VARIANTS, ids=lambda s: s.method)
def test_every_truncation_and_anything_appended_is_refused(chosen: Settings):
    file = small_file(chosen)
    for length in range(len(file)):
        with pytest.raises(IlwpError):
            bitstream.read(file[:length])
    for length in range(len(file) - 4):
        with pytest.raises(IlwpError):
            bitstream.read(with_checksum(file[:length]))
    for longer in (file + b"\0", with_checksum(file[:-4] + b"\0")):
        with pytest.raises(IlwpError):
            bitstream.read(longer)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (b"", "empty"),
        (b"PK\3\4", "no .ilwp file"),
        (b"ilwp" + bytes(60), "no .ilwp file"),
        (b"ILWP", "cut short"),
        (changed(small_file(VARIANTS[0]), 4, b"\2"), "format version 2"),
        (changed(small_file(VARIANTS[0]), 4, b"\0"), "format version 0"),
    ],
)
def test_what_is_not_a_file_of_version_1_is_refused_by_name(file: bytes, message: str):
    with pytest.raises(IlwpError, match=message):
        bitstream.read(file)


HEADER_FIELDS = {"method": (5, 1), "bits": (6, 1), "flags": (7, 1), "height": (8, 1), "width": (9, 1)}
HEADER_FIELDS |= {"layers": (10, 2), "section": (12, 4), "name": (16, 3)}
HEADER_FIELDS |= {"channels of the first": (16 + 3 + 10, 4), "channels of the second": (16 + 3 + 10 + 4 + 4, 4)}


@pytest.mark.parametrize("chosen", VARIANTS, ids=lambda s: s.method)
@pytest.mark.parametrize("field", HEADER_FIELDS)
def test_absurd_fields_under_a_right_checksum_are_refused_quickly_and_in_little_memory(field: str, chosen: Settings):
    position, length = HEADER_FIELDS[field]
    file = small_file(chosen)
    most = (1 << 8 * length) - 1
    for value in {most, most >> 1, most >> 8 if length > 1 else most, most >> 9 if length > 1 else most}:
        forged = changed(file, position, value.to_bytes(length, "little"))
        tracemalloc.start()
        started = time.process_time()
        with pytest.raises(IlwpError):
            codec.decode(bitstream.read(forged)[0])
        assert time.process_time() - started < 2
        assert tracemalloc.get_traced_memory()[1] < 64e6
        tracemalloc.stop()


@pytest.mark.parametrize("method", ["fss", "lss"])
def test_an_absurd_number_of_indices_is_refused_quickly(method: Method):
    layers = {"a": np.zeros((3, 1, 1), np.float32), "b": np.zeros((5, 1, 1), np.float32)}
    file, _ = bitstream.write(codec.encode(layers, Settings(method)))
    started = time.process_time()
    with pytest.raises(IlwpError, match="indices"):
        bitstream.read(changed(file, 16 + 3 + 1 + 4 + 4, struct.pack("<I", (1 << 24) - 3)))
    assert time.process_time() - started < 1


@pytest.mark.parametrize("position", [16 + 3 + 10, 16 + 3 + 10 + 4 + 4])
def test_a_layer_of_no_kernels_is_refused(position: int):
    with pytest.raises(IlwpError):
        bitstream.read(changed(small_file(VARIANTS[0]), position, bytes(4)))


@pytest.mark.parametrize("step", [0.0, -1.0, np.nan, np.inf])
def test_a_step_that_is_no_positive_number_is_refused(step: float):
    file = small_file(Settings("ill"))
    position = 16 + 3 + 10 + 4 + 3 + 1 + 4 + 16
    assert codec.encode(SMALL, Settings("ill")).quantizers[0].step == struct.unpack_from("<f", file, position)[0]
    with pytest.raises(IlwpError, match="steps"):
        bitstream.read(changed(file, position, struct.pack("<f", step)))


@settings(max_examples=600)
@given(
    st.sampled_from(VARIANTS),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=4),
    st.integers(0, 3),
)
def test_forged_bytes_under_a_right_checksum_decode_or_are_refused(chosen, changes, cut):
    content = bytearray(small_file(chosen, {"bias": np.arange(2)})[:-4])
    for position, value in changes:
        content[position % len(content)] = value
    try:
        coded, other = bitstream.read(with_checksum(bytes(content[: len(content) - cut])))
        decoded = codec.decode(coded)
    except IlwpError as error:
        assert "\n" not in str(error)
    else:
        assert [len(k) for k in decoded.values()] == [len(coded.first), *map(len, coded.levels)]
        assert set(other).isdisjoint(decoded)


def golden_kernels() -> dict[str, np.ndarray]:
    """Weights a machine cannot disagree on: sixteenths that go around and around."""
    layers = {}
    for i, channels in enumerate((2, 4, 3)):
        numbers = np.arange(9 * channels) * (7 + 4 * i) % 31 - 15
        layers[f"features.{i}.weight"] = (numbers.reshape(channels, 3, 3) / 16).astype(np.float32)
    return layers


@pytest.mark.parametrize("method", METHODS)
def test_golden_files_are_written_and_read_as_ever(method: Method):
    golden = (EXPECTED / f"{method}.ilwp").read_bytes()
    other = {"features.0.bias": np.arange(3, dtype=np.float32)}
    assert bitstream.write(codec.encode(golden_kernels(), Settings(method, bits=4)), other)[0] == golden
    wanted = safetensors.numpy.load_file(EXPECTED / f"{method}.safetensors")
    coded, tensors = bitstream.read(golden)
    found = codec.decode(coded) | tensors
    assert {n: (k.shape, k.tobytes()) for n, k in found.items()} == {
        n: (k.shape, k.tobytes()) for n, k in wanted.items()
    }
    layers, tail = reference_decoder.decode(golden)
    assert layers == {name: wanted[name].tobytes() for name in golden_kernels()}
    assert struct.unpack("<3f", tail[-12:]) == (0, 1, 2)
    assert list(json.loads(tail[8:-12])) == ["features.0.bias"]


def test_a_tiny_file_byte_by_byte():
    layers = {"a.1": np.float32([[[1]], [[2]]]), "a.2": np.float32([[[2]], [[1]], [[1]]])}
    file, rate = bitstream.write(codec.encode(layers, Settings("lss", bits=2)))
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
    coded = codec.encode(layers, chosen)
    file, rate = bitstream.write(coded, other)
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
    file, _ = bitstream.write(codec.encode({name: SMALL["a.0.weight"] for name in names}, Settings()))
    assert list(bitstream.read(file)[0].names) == names
    assert list(reference_decoder.decode(file)[0]) == names


def test_names_may_have_255_bytes_and_no_more():
    def written(name: str) -> bytes:
        return bitstream.write(codec.encode({"a": SMALL["a.0.weight"], name: SMALL["a.1.weight"]}, Settings()))[0]

    assert bitstream.read(written("é" * 127 + "x"))[0].names[1] == "é" * 127 + "x"
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
    file, _ = bitstream.write(codec.encode(SMALL, Settings()), {"other": tensor})
    found = bitstream.read(file)[1]["other"]
    assert (found.dtype, found.shape) == (tensor.dtype, tensor.shape)
    np.testing.assert_array_equal(found, tensor)


def test_a_tensor_that_is_there_twice_is_refused():
    with pytest.raises(IlwpError, match="twice"):
        bitstream.read(small_file(Settings(), {"a.1.weight": np.arange(3)}))


def test_other_tensors_that_are_no_safetensors_file_are_refused():
    with pytest.raises(IlwpError, match="other tensors"):
        bitstream.read(with_checksum(small_file(Settings())[:-4] + b"\x08\0\0\0\0\0\0\0{\"a\":{} "))


def test_more_weights_than_the_format_holds_are_refused():
    layers = {"a": np.broadcast_to(np.float32(0), ((1 << 24) // 9 + 1, 3, 3))}
    with pytest.raises(IlwpError, match="too large"):
        bitstream.write(codec.encode(layers, Settings()))
    with pytest.raises(IlwpError, match="too large"):
        bitstream.write(codec.encode({"a": np.zeros((1, 256, 1), np.float32)}, Settings()))


def test_files_read_the_same_where_training_has_switched_denormals_off():
    import torch

    layers = {"a": np.ones((2, 3, 3), np.float32), "b": np.ones((3, 3, 3), np.float32)}
    torch.set_flush_denormal(True)
    for chosen in VARIANTS:
        file, _ = bitstream.write(codec.encode(layers, chosen))
        assert all((k == 1).all() for k in codec.decode(bitstream.read(file)[0]).values())
