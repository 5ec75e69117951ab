import struct
import subprocess
import sys
import tracemalloc
import zlib
from contextlib import suppress
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import reference_decoder
import reference_segments
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import kernels, state_dict

from ilwp.common.bytes import decoding_limit
from ilwp.common.errors import IlwpError
from ilwp.common.paths import RUNS
from ilwp.door import OpenFile, compress, decompress, open_file, save_file
from ilwp.door import decoded as read
from ilwp.experiments.records import read_kernels
from ilwp.networks.symmetry import Symmetry
from ilwp.paper.huffman import entropy
from ilwp.paper.methods import Method
from ilwp.whole import archive, container, index_fields, segments
from ilwp.whole.coding import encode_tensors
from ilwp.whole.container import CONTAINER_HEAD
from ilwp.whole.index_fields import pack_tensor_name
from ilwp.whole.pieces import WEIGHTS, Exact, KernelLevels, Levels, Piece, Powers, Shared, decode_pieces
from ilwp.whole.plan import Plan


def layer(
    levels: list[list[int]], method: Method, indices: list[int], transformed: bool = True, **more
) -> KernelLevels:
    return KernelLevels((1, 2), np.array(levels, np.int32), 0.5, method, np.array(indices), transformed, **more)


SMALL: dict[str, Piece] = {
    "a.weight": layer([[1, -2], [3, 0]], "baseline", [0, 0]),
    "b.weight": layer([[0, 0], [0, 1], [1, -1]], "fss", [1, 0, 1], transformed=False),
    "c.weight": layer([[0, 1], [2, 0]], "baseline", [0, 0], cells=np.zeros(2, np.int64), signed=True),
    "d.weight": Levels(np.array([[4, 0, -1]], np.int32), 0.25),
    "d.tied": Shared("d.weight"),
    "d.bias": Exact(np.array([1.5, -2.0], np.float32)),
    "d.batches": Exact(np.array(7)),
    "d.mean": Exact(np.zeros(5, np.float32)),
    "d.scale": Powers(np.array([-9, -7, 12], np.int32), np.array([1, 1, 1], np.int8), 2),
    "d.gains": Powers(np.array([[-9], [0], [12]], np.int32), np.array([[1], [0], [-1]], np.int8), 0, np.dtype("f8")),
    "d.short": Levels(np.array([[4, 0, -1]], np.int32), 0.25, np.dtype(ml_dtypes.bfloat16)),
}
FILE = container.write_container([p.segment for p in segments.pack_all(SMALL.items())], list(SMALL), {"format": "pt"})


def opened(content: bytes) -> archive.Archive:
    return archive.Archive(lambda start, length: content[start : start + length], len(content))


def pieces_of(content: bytes) -> dict[str, Piece]:
    archive, found = opened(content), dict[str, Piece]()
    for name in archive.segments():
        segment = archive.segment(name)
        shared = segment.kind == container.SHARED
        found |= {name: Shared(segment.content.decode())} if shared else segments.unpack_segment(segment)[0]
    return {name: found[name] for name in archive.entries}


def assert_same(one: dict[str, Piece], other: dict[str, Piece]) -> None:
    assert list(one) == list(other)
    for a, b in zip(one.values(), other.values(), strict=True):
        assert type(a) is type(b)
        for key, value in vars(a).items():
            np.testing.assert_array_equal(getattr(b, key), value)
            assert np.asarray(getattr(b, key)).dtype == np.asarray(value).dtype


def with_checksum(index: bytes, content: bytes = b"") -> bytes:
    return of_packed(zlib.compress(index, wbits=-15), content)


def of_packed(packed: bytes, content: bytes = b"") -> bytes:
    return CONTAINER_HEAD.pack(b"ILWP", 2, len(packed), zlib.crc32(packed)) + packed + content


def index_and_segments(file: bytes) -> tuple[bytes, bytes]:
    end = CONTAINER_HEAD.size + CONTAINER_HEAD.unpack_from(file)[2]
    return zlib.decompress(file[CONTAINER_HEAD.size : end], wbits=-15), file[end:]


def test_every_kind_of_piece_comes_back():
    assert_same(pieces_of(FILE), SMALL)
    assert opened(FILE).metadata == {"format": "pt"}


def test_format_2_stays_readable():
    golden = (Path(__file__).parent.parent / "expected" / "network.ilwp").read_bytes()
    # not byte by byte: another zlib may pack the index in another way
    assert index_and_segments(golden) == index_and_segments(FILE)
    assert {n: t.tobytes() for n, t in read(golden).items()} == {
        n: t.tobytes() for n, t in decode_pieces(SMALL).items()
    }


def test_a_decoder_written_from_the_table_alone_finds_the_same_index():
    found = reference_decoder.index(FILE)
    assert list(found) == list(SMALL)
    for name, entry in opened(FILE).entries.items():
        assert found[name]["kind"] == entry.kind
        if entry.form:
            assert tuple(found[name]["shape"]) == entry.form.shape
        if entry.segment is not None:
            place = opened(FILE).places[entry.segment]
            assert found[name]["content"] == FILE[place.start : place.start + place.length]


