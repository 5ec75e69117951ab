import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import kernels, state_dict

from ilwp.common.errors import IlwpError
from ilwp.common.paths import RUNS
from ilwp.experiments.records import read_kernels
from ilwp.networks.symmetry import Symmetry
from ilwp.paper.huffman import entropy
from ilwp.paper.settings import Method
from ilwp.whole import container
from ilwp.whole.coding import WEIGHTS, Exact, KernelLevels, Levels, Piece, Plan, decode, encode


def layer(
    levels: list[list[int]], method: Method, indices: list[int], transformed: bool = True, **more
) -> KernelLevels:
    return KernelLevels((1, 2), np.array(levels, np.int32), 0.5, method, np.array(indices), transformed, **more)


SMALL: dict[str, Piece] = {
    "a.weight": layer([[1, -2], [3, 0]], "baseline", [0, 0]),
    "b.weight": layer([[0, 0], [0, 1], [1, -1]], "fss", [1, 0, 1], transformed=False),
    "c.weight": layer([[0, 1], [2, 0]], "baseline", [0, 0], cells=np.zeros(2, np.int64), signed=True),
    "d.weight": Levels(np.array([[4, 0, -1]], np.int32), 0.25),
    "d.bias": Exact(np.array([1.5, -2.0], np.float32)),
    "d.batches": Exact(np.array(7)),
    "d.mean": Exact(np.zeros(5, np.float32)),
}
FILE = container.write(SMALL)[0]


def with_checksum(content: bytes) -> bytes:
    return content + struct.pack("<I", zlib.crc32(content))


def assert_same(one: dict[str, Piece], other: dict[str, Piece]) -> None:
    assert list(one) == list(other)
    for a, b in zip(one.values(), other.values(), strict=True):
        assert type(a) is type(b)
        for key, value in vars(a).items():
            np.testing.assert_array_equal(getattr(b, key), value)


def test_every_kind_of_piece_comes_back():
    assert_same(container.read(FILE), SMALL)


@pytest.mark.parametrize("weight", WEIGHTS)
def test_the_weight_of_a_prediction_comes_back(weight: float):
    pieces = {"a": layer([[1, 2]], "baseline", [0]), "b": layer([[0, 3]], "lss", [0], weight=weight)}
    assert_same(container.read(container.write(pieces)[0]), pieces)


def test_a_weight_of_no_prediction_is_refused():
    with pytest.raises(IlwpError, match="make no sense"):
        container.read(container.write({"a": layer([[1, 2]], "baseline", [0], weight=0.5)})[0])


def test_channels_that_cannot_change_places_cost_nothing_to_tell():
    alone = layer([[1, 2]] * 200, "baseline", [0] * 200, cells=np.arange(200), signed=True)
    together = layer([[1, 2]] * 200, "baseline", [0] * 200, cells=np.zeros(200, np.int64), signed=True)
    file, bits = container.write({"a": alone})
    assert_same(container.read(file), {"a": alone})
    assert bits["a"] < container.write({"a": together})[1]["a"] + 8 * 200


def test_format_2_stays_readable():
    golden = (Path(__file__).parents[1] / "expected" / "network.ilwp").read_bytes()
    assert golden == FILE
    assert_same(container.read(golden), SMALL)


def test_each_tensor_is_charged_and_the_sum_is_the_file():
    pieces = encode(state_dict(), Plan(bits=6))
    file, bits = container.write(pieces)
    assert list(bits) == list(pieces)
    assert sum(bits.values()) == pytest.approx(8 * len(file), abs=8 * 32)
    assert sum(bits.values()) <= 8 * len(file)


