from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from samples import Trap, contents, state_dict

from ilwp.door import read_state_dict
from ilwp.networks.build import build
from ilwp.networks.tensors import arrays
from ilwp.paper.kernels import depthwise_kernels

Ilwp = Callable[..., Any]
KERNELS = depthwise_kernels(state_dict())


def bad(change: Callable[[dict[str, np.ndarray]], object], suffix: str = ".safetensors") -> tuple[str, bytes]:
    tensors = state_dict()
    change(tensors)
    return suffix, safetensors.numpy.save(tensors)


def fill(name: str, value: float) -> Callable[[dict[str, np.ndarray]], object]:
    return lambda tensors: tensors[name].__setitem__((0, 0, 1, 1), value)


def replace_with(name: str, tensor: np.ndarray) -> Callable[[dict[str, np.ndarray]], object]:
    return lambda tensors: tensors.update({name: tensor})


SECOND = "blocks.1.depthwise.weight"
GOOD = bad(lambda tensors: None)[1]
UNSUITABLE = {
    "without depthwise layers": (*bad(lambda t: [t.pop(name) for name in KERNELS]), "no depthwise layer"),
    "mixed sizes": (*bad(replace_with(SECOND, np.ones((4, 1, 5, 5), np.float32))), "5x5 (blocks.1.depthwise.weight)"),
    "NaN": (*bad(fill(SECOND, np.nan)), f"{SECOND} holds NaN"),
    "infinity": (*bad(fill(SECOND, np.inf)), f"{SECOND} holds NaN or infinite"),
    "float16": (*bad(replace_with(SECOND, np.ones((4, 1, 3, 3), np.float16))), f"{SECOND} is float16"),
    "empty": (".pt", b"", "is empty"),
    "cut": (".safetensors", GOOD[:-1], "not a whole safetensors file"),
    "no header": (".safetensors", GOOD[100:], "not a whole safetensors file"),
    "safetensors called pt": (".pt", GOOD, "not a torch file but a safetensors file: rename it to end in .safetensors"),
    "a web page": (".pth", b"<!DOCTYPE html><html>", "a web page"),
    "a pointer": (".safetensors", b"version https://git-lfs.github.com/spec/v1\noid", "run `git lfs pull`"),
    "notes": ("", b"weights", "it begins like no file of tensors"),
    "no ilwp file": (".ilwp", GOOD, "this is no .ilwp file"),
}


CODED_ALL_THE_SAME = ("without depthwise layers", "mixed sizes", "float16")


@pytest.mark.parametrize("command", ["compress", "inspect", "svwh"])
@pytest.mark.parametrize("kind", UNSUITABLE)
def test_an_unsuitable_network_is_refused_in_one_line_and_nothing_is_written(
    tmp_path: Path, ilwp: Ilwp, command: str, kind: str
):
    if command != "svwh" and kind in CODED_ALL_THE_SAME:
        pytest.skip("only prediction needs depthwise layers of one size and type")
    suffix, content, message = UNSUITABLE[kind]
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    outcome = ilwp(command, path, *(["-o", tmp_path / "out.ilwp"] if command == "compress" else []))
    assert outcome.refused(message)
    assert str(path) in outcome.err
    assert contents(tmp_path) == {path.name: content}


@pytest.mark.parametrize("command", ["compress", "decompress", "inspect", "evaluate", "svwh"])
def test_a_missing_file_is_refused_in_one_line(tmp_path: Path, ilwp: Ilwp, command: str):
    for path in (tmp_path / "absent.ilwp", tmp_path / "absent.pt", tmp_path):
        outcome = ilwp(command, path)
        assert outcome.refused("could not be read")
        assert outcome.err.count(str(path)) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["decompress", "inspect", "evaluate", "svwh"])
