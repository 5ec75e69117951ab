import json
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import safetensors
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from ilwp.common import safetensors_files
from ilwp.common.errors import IlwpError
from ilwp.common.files import mapped
from ilwp.common.tensor_files import read_tensor_file, to_safetensors, write_state_dict

SHAPES = [(), (0,), (3,), (2, 0, 3), (2, 3)]
TENSORS = {
    f"{name}.{len(shape)}.{np.prod(shape):.0f}": np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)
    for name, dtype in safetensors_files.DTYPES.items()
    for shape in SHAPES
}


def read(content: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    return safetensors_files.read_safetensors(mapped(content))


def as_torch(tensor: np.ndarray) -> torch.Tensor:
    name = "float8_e4m3fn" if tensor.dtype == ml_dtypes.float8_e4m3fn else tensor.dtype.name
    integers = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}[tensor.dtype.itemsize]
    return torch.from_numpy(tensor.view(integers)).view(getattr(torch, name))


def test_every_type_and_shape_comes_back_with_metadata(tmp_path: Path):
    write_state_dict(tmp_path / "all.safetensors", TENSORS, {"format": "pt", "µ": "\n"})
    found = read_tensor_file(tmp_path / "all.safetensors")
    assert found.metadata == {"format": "pt", "µ": "\n"}
    assert found.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert (found.tensors[name].dtype, found.tensors[name].shape) == (tensor.dtype, tensor.shape)
        assert found.tensors[name].tobytes() == tensor.tobytes()
        assert found.tensors[name].flags.writeable


def test_the_safetensors_library_writes_the_same_bytes_and_reads_ours():
    theirs = {name: as_torch(tensor) for name, tensor in TENSORS.items()}
    content = to_safetensors(TENSORS, {"format": "pt"})
    assert content == safetensors.torch.save(theirs, {"format": "pt"})
    assert to_safetensors(TENSORS) == safetensors.torch.save(theirs)
    for name, tensor in safetensors.deserialize(content):
        assert bytes(tensor["data"]) == TENSORS[name].tobytes()


@given(st.dictionaries(st.text(max_size=4), st.sampled_from(list(TENSORS)), max_size=4), st.text(max_size=5))
def test_any_names_are_written_as_the_library_writes_them(names: dict[str, str], text: str):
    tensors = {name: TENSORS[kind] for name, kind in names.items() if TENSORS[kind].dtype.name in dir(np)}
    assert to_safetensors(tensors, {text: text}) == safetensors.numpy.save(tensors, {text: text})


def test_the_order_of_metadata_changes_no_byte():
    assert to_safetensors({}, {"a": "1", "b": "2"}) == to_safetensors({}, {"b": "2", "a": "1"})


def test_big_endian_tensors_and_odd_layouts_are_written_by_value():
    plain = np.arange(6, dtype="<f4").reshape(2, 3)
    for tensor in (plain.astype(">f4"), np.asfortranarray(plain), np.repeat(plain, 2, axis=1)[:, ::2]):
        assert to_safetensors({"a": tensor}) == to_safetensors({"a": plain})


@pytest.mark.parametrize("dtype", [np.complex128, np.longdouble, "U3", "M8[s]", object, ml_dtypes.int4])
def test_types_that_the_format_lacks_are_named(dtype: object, tmp_path: Path):
    with pytest.raises(IlwpError, match=r"a.weight is .*, which no safetensors file can hold"):
        write_state_dict(tmp_path / "a.safetensors", {"a.weight": np.zeros(2, dtype)})
    assert list(tmp_path.iterdir()) == []


def test_the_name_that_the_format_keeps_is_refused():
    with pytest.raises(IlwpError, match="cannot be called __metadata__"):
        to_safetensors({"__metadata__": np.zeros(1)})


def with_header(header: object, data: bytes) -> bytes:
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype: object = "F32", shape: object = (1,), offsets: object = (0, 4)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    ("header", "data", "message"),
    [
        ({"a": entry()}, bytes(3), "cut short"),
        ({"a": entry()}, bytes(5), "longer than its header says"),
        ({"a": entry("F4", (2,), (0, 1))}, bytes(1), "a is of type F4"),
        ({"a": entry(offsets=(0, 8))}, bytes(8), "makes no sense"),
        ({"a": entry(offsets=(1, 5))}, bytes(5), "makes no sense"),
        ({"a": entry(), "b": entry()}, bytes(4), "makes no sense"),
        ({"a": entry(shape=(-1,), offsets=(4, 0))}, bytes(4), "makes no sense"),
        ({"a": entry(shape=(True,))}, bytes(4), "makes no sense"),
        ({"a": entry(shape=(0, 1 << 70), offsets=(0, 0))}, b"", "makes no sense"),
        ({"a": entry(shape=(1 << 70, 1 << 70), offsets=(0, 4))}, bytes(4), "makes no sense"),
        ({"a": entry(shape=[1] * 99)}, bytes(4), "makes no sense"),
        ({"a": entry(shape="1")}, bytes(4), "makes no sense"),
        ({"a": entry(offsets=(0, 4, 8))}, bytes(4), "makes no sense"),
        ({"a": entry(dtype=["F32"])}, bytes(4), "makes no sense"),
        ({"a": {}}, bytes(4), "makes no sense"),
        ({"a": 1}, bytes(4), "makes no sense"),
        ({"__metadata__": {"a": 1}}, b"", "makes no sense"),
        ([], b"", "makes no sense"),
        ("{" * 100_000, b"", "makes no sense"),
        ('{"a"', b"", "makes no sense"),
    ],
)
def test_a_header_that_lies_is_refused(header: object, data: bytes, message: str):
    with pytest.raises(IlwpError, match=message):
        read(with_header(header, data))


SOUND = to_safetensors(
    {"a": np.ones((2, 3), np.float32), "b.1": np.ones(0, np.int8), "c": np.ones(4, np.int64)}, {"k": "v"}
)


@given(st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), min_size=1, max_size=3))
def test_damage_is_refused_or_reads_as_the_library_reads_it(changes: list[tuple[int, int]]):
    content = bytearray(SOUND)
    for position, value in changes:
        content[position] = value
    try:
        ours, _ = read(bytes(content))
    except IlwpError:
        return
    theirs = dict(safetensors.deserialize(bytes(content)))
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert list(tensor.shape) == theirs[name]["shape"]
        assert tensor.tobytes() == bytes(theirs[name]["data"])


def test_a_tensor_at_an_odd_offset_is_aligned():
    content = with_header({"a": entry("BOOL", (1,), (0, 1)), "b": entry(offsets=(1, 5))}, b"\1" + bytes(4))
    assert read(content)[0]["b"].flags.aligned