@pytest.mark.parametrize(("count", "most"), [(44_640, 1.01), (1_000_000, 1.002)])
def test_a_file_is_hardly_larger_than_the_entropy_of_its_levels(count: int, most: float):
    weights = np.random.default_rng(0).laplace(size=(count // 10, 10)).astype(np.float32)
    pieces = encode({"depthwise": np.zeros((2, 1, 3, 3), np.float32), "dense": weights}, Plan(bits=8))
    levels = pieces["dense"].levels.ravel()
    bound = levels.size * entropy(np.bincount(levels - levels.min())) / 8
    assert bound <= len(container.write(pieces)[0]) <= most * bound


@pytest.mark.parametrize("bits", [4, 6, 8])
def test_real_kernels_take_less_than_the_entropy_of_their_levels(bits: int):
    stored = read_kernels(RUNS / "cpu" / "cifar10-mobilenet-lambda0-seed0.json")
    pieces = encode({name: k[:, None] for name, k in stored.items()}, Plan("baseline", bits, "network"))
    levels = np.concatenate([p.levels.ravel() for p in pieces.values()])
    bound = levels.size * entropy(np.bincount(levels - levels.min())) / 8
    # a file of a few kB cannot do without its names and models
    assert len(container.write(pieces)[0]) < bound + 150


def test_a_set_takes_fewer_bytes_than_a_sequence():
    tensors = {name: k[:, None] for name, k in kernels((64, 256, 256)).items()}
    free = [Symmetry(name, np.zeros(len(t), np.int64), signed=()) for name, t in tensors.items()]
    plans = [Plan(method=m, bits=6, range="network") for m in ("baseline", "multiset")]
    sequence, a_set = (len(container.write(encode(tensors, plan, free))[0]) for plan in plans)
    order = sum(np.log2(np.arange(1, len(t) + 1)).sum() + len(t) for t in tensors.values()) / 8
    assert sequence - a_set == pytest.approx(order, rel=0.03)


def test_every_flipped_bit_is_refused():
    for bit in range(8 * len(FILE)):
        damaged = bytearray(FILE)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(IlwpError):
            container.read(bytes(damaged))


def test_every_truncation_and_anything_appended_is_refused():
    for length in range(len(FILE)):
        with pytest.raises(IlwpError):
            container.read(FILE[:length])
    for length in range(len(FILE) - 4):
        with pytest.raises(IlwpError):
            container.read(with_checksum(FILE[:length]))
    with pytest.raises(IlwpError):
        container.read(with_checksum(FILE[:-4] + b"\0"))


@settings(max_examples=600)
@given(st.integers(5, len(FILE) - 5), st.binary(min_size=1, max_size=6))
def test_a_forged_file_is_refused_or_decodes(position: int, value: bytes):
    forged = with_checksum((FILE[:position] + value + FILE[position + len(value) : -4])[: len(FILE) - 4])
    with suppress(IlwpError):
        decode(container.read(forged))


@pytest.mark.parametrize("shape", [(0, 9_000_000), (1 << 30, 0, 1 << 29), (0,), (1,) * 8])
def test_empty_tensors_come_back_whatever_their_other_axes(shape: tuple[int, ...]):
    pieces = {"exact": Exact(np.zeros(shape, np.float64)), "levels": Levels(np.zeros(shape, np.int32), 1.0)}
    found = container.read(container.write(pieces)[0])
    assert (found["exact"].tensor.shape, found["levels"].levels.shape) == (shape, shape)


@pytest.mark.parametrize("shape", [(1,) * 9, (0, 1 << 30, 1 << 30), (0, 1 << 35)])
def test_a_shape_that_could_not_be_read_is_not_written(shape: tuple[int, ...]):
    with pytest.raises(IlwpError, match="no place in the format"):
        container.write({"a": Exact(np.zeros(shape, np.float16))})


def test_a_tensor_of_a_strange_type_is_refused():
    with pytest.raises(IlwpError, match="complex64"):
        container.write({"a": Exact(np.zeros(3, np.complex64))})


@pytest.mark.parametrize(
    ("head", "message"),
    [
        # a constant of shape (0, 2 ** 34, 2 ** 34)
        (b"\1\3\0" + 2 * b"\x80\x80\x80\x80\x40" + b"\0" + bytes(4), "impossible number of weights"),
        # 1,024 columns with a model each of levels up to 65,536
        (b"\3\4\1\1\1\x80\x08" + struct.pack("<f", 1) + b"\0\x80\x80\x04\0" + bytes(1024), "too many models of levels"),
        # 2 ** 17 kernels of two taps in a set
        (b"\3\4\x80\x80\x08\1\1\2" + struct.pack("<f", 1) + b"\4\0\1\3\0", "too many weights for a file"),
    ],
)
def test_a_short_file_cannot_stand_for_much(head: bytes, message: str):
    with pytest.raises(IlwpError, match=message):
        container.read(with_checksum(b"ILWP\2\1\0\0\1a" + head + b"\2PWLIDEES"))
