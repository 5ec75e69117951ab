import numpy as np
import pytest
from container_samples import index_and_segments, opened
from samples import kernels

from ilwp.common.bytes import decoding_limit
from ilwp.common.paths import RUNS
from ilwp.door import compress
from ilwp.experiments.records import read_kernels
from ilwp.networks.symmetry import Symmetry
from ilwp.paper.huffman import entropy
from ilwp.whole import index_fields, segments
from ilwp.whole.coding import encode_tensors
from ilwp.whole.container import CONTAINER_HEAD
from ilwp.whole.index_fields import pack_tensor_name
from ilwp.whole.pieces import Exact, Shared
from ilwp.whole.plan import Plan


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