@pytest.mark.parametrize("method", ["baseline", "fss", "lss", "ill", "multiset"])
@pytest.mark.parametrize("bits", [None, 3, 6.5])
def test_a_decoder_written_from_the_tables_alone_finds_the_same_bits(method: str, bits: float | None):
    tensors = state_dict() | {f"deep.{i}.weight": t for i, t in enumerate(np.split(np.float32(deep()), 2))}
    tensors |= {"half.weight": tensors["stem.weight"].astype(np.float16), "tied.weight": tensors["stem.weight"]}
    tensors |= {"double.weight": tensors["stem.weight"].astype(np.float64), "zero": np.zeros((2, 3), np.int16)}
    free = [Symmetry(n, np.arange(len(t)) // 5, signed=()) for n, t in tensors.items() if "depthwise" in n]
    plan = Plan(method=method, bits=bits, dense_bits=bits, vector_bits=bits)
    for file in (segments.write_pieces(encode_tensors(tensors, plan, free)), FILE):
        found, wanted = reference_segments.decode(file), read(file)
        assert list(found) == list(wanted)
        assert {n: (t.dtype, t.tobytes()) for n, t in found.items()} == {
            n: (t.dtype, t.tobytes()) for n, t in wanted.items()
        }


def deep() -> np.ndarray:
    """Smooth depthwise kernels (16, 1, 2, 3, 2), whose coefficients are worth coding."""
    return np.random.default_rng(2).standard_normal((16, 1, 1, 1, 1)) + np.linspace(0, 1, 12).reshape(2, 3, 2)


@pytest.mark.parametrize("weight", WEIGHTS)
def test_the_weight_of_a_prediction_comes_back(weight: float):
    pieces = {"a": layer([[1, 2]], "baseline", [0]), "b": layer([[0, 3]], "lss", [0], weight=weight)}
    assert_same(pieces_of(segments.write_pieces(pieces)), pieces)


NARROW = np.random.default_rng(0).integers(0, 900, 2999)


@pytest.mark.parametrize(
    "piece",
    [
        Powers(np.r_[NARROW, 90_000].astype(np.int32), np.ones(3000, np.int8), 12),
        Levels(np.r_[NARROW - 60_000, 60_000].astype(np.int32), 0.5),
        Levels(np.r_[np.repeat(NARROW, 9), 70_000].astype(np.int32).reshape(4, -1), 0.5),
    ],
)
def test_levels_further_apart_than_a_reader_takes_them_are_stored_as_values(piece: Piece):
    wanted = decode_pieces({"a": piece})["a"]
    np.testing.assert_array_equal(read(segments.write_pieces({"a": piece}))["a"], wanted)


def test_a_weight_of_no_prediction_is_refused():
    with pytest.raises(IlwpError, match="make no sense"):
        read(segments.write_pieces({"a": layer([[1, 2]], "baseline", [0], weight=0.5)}))


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


def test_each_tensor_is_charged_and_the_sum_is_the_file():
    pieces = encode_tensors(state_dict(), Plan(bits=6, dense_bits=8))
    file = segments.write_pieces(pieces)
    with OpenFile(file) as opened_file:
        rows = opened_file.rows()
    assert [row.tensor for row in rows] == list(pieces)
    total = sum(row.bytes for row in rows)
    assert len(file) - 25 * len(pieces) - CONTAINER_HEAD.size - 16 < total <= len(file)


def test_padding_is_zeros_and_checked():
    file = compress({"a": np.zeros(1 << 22, np.int8)})
    assert len(file) == CONTAINER_HEAD.size + CONTAINER_HEAD.unpack(file[: CONTAINER_HEAD.size])[2] == 3 * 512
    for packed, message in (
        (file[CONTAINER_HEAD.size : -1] + b"\1", "makes no sense"),
        (file[CONTAINER_HEAD.size : -1], "claims too many"),
    ):
        with pytest.raises(IlwpError, match=message):
            read(of_packed(packed))


def test_a_weight_that_is_nan_or_infinite_is_refused_in_one_line():
    for bad in (np.nan, np.inf):
        with pytest.raises(IlwpError, match=r"^a.weight holds NaN"):
            compress({"a.weight": np.where(np.tri(9, dtype=bool), np.float32(bad), np.float32(1))})


@pytest.mark.parametrize(("count", "most"), [(44_640, 1.015), (1_000_000, 1.002)])
def test_a_file_is_hardly_larger_than_the_entropy_of_its_levels(count: int, most: float):
    weights = np.random.default_rng(0).laplace(size=(count // 10, 10)).astype(np.float32)
    pieces = encode_tensors({"dense.weight": weights}, Plan(dense_bits=8))
    levels = pieces["dense.weight"].levels.ravel()
    bound = levels.size * entropy(np.bincount(levels - levels.min())) / 8
    assert bound <= len(segments.write_pieces(pieces)) <= most * bound


@pytest.mark.parametrize("bits", [4, 6, 8])
def test_real_kernels_take_less_than_the_entropy_of_their_levels(bits: int):
    stored = read_kernels(RUNS / "cpu" / "cifar10-mobilenet-lambda0-seed0.json")
    pieces = encode_tensors(
        {name: k[:, None] for name, k in stored.items()}, Plan("baseline", bits=bits, range="network")
    )
    levels = np.concatenate([p.levels.ravel() for p in pieces.values()])
    bound = levels.size * entropy(np.bincount(levels - levels.min())) / 8
    # a file of a few kB cannot do without its names and models
    assert len(segments.write_pieces(pieces)) < bound + 250


def test_a_set_takes_fewer_bytes_than_a_sequence():
    tensors = {name: k[:, None] for name, k in kernels((64, 256, 256)).items()}
    free = [Symmetry(name, np.zeros(len(t), np.int64), signed=()) for name, t in tensors.items()]
    plans = [Plan(method=m, bits=6, range="network") for m in ("baseline", "multiset")]
    sequence, a_set = (len(segments.write_pieces(encode_tensors(tensors, plan, free))) for plan in plans)
    order = sum(np.log2(np.arange(1, len(t) + 1)).sum() + len(t) for t in tensors.values()) / 8
    assert sequence - a_set == pytest.approx(order, rel=0.03)


def test_the_index_takes_at_most_twelve_bytes_a_tensor_beside_its_name():
    rng = np.random.default_rng(0)
    shapes = {"conv.weight": (64, 32, 3, 3), "dw.weight": (64, 1, 3, 3), "bn.weight": (64,), "bn.bias": (64,)}
    shapes |= {"bn.running_mean": (64,), "bn.running_var": (64,), "bn.num_batches_tracked": ()}
    tensors = {
        f"features.{i}.{n}": np.int64(7) if shape == () else rng.random(shape, np.float32) - np.float32(0.5)
        for i in range(20)
        for n, shape in shapes.items()
    }
    file = compress(tensors)
    names = sum(len(pack_tensor_name(a, b)) for a, b in zip(["", *tensors], tensors, strict=False))
    index, _ = index_and_segments(file)
    assert len(index) - names <= 12 * len(tensors)
    assert CONTAINER_HEAD.unpack_from(file)[2] < len(index) / 3


def test_an_index_that_shrinks_too_well_is_not_packed():
    names = [f"{i:099d}" for i in range(40_000)]
    tied = {name: Shared(names[0]) for name in names[1:]}
    file = segments.write_pieces({names[0]: Exact(np.zeros(2, np.float32))} | tied)
    index, _ = index_and_segments(file)
    assert len(index) < decoding_limit(index_fields.INDEX_LIMIT, CONTAINER_HEAD.unpack_from(file)[2])
    assert list(opened(file).entries) == names


@pytest.mark.parametrize(
    "packed", [b"", b"\xff", zlib.compress(b"\0\0", wbits=-15)[:-1], zlib.compress(b"\0\0", wbits=-15) + b"\1",
               zlib.compress(bytes(1 << 22), wbits=-15)],
)  # fmt: skip
def test_an_index_that_is_no_deflate_stream_or_a_very_long_one_is_refused(packed: bytes):
    with pytest.raises(IlwpError, match="index makes no sense"):
        opened(of_packed(packed))


def test_one_tensor_is_read_without_the_rest(tmp_path: Path):
    rng = np.random.default_rng(0)
    tensors = {f"{i}.weight": rng.standard_normal((500, 500)).astype(np.float32) for i in range(12)}
    save_file(tensors, tmp_path / "net.ilwp")
    whole = decompress((tmp_path / "net.ilwp").read_bytes())
    tracemalloc.start()
    with open_file(tmp_path / "net.ilwp") as file:
        assert file.keys() == list(tensors)
        np.testing.assert_array_equal(file.get_tensor("7.weight"), whole["7.weight"])
        with pytest.raises(IlwpError, match="no tensor called nothing"):
            file.get_tensor("nothing")
    assert tracemalloc.get_traced_memory()[1] < 6 * tensors["7.weight"].nbytes
    tracemalloc.stop()


def test_several_processes_read_at_once(tmp_path: Path):
    tensors = {f"{i}.weight": np.random.default_rng(i).standard_normal((99, 99)).astype(np.float32) for i in range(2)}
    save_file(tensors, tmp_path / "net.ilwp")
    code = "import sys, ilwp; print(float(ilwp.open_file(sys.argv[1]).get_tensor(sys.argv[2]).sum()))"
    commands = [[sys.executable, "-c", code, tmp_path / "net.ilwp", name] for name in tensors]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    with open_file(tmp_path / "net.ilwp") as file:
        for name, process in zip(tensors, processes, strict=True):
            assert process.communicate(timeout=60)[0] == f"{float(file.get_tensor(name).sum())}\n"


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