@pytest.mark.parametrize("position", [0, 4, 5, 40, -1])
def test_a_damaged_ilwp_file_is_refused_in_one_line(compressed_file: Path, ilwp: Ilwp, command: str, position: int):
    good = compressed_file.read_bytes()
    flipped = bytearray(good)
    flipped[position] ^= 4
    for content in (bytes(flipped), good[:position], good[: len(good) // 2]):
        compressed_file.write_bytes(content)
        before = contents(compressed_file.parent)
        outcome = ilwp(command, compressed_file)
        assert outcome.refused()
        assert str(compressed_file) in outcome.err
        assert contents(compressed_file.parent) == before


def test_a_pickled_object_is_refused_unopened(tmp_path: Path, ilwp: Ilwp):
    torch.save(Trap(tmp_path / "sprung"), tmp_path / "trap.pt")
    for command in ("compress", "inspect", "svwh", "evaluate"):
        assert ilwp(command, tmp_path / "trap.pt").refused("run code from the file")
    assert [p.name for p in tmp_path.iterdir()] == ["trap.pt"]


def test_a_wrapper_with_two_networks_is_refused_and_of_an_average_beside_one_it_is_said(tmp_path: Path, ilwp: Ilwp):
    network = {name: torch.from_numpy(tensor) for name, tensor in state_dict().items()}
    torch.save({"generator": network, "critic": network}, tmp_path / "two.pth")
    torch.save({"model": network, "model_ema": network, "epoch": 3}, tmp_path / "one.pth.tar")
    before = contents(tmp_path)
    for command in ("compress", "inspect", "svwh"):
        assert ilwp(command, tmp_path / "two.pth").refused("several networks, 'generator' or 'critic': choose one")
    outcome = ilwp("svwh", tmp_path / "one.pth.tar")
    assert outcome.code == 0
    assert outcome.err.endswith("one.pth.tar: took model; --key chooses model_ema instead\n")
    assert ilwp("svwh", tmp_path / "two.pth", "--key", "critic").out.endswith(outcome.out)
    assert ilwp("inspect", tmp_path / "two.pth", "--key", "actor").refused("nothing in it is called 'actor'")
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compress", "FILE", "--table", "layer"], "--table has no meaning with --coder ans"),
        (["compress", "FILE", "--coder", "huffman", "--dense-bits", "5"], "no meaning with --coder huffman"),
        (["compress", "FILE", "--bits", "17"], "17.0 is not in the range 2<=x<=16"),
        (["compress", "FILE", "--bits", "four"], "not a valid float"),
        (["compress", "FILE", "--bits", "nan"], "nan is no number"),
        (["compress", "FILE", "--dense-bits", "nan"], "nan is no number"),
        (["compress", "FILE", "--method", "best"], "'best' is not one of"),
        (["compress", "FILE", "--step", "1"], "No such option"),
        (["compress"], "Missing argument 'NETWORK'"),
        (["evaluate", "FILE", "--dataset", "mnist"], "'mnist' is not one of"),
        (["squeeze"], "No such command 'squeeze'"),
    ],
)
def test_a_mistyped_command_is_refused_in_one_line_that_points_to_the_help(
    network_file: Path, ilwp: Ilwp, arguments: list[str], message: str
):
    before = contents(network_file.parent)
    outcome = ilwp(*(str(network_file) if part == "FILE" else part for part in arguments))
    assert outcome.refused(message, code=2)
    assert "--help)" in outcome.err
    assert contents(network_file.parent) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--profile", "absent"], "no profile is called 'absent'"),
        (["--profile", "smoke", "--lambda", "nan"], "inter_layer"),
        (["--profile", "smoke", "--lambda", "-1"], "inter_layer"),
        (["--profile", "smoke", "--seed", "-1"], "seed"),
    ],
)
def test_a_run_that_cannot_be_is_refused_in_one_line(tmp_path: Path, ilwp: Ilwp, options: list[str], message: str):
    assert ilwp("train", *options, "-o", tmp_path / "run.json").refused(message)
    assert list(tmp_path.iterdir()) == []


