import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import reference_decoder
import reference_segments
from container_samples import FILE, SMALL, assert_same, index_and_segments, layer, opened, pieces_of
from samples import state_dict

from ilwp.common.errors import IlwpError
from ilwp.door import OpenFile, compress, decompress, open_file, save_file
from ilwp.door import decoded as read
from ilwp.networks.symmetry import Symmetry
from ilwp.whole import segments
from ilwp.whole.coding import encode_tensors
from ilwp.whole.container import CONTAINER_HEAD
from ilwp.whole.pieces import WEIGHTS, Levels, Piece, Powers, decode_pieces
from ilwp.whole.plan import Plan


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
    rims = np.random.default_rng(3).laplace(0, 0.1, (64, 9, 3, 3)) * np.geomspace(1, 0.05, 81).reshape(9, 3, 3)
    tensors["rims.weight"] = rims.astype(np.float32)
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


def test_each_tensor_is_charged_and_the_sum_is_the_file():
    pieces = encode_tensors(state_dict(), Plan(bits=6, dense_bits=8))
    file = segments.write_pieces(pieces)
    with OpenFile(file) as opened_file:
        rows = opened_file.rows()
    assert [row.tensor for row in rows] == list(pieces)
    total = sum(row.bytes for row in rows)
    assert len(file) - 25 * len(pieces) - CONTAINER_HEAD.size - 16 < total <= len(file)


def test_a_weight_that_is_nan_or_infinite_is_refused_in_one_line():
    for bad in (np.nan, np.inf):
        with pytest.raises(IlwpError, match=r"^a.weight holds NaN"):
            compress({"a.weight": np.where(np.tri(9, dtype=bool), np.float32(bad), np.float32(1))})


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
