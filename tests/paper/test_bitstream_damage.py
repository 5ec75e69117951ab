import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import SMALL, VARIANTS

from ilwp.common.errors import IlwpError
from ilwp.paper import bitstream, codec
from ilwp.paper.methods import Method
from ilwp.paper.settings import Settings


def small_file(chosen: Settings, other: bitstream.Tensors | None = None) -> bytes:
    return bitstream.write_kernel_file(codec.encode_kernels(SMALL, chosen), other)[0]


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
            bitstream.read_kernel_file(bytes(damaged))


@pytest.mark.parametrize("chosen", VARIANTS, ids=lambda s: s.method)
def test_every_truncation_and_anything_appended_is_refused(chosen: Settings):
    file = small_file(chosen)
    for length in range(len(file)):
        with pytest.raises(IlwpError):
            bitstream.read_kernel_file(file[:length])
    for length in range(len(file) - 4):
        with pytest.raises(IlwpError):
            bitstream.read_kernel_file(with_checksum(file[:length]))
    for longer in (file + b"\0", with_checksum(file[:-4] + b"\0")):
        with pytest.raises(IlwpError):
            bitstream.read_kernel_file(longer)


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
        bitstream.read_kernel_file(file)


HEADER_FIELDS = {"method": (5, 1), "bits": (6, 1), "flags": (7, 1), "height": (8, 1), "width": (9, 1)}
HEADER_FIELDS |= {"layers": (10, 2), "section": (12, 4), "name": (16, 3), "name of the second": (33, 2)}
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
            codec.decode_kernels(bitstream.read_kernel_file(forged)[0])
        assert time.process_time() - started < 2
        assert tracemalloc.get_traced_memory()[1] < 64e6
        tracemalloc.stop()


@pytest.mark.parametrize("method", ["fss", "lss"])
def test_an_absurd_number_of_indices_is_refused_quickly(method: Method):
    layers = {"a": np.zeros((3, 1, 1), np.float32), "b": np.zeros((5, 1, 1), np.float32)}
    file, _ = bitstream.write_kernel_file(codec.encode_kernels(layers, Settings(method)))
    started = time.process_time()
    with pytest.raises(IlwpError, match="indices"):
        bitstream.read_kernel_file(changed(file, 16 + 3 + 1 + 4 + 4, struct.pack("<I", 1 << 20)))
    assert time.process_time() - started < 1


def test_a_coded_section_that_is_longer_than_its_weights_is_refused():
    file = small_file(VARIANTS[0])
    length = struct.unpack_from("<I", file, 12)[0]
    longer = file[:12] + struct.pack("<I", length + 1) + file[16:-4] + b"\0"
    with pytest.raises(IlwpError, match="longer than its weights"):
        bitstream.read_kernel_file(with_checksum(longer))


def test_only_zeros_fill_the_last_byte_and_no_index_points_beyond_the_candidates():
    layers = {"a": np.float32([[[1]], [[2]], [[3]]]), "b": np.float32([[[3]]])}
    file, _ = bitstream.write_kernel_file(codec.encode_kernels(layers, Settings("lss", bits=2)))
    # a table of seven bits and the index 2 of three candidates
    assert file[-6:-4] == bytes([0b10100111, 0b00000000])
    assert bitstream.read_kernel_file(changed(file, len(file) - 6, b"\xa6\x80"))[0].indices[0].tolist() == [1]
    with pytest.raises(IlwpError, match="beyond their candidates"):
        bitstream.read_kernel_file(changed(file, len(file) - 5, b"\x80"))
    with pytest.raises(IlwpError, match="longer than its weights"):
        bitstream.read_kernel_file(changed(file, len(file) - 5, b"\x01"))


@pytest.mark.parametrize("position", [16 + 3 + 10, 16 + 3 + 10 + 4 + 4])
def test_a_layer_of_no_kernels_is_refused(position: int):
    with pytest.raises(IlwpError):
        bitstream.read_kernel_file(changed(small_file(VARIANTS[0]), position, bytes(4)))


@pytest.mark.parametrize("step", [0.0, -1.0, np.nan, np.inf])
def test_a_step_that_is_no_positive_number_is_refused(step: float):
    file = small_file(Settings("ill"))
    position = 16 + 3 + 10 + 4 + 3 + 1 + 4 + 16
    assert (
        codec.encode_kernels(SMALL, Settings("ill")).quantizers[0].step == struct.unpack_from("<f", file, position)[0]
    )
    with pytest.raises(IlwpError, match=r"^this file's quantization steps make no sense$"):
        bitstream.read_kernel_file(changed(file, position, struct.pack("<f", step)))


