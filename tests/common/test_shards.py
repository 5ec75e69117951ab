import json
from pathlib import Path

import numpy as np
import pytest
import torch
from samples import state_dict

from ilwp.common.errors import IlwpError
from ilwp.common.tensor_files import in_network_order, read_tensor_file, read_tensors, write_state_dict

NETWORK = in_network_order(state_dict())
HALVES = [dict(list(NETWORK.items())[:6]), dict(list(NETWORK.items())[6:])]


def sharded(folder: Path, suffix: str = ".safetensors", stem: str = "model") -> Path:
    """A network in two shards; the path of their index."""
    folder.mkdir(exist_ok=True)
    names = {}
    for i, half in enumerate(reversed(HALVES)):
        shard = folder / f"{stem}-{i + 1:05}-of-00002{suffix}"
        if suffix == ".safetensors":
            write_state_dict(shard, half, {"format": "pt"})
        else:
            torch.save({name: torch.from_numpy(tensor) for name, tensor in half.items()}, shard)
        names |= dict.fromkeys(half, shard.name)
    index = folder / f"{stem}{suffix}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": names}))
    return index


def is_network(found: dict[str, np.ndarray]) -> bool:
    return found.keys() == NETWORK.keys() and all(np.array_equal(found[name], NETWORK[name]) for name in NETWORK)


@pytest.mark.parametrize(("suffix", "stem"), [(".safetensors", "model"), (".bin", "pytorch_model")])
def test_shards_are_one_network_by_their_index_or_their_folder(tmp_path: Path, suffix: str, stem: str):
    index = sharded(tmp_path, suffix, stem)
    for path in (index, tmp_path):
        assert is_network(read_tensors(path))
    if suffix == ".safetensors":
        assert read_tensor_file(index).metadata == {"format": "pt"}
        assert list(read_tensors(index)) == list(NETWORK)
    else:
        assert list(read_tensors(index)) == [*HALVES[1], *HALVES[0]]


def test_a_folders_network_is_found(tmp_path: Path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(IlwpError, match=r"it is a folder with no model.safetensors in it, so name a file"):
        read_tensors(tmp_path)
    write_state_dict(tmp_path / "one.safetensors", HALVES[0])
    assert read_tensors(tmp_path).keys() == HALVES[0].keys()
    write_state_dict(tmp_path / "two.safetensors", HALVES[1])
    with pytest.raises(IlwpError, match="it is a folder with 2 networks in it, so name a file"):
        read_tensors(tmp_path)
    torch.save({name: torch.from_numpy(tensor) for name, tensor in NETWORK.items()}, tmp_path / "pytorch_model.bin")
    assert is_network(read_tensors(tmp_path))
    write_state_dict(tmp_path / "model.safetensors", HALVES[1])
    assert read_tensors(tmp_path).keys() == HALVES[1].keys()


def test_a_missing_shard_a_missing_tensor_and_a_missing_map_are_named(tmp_path: Path):
    index = sharded(tmp_path)
    content = json.loads(index.read_text())
    for names, message in (
        ({**content["weight_map"], "more": "absent.safetensors"}, "its shard absent.safetensors is missing"),
        ({**content["weight_map"], "more": "model-00001-of-00002.safetensors"}, "more is not in its shard model-00001"),
        ({"a": "../outside.safetensors"}, r"its shard ../outside.safetensors is no file beside it"),
        ({"a": index.name}, "is no file beside it"),
        ({"a": 3}, "not an index of shards"),
        ({}, "not an index of shards"),
    ):
        index.write_text(json.dumps({"weight_map": names}))
        with pytest.raises(IlwpError, match=message):
            read_tensors(index)
    for text in ('{"weight_map": []}', "{", "{" * 100_000, '{"a": 1}'):
        index.write_text(text)
        with pytest.raises(IlwpError, match=r"model.safetensors.index.json: not "):
            read_tensors(index)


def test_a_cut_shard_is_the_one_that_is_named(tmp_path: Path):
    index = sharded(tmp_path)
    shard = tmp_path / "model-00002-of-00002.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(IlwpError, match=r"model-00002-of-00002.safetensors: not a whole safetensors file"):
        read_tensors(index)


def test_tensors_that_the_index_forgot_are_kept_and_it_decides_where_two_shards_differ(tmp_path: Path):
    for name, value in (("a", 1.0), ("b", 2.0)):
        write_state_dict(tmp_path / f"{name}.safetensors", {"both": np.array([value]), name: np.ones(1)})
    index = tmp_path / "model.safetensors.index.json"
    for chosen, value in (("a", 1), ("b", 2)):
        index.write_text(
            json.dumps({"weight_map": {"a": "a.safetensors", "b": "b.safetensors", "both": f"{chosen}.safetensors"}})
        )
        found = read_tensors(index)
        assert list(found) == ["a", "b", "both"]
        assert found["both"] == value
