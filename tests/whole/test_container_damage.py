import struct
import zlib
from contextlib import suppress

import ml_dtypes
import numpy as np
import pytest
from container_samples import FILE, SMALL, index_and_segments, of_packed, opened, with_checksum
from hypothesis import given, settings
from hypothesis import strategies as st

from ilwp.common.errors import IlwpError
from ilwp.door import OpenFile, compress
from ilwp.door import decoded as read
from ilwp.whole import container, index_fields, segments
from ilwp.whole.container import CONTAINER_HEAD
from ilwp.whole.pieces import Piece, decode_pieces

FORMS = st.builds(
    index_fields.Form,
    st.lists(st.integers(0, 4), max_size=5).map(tuple),
    st.sampled_from(["f4", "f2", "f8", "i8", "?", ml_dtypes.bfloat16]).map(np.dtype),
)


OF_FORMS = (container.EXACT, container.LEVELS, container.KERNELS)


@given(
    st.sampled_from([n for n, entry in opened(FILE).entries.items() if entry.kind in OF_FORMS]),
    st.lists(FORMS, min_size=1, max_size=3),
    st.data(),
)
@settings(max_examples=300)
def test_a_segment_of_any_forms_is_read_or_refused(name: str, forms: list[index_fields.Form], data: st.DataObject):
    segment = opened(FILE).segment(name)
    kind = data.draw(st.sampled_from([segment.kind, *OF_FORMS]))
    content = data.draw(st.sampled_from([segment.content, segment.content[:-4], b""]))
    found: dict[str, Piece] = {}
    with suppress(IlwpError):
        tensors = {str(number): form for number, form in enumerate(forms)}
        found = segments.unpack_segment(container.Segment(kind, tensors, content))[0]
    for number, tensor in decode_pieces(found).items():
        assert (tensor.shape, tensor.dtype) == (forms[int(number)].shape, forms[int(number)].dtype)


def test_padding_is_zeros_and_checked():
    file = compress({"a": np.zeros(1 << 22, np.int8)})
    assert len(file) == CONTAINER_HEAD.size + CONTAINER_HEAD.unpack(file[: CONTAINER_HEAD.size])[2] == 3 * 512
    for packed, message in (
        (file[CONTAINER_HEAD.size : -1] + b"\1", "makes no sense"),
        (file[CONTAINER_HEAD.size : -1], "claims too many"),
    ):
        with pytest.raises(IlwpError, match=message):
            read(of_packed(packed))


@pytest.mark.parametrize(
    "packed", [b"", b"\xff", zlib.compress(b"\0\0", wbits=-15)[:-1], zlib.compress(b"\0\0", wbits=-15) + b"\1",
               zlib.compress(bytes(1 << 22), wbits=-15)],
)  # fmt: skip
def test_an_index_that_is_no_deflate_stream_or_a_very_long_one_is_refused(packed: bytes):
    with pytest.raises(IlwpError, match="index makes no sense"):
        opened(of_packed(packed))


def test_a_flipped_bit_costs_the_tensors_of_its_segment_alone():
    sound = read(FILE)
    index_end = CONTAINER_HEAD.size + CONTAINER_HEAD.unpack(FILE[: CONTAINER_HEAD.size])[2]
    for bit in range(8 * len(FILE)):
        damaged = bytearray(FILE)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(IlwpError):
            read(bytes(damaged))
        if bit // 8 >= index_end:
            with OpenFile(bytes(damaged)) as file:
                tensors, problems = file.sound_tensors()
            assert problems
            assert len(tensors) + len(problems) == len(sound)
            assert all(t.tobytes() == sound[name].tobytes() for name, t in tensors.items())


def test_a_cut_tail_costs_what_lay_there_and_anything_appended_is_refused():
    index_end = CONTAINER_HEAD.size + CONTAINER_HEAD.unpack(FILE[: CONTAINER_HEAD.size])[2]
    for length in range(len(FILE)):
        with pytest.raises(IlwpError):
            read(FILE[:length])
        if length >= index_end:
            with OpenFile(FILE[:length]) as file:
                assert {"d.batches", "d.mean"} <= file.sound_tensors()[0].keys()
    with pytest.raises(IlwpError, match="goes on"):
        read(FILE + b"\0")


@settings(max_examples=600)
@given(st.integers(0, len(FILE) - CONTAINER_HEAD.size - 1), st.binary(min_size=1, max_size=6))
def test_a_forged_file_is_refused_or_decodes(position: int, value: bytes):
    index, content = index_and_segments(FILE)
    body = bytearray(index + content)
    position %= len(body)
    body[position : position + len(value)] = value
    with suppress(IlwpError), OpenFile(with_checksum(bytes(body[: len(index)]), bytes(body[len(index) :]))) as file:
        file.sound_tensors()


@settings(max_examples=300)
@given(st.sampled_from(list(SMALL)), st.integers(0, 60), st.binary(min_size=1, max_size=6))
def test_a_forged_segment_is_refused_or_decodes(name: str, position: int, value: bytes):
    segment = opened(FILE).segment(name)
    content = segment.content[:position] + value + segment.content[position + len(value) :]
    forged = container.Segment(segment.kind, segment.tensors, content)
    with suppress(IlwpError):
        if segment.kind not in (container.SHARED, container.CONSTANT):
            decode_pieces(segments.unpack_segment(forged)[0])


@pytest.mark.parametrize(
    ("entry", "content", "message"),
    [
        # a constant of shape (0, 2 ** 34, 2 ** 34), one of 2 ** 34 elements
        (b"\x31\0\0" + 2 * b"\x80\x80\x80\x80\x40" + bytes(4), b"", "impossible number of weights"),
        (b"\x11\0\x80\x80\x80\x80\x40" + bytes(4), b"", "too many weights"),
        # 2 ** 17 kernels of two taps
        (b"\x34\0\x80\x80\x08\1\2\1" + struct.pack("<I", zlib.crc32(b"x")), b"x", "too many weights"),
        # a segment that no tensor began, a kind and a type that there are not, the same memory as a later tensor
        (b"\x1b\0\1\0", b"", "kind|sense"),
        (b"\x17\0\1\0", b"", "kind"),
        (b"\x10\x40\1\0", b"", "type"),
        (b"\2\1", b"", "sense"),
    ],
)
def test_impossible_claims_are_refused(entry: bytes, content: bytes, message: str):
    with pytest.raises(IlwpError, match=message):
        read(with_checksum(b"\1\0\0\1a" + entry + b"\0", content))
