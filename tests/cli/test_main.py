import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from samples import state_dict

from ilwp.common.tensor_files import write_state_dict
from ilwp.door import read_state_dict
from ilwp.experiments.chance import lift_interval
from ilwp.networks.build import build
from ilwp.networks.tensors import arrays, load_tensors
from ilwp.paper import bitstream, codec
from ilwp.paper.hypothesis import best_sources
from ilwp.paper.kernels import depthwise_kernels
from ilwp.paper.settings import Settings
from ilwp.training import datasets
from ilwp.training.train import evaluate

Ilwp = Callable[..., Any]
KERNELS = depthwise_kernels(state_dict())
OTHER = {name: t for name, t in state_dict().items() if name not in KERNELS}


def strictly(text: str) -> Any:
    """JSON without NaN and Infinity, which other programs do not read."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth"])
def test_a_network_comes_back_from_a_smaller_file(tmp_path: Path, ilwp: Ilwp, suffix: str):
    path = tmp_path / f"network{suffix}"
    if suffix == ".safetensors":
        safetensors.numpy.save_file(state_dict(), path)
    else:
        torch.save({name: torch.from_numpy(t) for name, t in state_dict().items()}, path)
    before = path.read_bytes()
    outcome = ilwp("compress", path, "--coder", "huffman", "--bits", 5)
    assert (outcome.code, outcome.err) == (0, "")
    assert "36 depthwise kernels of 3x3 in 3 layers" in outcome.out
    wanted = codec.decode_kernels(codec.encode_kernels(KERNELS, Settings(bits=5)))
    assert ilwp("decompress", tmp_path / "network.ilwp", "-o", tmp_path / "back.safetensors").code == 0
    found = safetensors.numpy.load_file(tmp_path / "back.safetensors")
    for name, tensor in state_dict().items():
        np.testing.assert_array_equal(found[name], wanted[name][:, None] if name in wanted else tensor)
    assert path.read_bytes() == before
    assert {p.name for p in tmp_path.iterdir()} == {path.name, "network.ilwp", "back.safetensors"}


def test_every_option_reaches_the_file(network_file: Path, ilwp: Ilwp):
    chosen = {"method": "fss", "bits": 3, "loop": "open", "quantizer": "affine", "range": "network", "table": "layer"}
    options = [part for name, value in chosen.items() for part in (f"--{name}", value)]
    output = network_file.parent / "other" / "place.ilwp"
    assert ilwp("compress", network_file, "--coder", "huffman", *options, "-o", output).code == 0
    assert (
        output.read_bytes() == bitstream.write_kernel_file(codec.encode_kernels(KERNELS, Settings(**chosen)), OTHER)[0]
    )


def test_inspecting_a_file_says_how_it_was_coded_and_where_its_bits_go(
    compressed_file: Path, ilwp: Ilwp, monkeypatch: pytest.MonkeyPatch
):
    coded = codec.encode_kernels(KERNELS, Settings())
    file, rate = bitstream.write_kernel_file(coded, OTHER)
    assert compressed_file.read_bytes() == file
    monkeypatch.setattr(bitstream, "write_kernel_file", None)  # sizes are read off the file
    outcome = ilwp("inspect", compressed_file, "--json")
    assert strictly(outcome.out) == {
        "file": str(compressed_file),
        "format": 1,
        "settings": {
            "method": "ill", "bits": 8, "loop": "closed",
            "quantizer": "symmetric", "range": "layer", "table": "network",
        },
        "rate_bits": {
            "texture": rate.texture, "index": 0, "raw": 8 * 9 * 32, "side": rate.side, "other": rate.other,
        },
        "other_tensors": len(OTHER),
        "layers": [
            {"layer": name, "kernels": len(layer), "step": step}
            for (name, layer), step in zip(KERNELS.items(), [None, *(q.step for q in coded.quantizers)], strict=True)
        ],
    }  # fmt: skip
    text = ilwp("inspect", compressed_file).out
    for wanted in ("method ill", *KERNELS, f"{rate.total / 8:,.2f}"):
        assert wanted in text


def test_inspecting_a_state_dict_lists_its_tensors(network_file: Path, ilwp: Ilwp):
    found = strictly(ilwp("inspect", network_file, "--json").out)
    assert found["other_tensors"] == len(OTHER)
    assert [(layer["layer"], layer["kernels"]) for layer in found["layers"]] == [
        (n, len(k)) for n, k in KERNELS.items()
    ]
    assert [row["tensor"] for row in found["tensors"]] == list(read_state_dict(network_file))
    assert "depthwise kernels of 3x3 in 3 layers and 9 other tensors" in ilwp("inspect", network_file).out


def test_inspecting_tells_what_it_can_of_any_state_dict(tmp_path: Path, ilwp: Ilwp):
    weights, file = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float16), tmp_path / "net.pt"
    tensors = {
        "a.weight": weights,
        "dw.weight": weights[:, None, :9],
        "dw1.weight": weights[:, None, :7],
        "n": np.array(3),
    }
    network = {name: torch.from_numpy(t) for name, t in tensors.items()}
    torch.save(network | {"tied.weight": network["a.weight"]}, file)
    taken = {row["tensor"]: row["is"] for row in strictly(ilwp("inspect", file, "--json").out)["tensors"]}
    kinds = ["weights", "depthwise kernels", "depthwise kernels", "exact", "shared with a.weight"]
    assert taken == dict(zip(["a.weight", "dw.weight", "dw1.weight", "n", "tied.weight"], kinds, strict=True))
    assert "kernels of 9 in 1 layers and 64 depthwise kernels of 7 in 1" in ilwp("inspect", file).out
    torch.save({"a.weight": network["a.weight"]}, file)
    assert ilwp("inspect", file).out.endswith("no depthwise kernels and 1 other tensors\n")


def test_the_hypothesis_is_tested_on_a_networks_kernels(network_file: Path, compressed_file: Path, ilwp: Ilwp):
    found = strictly(ilwp("svwh", network_file, "--json").out)
    sources = best_sources(KERNELS)
    assert found["lift"] == sources.lift
    assert found["lift_interval"] == list(lift_interval(sources))
    assert found["layers"] == [
        {"layer": "blocks.2.depthwise.weight", "previous_share": sources.previous_share, "chance": 16 / 24}
    ]
    assert f"lift {sources.lift:.2f} (95 % interval" in ilwp("svwh", network_file).out
    assert strictly(ilwp("svwh", compressed_file, "--json").out)["layers"][0]["chance"] == 16 / 24


def test_a_networks_accuracy_is_the_same_from_its_state_dict_and_close_to_it_from_its_ilwp_file(
    tmp_path: Path, tiny_cifar: Path, ilwp: Ilwp
):
    module = build("shufflenetv2", 10, 0.1, seed=2)
    safetensors.numpy.save_file(arrays(module), tmp_path / "network.safetensors")
    options = ("--dataset", "cifar10", "--network", "shufflenetv2", "--width", 0.1)
    wanted = f"{evaluate(module, datasets.load('cifar10')):.2f}\n"
    assert ilwp("evaluate", tmp_path / "network.safetensors", *options).out == wanted
    assert ilwp("compress", tmp_path / "network.safetensors").code == 0
    assert 0 <= float(ilwp("evaluate", tmp_path / "network.ilwp", *options).out) <= 100
    assert ilwp("evaluate", tmp_path / "network.ilwp", *options[:-1], 0.2).refused("another network or width")
    assert ilwp("evaluate", tmp_path / "network.ilwp", *options[:2]).refused("another network or width")


def test_help_and_version_are_no_errors(ilwp: Ilwp):
    for arguments in (["--help"], ["-h"], ["compress", "--help"], ["train", "-h"]):
        outcome = ilwp(*arguments)
        assert (outcome.code, outcome.err) == (0, "")
        assert outcome.out.startswith("Usage: ")
    assert version("ilwp") in ilwp("--version").out
    outcome = ilwp()
    assert (outcome.code, outcome.out) == (2, "")
    assert "svwh" in outcome.err


def test_aligned_files_are_smaller_and_compute_the_same(tmp_path, ilwp):
    network = build("mobilenet", 10, 0.25).eval()
    file = tmp_path / "net.safetensors"
    write_state_dict(file, arrays(network))
    sizes = {}
    for method, more in (("ill", ()), ("aligned", ("--graph", "mobilenet", "--width", 0.25))):
        output = tmp_path / f"{method}.ilwp"
        assert ilwp("compress", file, "-o", output, "--coder", "huffman", "--method", method, *more).code == 0
        sizes[method] = output.stat().st_size
    assert sizes["aligned"] < sizes["ill"]
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        logits = network(x)
        load_tensors(network, read_state_dict(tmp_path / "aligned.ilwp"))
        torch.testing.assert_close(network(x), logits, rtol=0, atol=0.05 * float(logits.abs().max()))


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        ((), "needs the network's graph"),
        (("--graph", "resnet"), "no network is called 'resnet'"),
        (("--graph", "os:getcwd"), "no network but a str"),
        (("--graph", "nowhere:nothing"), "makes no network"),
        (("--graph", "mobilenetv2"), "another network or width"),
    ],
)
def test_aligned_needs_the_right_graph(graph, message, tmp_path, ilwp):
    file = tmp_path / "net.safetensors"
    write_state_dict(file, arrays(build("mobilenet", 10, 0.25)))
    assert ilwp("compress", file, "--method", "aligned", *graph).refused(message)
    assert not file.with_suffix(".ilwp").exists()


def test_a_whole_network_is_compressed_and_runs(tmp_path: Path, tiny_cifar: Path, ilwp: Ilwp):
    module = build("mobilenet", 10, 0.25, seed=3)
    images = datasets.load("cifar10")
    module.train()
    for batch in torch.split(images.train, 20):
        module(images.normalise(batch))
    file = tmp_path / "net.safetensors"
    write_state_dict(file, arrays(module))
    graph = ("--graph", "mobilenet", "--width", 0.25)
    logits = module.eval()(images.normalise(images.test))
    sizes = []
    for options in ((), graph, (*graph, "--vector-bits", 7), (*graph, "--images", "cifar10", "--dense-bits", 6)):
        outcome = ilwp("compress", file, *options, "--bits", 8.5)
        assert outcome.code == 0
        assert "whole file" in outcome.out
        sizes.append((tmp_path / "net.ilwp").stat().st_size)
        load_tensors(module, read_state_dict(tmp_path / "net.ilwp"))
        assert (module(images.normalise(images.test)) - logits).std() < 0.2 * logits.std()
    assert sizes[1] > sizes[2]
    assert sizes[1] > sizes[3]
    described = strictly(ilwp("inspect", tmp_path / "net.ilwp", "--json").out)
    assert {row["stored"] for row in described["tensors"]} == {"kernels, a set", "levels", "powers of two", "exact"}
    assert ilwp("inspect", tmp_path / "net.ilwp").code == 0
