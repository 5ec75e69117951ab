import io
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
import torchvision
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import Trap, state_dict

from ilwp.common.errors import IlwpError
from ilwp.common.tensor_files import in_network_order, write_state_dict
from ilwp.door import compress_additive, decoded, read_state_dict
from ilwp.networks.tensors import depthwise_names
from ilwp.paper import bitstream, codec
from ilwp.paper.kernels import depthwise_kernels
from ilwp.paper.settings import Settings


@pytest.fixture(scope="module")
def foreign() -> torch.nn.Module:
    return torchvision.models.mobilenet_v2(weights=None).to(memory_format=torch.channels_last)


def save(path: Path, tensors: dict[str, torch.Tensor]) -> Path:
    if path.suffix == ".safetensors":
        safetensors.torch.save_file({name: t.contiguous() for name, t in tensors.items()}, path)
    else:
        torch.save(tensors, path)
    return path


def torch_state_dict() -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(t) for name, t in state_dict().items()}


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors"])
def test_a_network_not_ours_reads_the_same_in_network_order(foreign: torch.nn.Module, tmp_path: Path, suffix: str):
    found = read_state_dict(save(tmp_path / f"network{suffix}", foreign.state_dict()))
    assert list(depthwise_kernels(found)) == depthwise_names(foreign)
    assert found.keys() == foreign.state_dict().keys()
    for name, tensor in foreign.state_dict().items():
        assert found[name].shape == tuple(tensor.shape)
        np.testing.assert_array_equal(found[name], tensor.numpy())


def test_a_whole_network_comes_back_from_an_ilwp_file(foreign: torch.nn.Module, tmp_path: Path):
    tensors = read_state_dict(save(tmp_path / "network.pt", foreign.state_dict()))
    kernels = depthwise_kernels(tensors)
    coded = codec.encode_kernels(kernels, Settings())
    content, _ = bitstream.write_kernel_file(coded, {n: t for n, t in tensors.items() if n not in kernels})
    (tmp_path / "network.ilwp").write_bytes(content)
    found = read_state_dict(tmp_path / "network.ilwp")
    assert list(depthwise_kernels(found)) == list(kernels)
    for name, tensor in tensors.items():
        wanted = codec.decode_kernels(coded)[name][:, None] if name in kernels else tensor
        np.testing.assert_array_equal(found[name], wanted)
    foreign.load_state_dict({name: torch.from_numpy(t) for name, t in found.items()})


@pytest.mark.parametrize("coder", ["huffman", "codebooks"])
def test_a_file_keeps_the_order_of_layers_whatever_their_names(coder: str):
    names = ["stem.weight", "body.weight", "a.weight"]
    tensors = {name: np.random.default_rng(len(name)).normal(size=(4, 1, 3, 3)).astype(np.float32) for name in names}
    other = {"z.bias": np.ones(2, np.float32), "b.bias": np.ones(2, np.float32)}
    if coder == "huffman":
        content, _ = bitstream.write_kernel_file(codec.encode_kernels(depthwise_kernels(tensors), Settings()), other)
    else:
        content = compress_additive(tensors | other, books=1, bits=2, length=3, shared=True).content
    assert list(depthwise_kernels(decoded(content))) == names
    assert sorted(decoded(content)) == sorted([*names, *other])


def test_numbers_in_names_are_counted():
    names = ["b.2", "b.10", "b.1.x", "a", "b", "10", "9", "b.2.weight", "b.2.bias"]
    assert list(in_network_order(dict.fromkeys(names))) == [
        "9", "10", "a", "b", "b.1.x", "b.2", "b.2.bias", "b.2.weight", "b.10",
    ]  # fmt: skip


@given(st.lists(st.text(alphabet="ab.019٣²", max_size=6), unique=True))
def test_any_names_can_be_ordered_and_the_order_is_stable(names):
    ordered = list(in_network_order(dict.fromkeys(names)))
    assert sorted(ordered) == sorted(names)
    assert list(in_network_order(dict.fromkeys(reversed(ordered)))) == ordered


