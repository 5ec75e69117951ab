"""Tensors of any kind: what is coded, what stays exact, what is refused."""

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilwp.common.distortion import snr
from ilwp.common.errors import IlwpError
from ilwp.door import compress, decompress, load_file, open_file, save_file
from ilwp.door import decoded as read
from ilwp.whole import segments
from ilwp.whole.methods import QUALITY_OF_WEIGHTS
from ilwp.whole.pieces import Exact, Levels
from ilwp.whole.roles import roles

TYPES = ["float32", "float16", "float64", "bfloat16", "float8_e4m3fn", "float8_e5m2", "int64", "uint8", "bool"]


TYPES += ["complex64", "int16", "uint64"]


@given(
    st.lists(
        st.tuples(st.sampled_from(TYPES), st.lists(st.integers(0, 9), max_size=5), st.booleans()),
        max_size=8,
    )
)
def test_any_tensors_come_back_in_their_type_and_shape(drawn: list[tuple[str, list[int], bool]]):
    tensors = {}
    for i, (kind, shape, constant) in enumerate(drawn):
        dtype = np.dtype(getattr(ml_dtypes, kind, kind))
        values = np.random.default_rng(i).integers(-9, 9, shape) * (not constant)
        tensors[f"layer.{i}.{'weight' if i % 2 else 'anchors'}"] = values.astype(dtype)
    back = decompress(compress(tensors))
    assert list(back) == list(tensors)
    for name, tensor in tensors.items():
        assert (back[name].dtype, back[name].shape) == (tensor.dtype, tensor.shape)
        if name.endswith("anchors") or tensor.dtype.kind not in "fV":
            assert back[name].tobytes() == tensor.tobytes()


def test_what_is_no_weight_comes_back_exactly():
    rng = np.random.default_rng(0)
    tensors = {
        "layer.weight": rng.standard_normal((64, 64)).astype(np.float32),
        "normalise": np.float32([[[[0.485]], [[0.456]], [[0.406]]]]).reshape(1, 3, 1, 1),
        "anchors": rng.uniform(0, 600, (5000, 4)).astype(np.float32),
        "position.table": np.sin(np.outer(np.arange(100), 0.9 ** np.arange(64))).astype(np.float32),
        "logit_scale": np.float32(4.6),
        "attention.mask": np.where(np.tri(80), 0, -np.inf).astype(np.float32),
        "bn.running_var": rng.random(64).astype(np.float32),
        "eye": np.eye(90, dtype=np.float32),
    }
    back = decompress(compress(tensors, quality=5))
    for name in tensors.keys() - {"layer.weight"}:
        assert back[name].tobytes() == np.asarray(tensors[name]).tobytes(), name
    assert back["layer.weight"].tobytes() != tensors["layer.weight"].tobytes()


def test_shared_memory_stays_shared_and_is_stored_once():
    table = np.random.default_rng(0).standard_normal((100, 50)).astype(np.float32)
    tied, alone = compress({"a.weight": table, "b.weight": table}), compress({"a.weight": table})
    assert len(tied) < len(alone) + 20
    back = decompress(tied)
    assert back["a.weight"] is back["b.weight"]


@pytest.mark.parametrize(
    "tensors",
    [
        {"a.weight": np.zeros((1500, 1500), np.int8), "b.weight": np.eye(9, dtype=np.float32)},
        {"a.weight": np.eye(1200, dtype=np.float16)},  # levels that take hardly a bit
        {"a.weight": np.full((9000, 1, 3, 3), 0.5, np.float32)},
        {"a.weight": np.where(np.arange(40_000)[:, None, None] == 7, np.eye(3, dtype=np.float32), 0)[:, None]},
        # one weight stands out of a small tensor, which gets more dB for being small, so that levels reach far
        {"a.weight": np.eye(1, 16_000, dtype=np.float32).reshape(160, -1), "b.weight": np.tri(700, dtype=np.float16)},
    ],
)
def test_what_is_nearly_constant_is_written_so_that_it_is_read(tensors: dict[str, np.ndarray], tmp_path: Path):
    for quality in (31, 45):
        save_file(tensors, tmp_path / "net.ilwp", quality=quality)
        back = load_file(tmp_path / "net.ilwp")
        assert snr(list(tensors.values()), list(back.values())) > quality - 2
        with open_file(tmp_path / "net.ilwp") as file:
            assert [row.tensor for row in file.rows()] == list(tensors)


def test_more_depthwise_layers_and_sizes_than_a_file_predicts_are_coded_all_the_same():
    rng = np.random.default_rng(0)
    tensors = {f"{i}.weight": rng.standard_normal((4, 1, 1, 2 + i)).astype(np.float32) for i in range(40)}
    back = decompress(compress(tensors))
    assert snr(list(tensors.values()), list(back.values())) > QUALITY_OF_WEIGHTS - 1
    many = roles({f"{i}.weight": rng.standard_normal((2, 1, 3, 3)).astype(np.float32) for i in range(1100)})
    assert (len(many.kernels), len(many.dense)) == (1024, 76)


@pytest.mark.parametrize("shape", [(0, 9_000_000), (1 << 30, 0, 1 << 28), (0,), (1,) * 8])
def test_empty_tensors_come_back_whatever_their_other_axes(shape: tuple[int, ...]):
    pieces = {"exact": Exact(np.zeros(shape, np.float64)), "levels": Levels(np.zeros(shape, np.int32), 1.0)}
    found = read(segments.write_pieces(pieces))
    assert (found["exact"].shape, found["levels"].shape) == (shape, shape)


@pytest.mark.parametrize("shape", [(1,) * 9, (0, 1 << 30, 1 << 30), (0, 1 << 35)])
def test_a_shape_that_could_not_be_read_is_not_written(shape: tuple[int, ...]):
    with pytest.raises(IlwpError, match="no place in the format"):
        segments.write_pieces({"a": Exact(np.zeros(shape, np.float16))})


def test_a_tensor_of_a_strange_type_is_refused():
    with pytest.raises(IlwpError, match="have no place"):
        segments.write_pieces({"a": Exact(np.array(["text", "more"]))})