def test_a_data_set_that_is_neither_there_nor_to_be_had_is_refused_in_one_line(
    image_folder: Path, tmp_path: Path, ilwp: Ilwp
):
    safetensors.numpy.save_file(arrays(build("mobilenet", 10, 0.1)), tmp_path / "network.safetensors")
    commands = (
        ["evaluate", tmp_path / "network.safetensors", "--width", "0.1"],
        ["train", "--profile", "smoke", "--dataset", "cifar10", "-o", tmp_path / "run.json"],
    )
    for command in commands:
        assert ilwp(*command).refused("CIFAR-10 is neither at")
    assert list(image_folder.iterdir()) == []
    assert not (tmp_path / "run.json").exists()


def test_a_key_without_a_torch_file_to_choose_in_is_refused(compressed_file: Path, ilwp: Ilwp):
    for file in (compressed_file, compressed_file.with_suffix(".safetensors")):
        for command in (["inspect"], ["svwh"], ["compress", "-o", file.with_name("out.ilwp")]):
            assert ilwp(*command, file, "--key", "model").refused("--key chooses between networks in a torch file")


def test_a_width_without_a_network_to_make_wide_is_refused(network_file, ilwp):
    for graph in ([], ["--graph", "torchvision.models:mobilenet_v2"]):
        assert ilwp("compress", network_file, "--width", 2, *graph).refused("--width has no meaning without", 2)


@pytest.mark.parametrize("name", ["0.1.bias", "0.1.running_var"])
def test_what_did_not_train_is_neither_compressed_nor_evaluated(tmp_path, ilwp, name):
    tensors = arrays(build("mobilenet", 10, 0.1))
    path = tmp_path / "net.safetensors"
    graph = ["--graph", "mobilenet", "--width", 0.1]
    for value in (np.nan, np.inf):
        tensors[name].flat[-1] = value
        safetensors.numpy.save_file(tensors, path)
        evaluated = ilwp("evaluate", path, "--width", 0.1, "--dataset", "digits")
        assert evaluated.refused(f"{path}: {name} holds NaN or infinite")
        assert ilwp("compress", path, *graph).refused(str(path))
        for options in ([], ["--coder", "huffman"], ["--method", "additive"]) if np.isnan(value) else ():
            assert ilwp("compress", path, *options).refused(f"{path}: {name} holds NaN")
    assert list(tmp_path.iterdir()) == [path]


def test_an_infinity_outside_of_weights_comes_back(tmp_path, ilwp):
    tensors = arrays(build("mobilenet", 10, 0.1)) | {"mask": np.array([0, -np.inf], np.float32)}
    safetensors.numpy.save_file(tensors, tmp_path / "net.safetensors")
    assert ilwp("compress", tmp_path / "net.safetensors", "--bits", 4).code == 0
    np.testing.assert_array_equal(read_state_dict(tmp_path / "net.ilwp")["mask"], tensors["mask"])


@pytest.mark.parametrize("name", ["a" * 300, "../config/smoke", "nothing"])
def test_an_unknown_profile_is_refused(name, ilwp):
    assert ilwp("train", "--profile", name).refused("no profile is called")


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_a_network_too_narrow_to_build_is_refused(network_file, ilwp):
    assert ilwp("evaluate", network_file, "--network", "shufflenet", "--width", 0.01).refused("choose a wider one")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--method", "multiset"), "--method multiset needs the network's graph"),
        (("--vector-bits", 8), "--vector-bits needs the network's graph"),
        (("--images", "cifar10"), "--images needs the network's graph"),
        (("--coder", "huffman", "--bits", 5.5), "whole bits from 2 to 8"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, message: str, network_file, ilwp):
    assert ilwp("compress", network_file, *options).refused(message)
    assert not network_file.with_suffix(".ilwp").exists()


def test_names_of_anothers_making_cannot_command_the_terminal(tmp_path: Path, ilwp: Ilwp):
    tensors = {f"\x1b[2J{name}": t for name, t in state_dict().items()}
    safetensors.numpy.save_file(tensors, tmp_path / "network.safetensors")
    for command in (["inspect"], ["svwh"], ["compress"]):
        outcome = ilwp(*command, tmp_path / "network.safetensors")
        assert outcome.code == 0
        assert "\x1b" not in outcome.out
    assert ilwp("inspect", tmp_path / "\x1b[2J.safetensors").refused(r"\x1b[2J.safetensors could not be read")