@settings(max_examples=300)
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
        coded, other, _ = bitstream.read_kernel_file(with_checksum(bytes(content[: len(content) - cut])))
        decoded = codec.decode_kernels(coded)
    except IlwpError:
        return
    assert [len(k) for k in decoded.values()] == [len(coded.first), *map(len, coded.levels)]
    assert set(other).isdisjoint(decoded)


NO_SENSE = "^this file's header makes no sense$"
NO_NAMES = "^this file's layer names make no sense$"


@pytest.mark.parametrize(
    ("position", "value", "message"),
    [
        (5, 5, NO_SENSE), (6, 1, NO_SENSE), (6, 9, NO_SENSE), (7, 16, NO_SENSE), (8, 0, NO_SENSE), (9, 0, NO_SENSE),
        (10, 0, NO_SENSE), (16, 1, NO_NAMES), (17, 1, NO_NAMES), (19 + 10 + 4 + 3, ord("0"), NO_NAMES),
        (19, 0xFF, "^this file's layer names are not UTF-8$"),
        (29, 0, r"^this file claims an impossible number of weights \(at most 16,777,216 are allowed\)$"),
    ],
)  # fmt: skip
def test_fields_out_of_range_are_named(position: int, value: int, message: str):
    with pytest.raises(IlwpError, match=message):
        bitstream.read_kernel_file(changed(small_file(VARIANTS[0]), position, bytes([value])))


@pytest.mark.parametrize("chosen", VARIANTS, ids=lambda s: s.method)
def test_the_quantizers_come_back(chosen: Settings):
    coded = codec.encode_kernels(SMALL, chosen)
    assert bitstream.read_kernel_file(bitstream.write_kernel_file(coded)[0])[0].quantizers == coded.quantizers


def test_the_most_layers_and_the_widest_kernels_are_written_and_no_more():
    layers = {f"{i}": np.zeros((1, 1, 1), np.float32) for i in range(1025)}
    with pytest.raises(IlwpError, match=r"^this network is too large for the format: at most 16,777,216 depthwise"):
        bitstream.write_kernel_file(codec.encode_kernels(layers, Settings()))
    layers.popitem()
    assert (
        len(
            bitstream.read_kernel_file(bitstream.write_kernel_file(codec.encode_kernels(layers, Settings()))[0])[
                0
            ].names
        )
        == 1024
    )
    for shape in ((1, 1, 255), (1, 255, 1)):
        wide = codec.encode_kernels({"a": np.zeros(shape, np.float32)}, Settings())
        assert bitstream.read_kernel_file(bitstream.write_kernel_file(wide)[0])[0].first.shape == shape


def test_more_weights_than_a_short_file_may_stand_for_are_neither_written_nor_read():
    layers = {"a": np.zeros((1, 1, 1), np.float32), "b": np.zeros(((1 << 20) + (1 << 19), 1, 1), np.float32)}
    with pytest.raises(IlwpError, match=r"^too many weights for a file of [0-9]+ bytes: nearly all"):
        bitstream.write_kernel_file(codec.encode_kernels(layers, Settings()))
    short = small_file(VARIANTS[0])
    forged = changed(short, 29, struct.pack("<I", 1 << 21))
    with pytest.raises(IlwpError, match=r"^too many weights for a file of"):
        bitstream.read_kernel_file(forged)


def test_the_one_name_that_safetensors_keeps_for_itself_is_refused():
    refusal = "^a tensor cannot be called __metadata__ in a safetensors file: rename it$"
    with pytest.raises(IlwpError, match=refusal):
        small_file(Settings(), {"__metadata__": np.arange(3)})


def test_a_tensor_that_is_there_twice_is_refused():
    with pytest.raises(IlwpError, match=r"^this file holds a tensor twice$"):
        bitstream.read_kernel_file(small_file(Settings(), {"a.1.weight": np.arange(3)}))


def test_other_tensors_that_are_no_safetensors_file_are_refused():
    with pytest.raises(IlwpError, match="other tensors"):
        bitstream.read_kernel_file(with_checksum(small_file(Settings())[:-4] + b'\x08\0\0\0\0\0\0\0{"a":{} '))