def test_written_tensors_come_back_whatever_their_layout_and_always_in_the_same_bytes(tmp_path: Path):
    tensors = {"a": np.array(3), "b": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "c": np.arange(9)[::-2]}
    write_state_dict(tmp_path / "one.safetensors", tensors)
    write_state_dict(tmp_path / "two.safetensors", dict(reversed(tensors.items())))
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()
    found = read_state_dict(tmp_path / "one.safetensors")
    assert list(found) == list(tensors)
    for name, tensor in tensors.items():
        assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape)
        np.testing.assert_array_equal(found[name], tensor)


@pytest.mark.parametrize("save_trap", [torch.save, lambda trap, path: path.write_bytes(pickle.dumps(trap))])
@pytest.mark.parametrize("wrap", [lambda trap: trap, lambda trap: {"weight": torch.ones(2), "more": trap}])
def test_nothing_is_unpickled(tmp_path: Path, save_trap: Callable[..., object], wrap: Callable[..., object]):
    save_trap(wrap(Trap(tmp_path / "sprung")), tmp_path / "trap.pt")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with pytest.raises(IlwpError, match=r"trap.pt: .* run code from the file"):
            read_state_dict(tmp_path / "trap.pt")
    assert said == []
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_every_kind_of_cut_file_is_refused(tmp_path: Path, suffix: str):
    path = save(tmp_path / f"network{suffix}", torch_state_dict())
    content = path.read_bytes()
    for length in (0, 1, 7, 8, 9, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(IlwpError, match=f"network{suffix}"):
            read_state_dict(path)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".legacy.pt"])
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), min_size=1, max_size=3))
def test_a_damaged_file_reads_or_is_refused_in_one_line(tmp_path: Path, suffix: str, changes):
    path = tmp_path / f"network{suffix}"
    if suffix == ".legacy.pt":
        torch.save(torch_state_dict(), path, _use_new_zipfile_serialization=False)
    else:
        save(path, torch_state_dict())
    content = bytearray(path.read_bytes())
    for position, value in changes:
        # headers are where it hurts, so most of the changes go there
        content[position % (len(content) if position % 4 == 0 else 900)] = value
    path.write_bytes(content)
    message = ""
    try:
        read_state_dict(path)
    except IlwpError as error:
        message = str(error)
    assert "\n" not in message


def test_missing_files_folders_and_unknown_suffixes_are_refused(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("weights")
    for path, message in (
        (tmp_path / "absent.pt", r"absent.pt could not be read: No such file"),
        (tmp_path, "could not be read: it is a folder with no model.safetensors in it"),
        (tmp_path / "notes.txt", "notes.txt: not a whole file of tensors: it begins like no file of tensors"),
    ):
        with pytest.raises(IlwpError, match=message):
            read_state_dict(path)


def test_an_ilwp_file_without_other_tensors_is_a_state_dict_of_its_kernels():
    kernels = depthwise_kernels(state_dict())
    found = decoded(bitstream.write_kernel_file(codec.encode_kernels(kernels, Settings()))[0])
    assert {name: t.shape for name, t in found.items()} == {n: (len(k), 1, 3, 3) for n, k in kernels.items()}


class Long:
    """An object whose unpickling takes a gigabyte, by a function that torch allows."""

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return bytearray, (1 << 30,)


def compressed(content: bytes) -> bytes:
    """A torch file whose parts are compressed, the weights a thousand times."""
    squeezed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(squeezed, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            new.writestr(part, old.read(part))
    return squeezed.getvalue()


@pytest.mark.parametrize("kind", ["compressed", "bytes", "expanded"])
def test_a_torch_file_that_takes_far_more_memory_than_it_is_long_is_refused(tmp_path: Path, kind: str):
    path = tmp_path / "network.pt"
    tensors = {"expanded": torch.zeros(1).expand(1 << 30), "compressed": torch.zeros(1 << 20), "bytes": Long()}
    torch.save({"a.weight": tensors[kind]}, path)
    if kind == "compressed":
        path.write_bytes(compressed(path.read_bytes()))
    message = {"expanded": "far larger than the file", "compressed": "compressed", "bytes": "it holds a Python object"}
    with pytest.raises(IlwpError, match=message[kind]):
        read_state_dict(path)


def test_names_with_thousands_of_digits_have_an_order():
    names = [f"a.{digits}.b" for digits in ("9", "10", "011", "1" + "0" * 5000)]
    shuffled = dict.fromkeys(reversed(names), np.zeros(1))
    assert list(in_network_order(shuffled)) == names
