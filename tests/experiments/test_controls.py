"""Controls: their names, runs and records, and coding against other layers than the previous one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import kernels

from ilwp.experiments import evidence, profiles, runs
from ilwp.experiments.controls import encode_against
from ilwp.experiments.profiles import cell_name, load_profile, train_options
from ilwp.experiments.records import read_kernels, read_record
from ilwp.networks.tensors import load_kernels
from ilwp.paper import bitstream, codec
from ilwp.paper.methods import Loop
from ilwp.paper.settings import Settings
from ilwp.training import datasets
from ilwp.training.recipe import TrainConfig, loss_targets
from ilwp.training.train import evaluate

CHANNELS = (3, 5, 2, 7)
TINY = """
recipe: 1
settings: {width: 0.1, epochs: 1, batch_size: 16, learning_rate: 0.05}
grid:
  - {dataset: cifar10, networks: [mobilenet], inter_layer: [0, 1], seeds: [3]}
  - {dataset: cifar10, networks: [mobilenet], inter_layer: [1], seeds: [3], reference: random}
  - {dataset: cifar10, networks: [mobilenet], inter_layer: [1], seeds: [3], reference: first}
  - {dataset: cifar10, networks: [mobilenet], inter_layer: [0.25], seeds: [3], reference: zero}
  - {dataset: cifar10, networks: [mobilenet], inter_layer: [0], seeds: [3], depthwise_decay: 0.02}
"""
CELLS = [
    "lambda0-seed3", "lambda1-seed3", "lambda1-random-seed3", "lambda1-first-seed3", "lambda0.25-zero-seed3",
    "lambda0-decay0.02-seed3",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, tiny_cifar: Path, on_a_cpu: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where profiles, checkpoints and records are."""
    (tmp_path / "tiny.yaml").write_text(TINY)
    for module, name in ((profiles, "CONFIG"), (runs, "CHECKPOINTS"), (runs, "RUNS"), (evidence, "RUNS")):
        monkeypatch.setattr(module, name, tmp_path)
    return tmp_path


def same(a: codec.CodedKernels, b: codec.CodedKernels) -> bool:
    return bitstream.write_kernel_file(a)[0] == bitstream.write_kernel_file(b)[0]


@pytest.mark.parametrize("loop", ["closed", "open"])
@pytest.mark.parametrize("bits", [2, 8])
def test_against_the_previous_layers_it_is_the_codec(loop: Loop, bits: int):
    layers, settings = kernels(CHANNELS), Settings("ill", bits, loop)
    coded, decoded = encode_against(layers, [0, 1, 2], settings)
    plain = codec.encode_kernels(layers, settings)
    assert same(coded, plain)
    for name, layer in codec.decode_kernels(plain).items():
        np.testing.assert_array_equal(decoded[name], layer)


@given(st.data(), st.sampled_from(["closed", "open"]), st.integers(2, 8))
def test_each_layer_is_predicted_from_the_one_named(data: st.DataObject, loop: Loop, bits: int):
    targets = [data.draw(st.integers(0, i)) for i in range(len(CHANNELS) - 1)]
    layers = kernels(CHANNELS, seed=data.draw(st.integers(0, 99)))
    coded, decoded = encode_against(layers, targets, Settings("ill", bits, loop))
    original, got = list(layers.values()), list(decoded.values())
    np.testing.assert_array_equal(got[0], original[0])
    most = 2 ** (bits - 1) - 1
    for i, target in enumerate(targets, start=1):
        source = (got if loop == "closed" else original)[target].astype(np.float64)
        residual = original[i] - np.resize(source, original[i].shape)
        step = float(np.float32(np.abs(residual).max() / most))
        levels = np.clip(np.rint(residual / step), -most, most)
        np.testing.assert_array_equal(coded.levels[i - 1], levels)
        beside = np.resize(got[target].astype(np.float64), original[i].shape)
        np.testing.assert_allclose(got[i], beside + step * levels, rtol=1e-6, atol=1e-6)
        if loop == "closed":
            assert np.abs(got[i] - original[i]).max() <= step / 2 * 1.001


def test_in_a_network_of_one_layer_nothing_is_predicted():
    coded, decoded = encode_against(kernels((4,)), [], Settings())
    assert same(coded, codec.encode_kernels(kernels((4,)), Settings()))
    assert list(decoded) == list(kernels((4,)))


def test_a_target_for_each_layer_is_wanted():
    with pytest.raises(ValueError, match="zip"):
        encode_against(kernels(CHANNELS), [0, 0], replace(Settings(), bits=4))


def test_a_controls_name_and_its_command_say_what_it_is(folder: Path):
    cells = list(load_profile("tiny").cells())
    assert [cell_name(config) for config in cells] == [f"cifar10-mobilenet-{name}" for name in CELLS]
    assert [
        train_options(config).removeprefix("--dataset cifar10 --network mobilenet --lambda ") for config in cells
    ] == [
        "0 --seed 3", "1 --seed 3", "1 --reference random --seed 3", "1 --reference first --seed 3",
        "0.25 --reference zero --seed 3", "0 --depthwise-decay 0.02 --seed 3",
    ]  # fmt: skip


@pytest.mark.parametrize("index", [2, 3, 4, 5])
def test_a_control_is_trained_measured_and_recorded(folder: Path, ilwp: Callable[..., object], index: int):
    config = list(load_profile("tiny").cells())[index]
    command = ["train", "--profile", "tiny", "--quiet", *train_options(config).split()]
    assert ilwp(*command).code == 0
    path = folder / "tiny" / f"cifar10-mobilenet-{CELLS[index]}.json"
    record = read_record(path)
    assert record.config == config
    assert len(record.measurements) == 49
    assert ilwp(*command).out == f"{path} is finished already\n"

    assert evidence.load_runs("tiny") == {}
    found = evidence.load_controls("tiny")
    assert [cell_name(c) for c in found] == [f"cifar10-mobilenet-{name}" for name in CELLS[2:]]
    assert {c: r for c, r in found.items() if r} == {config: (path, record)}

    if config.reference not in ("random", "first"):
        assert (record.targets, record.against_targets) == (None, None)
        assert not {"targets", "against_targets"} & set(path.read_text().split('"'))
        return
    assert record.targets == loss_targets(config, 13)
    kernels_, network = read_kernels(path), runs.build("mobilenet", 10, 0.1)
    runs.load_tensors(network, runs.read_tensors(runs.network_path("tiny", config)))
    network.eval()
    assert [(m.bits, m.loop) for m in record.against_targets] == [
        (b, o) for o in ("closed", "open") for b in range(2, 9)
    ]
    for m in record.against_targets[::6]:
        coded, decoded = encode_against(kernels_, record.targets, Settings("ill", m.bits, m.loop))
        rate = bitstream.write_kernel_file(coded)[1]
        assert m.rate == replace(rate, side=rate.side + 8 * 12)
        load_kernels(network, decoded)
        assert m.accuracy == evaluate(network, datasets.load("cifar10"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--lambda", "0", "--reference", "first"], "reference: without the loss there is none"),
        (["--lambda", "inf", "--reference", "random"], "reference: tied layers have none"),
        (["--lambda", "inf", "--depthwise-decay", "0.1"], "depthwise_decay: tied layers have none"),
        (["--depthwise-decay", "-0.1"], "depthwise_decay: input should be greater than or equal to 0"),
        (["--depthwise-decay", "nan"], "depthwise_decay: input should be"),
        (["--depthwise-decay", "1"], "depthwise_decay: input should be less than 1"),
    ],
    ids=str,
)
def test_a_control_that_makes_no_sense_is_refused(folder: Path, ilwp: Callable[..., object], options, message: str):
    assert ilwp("train", "--profile", "tiny", *options).refused(f"these settings cannot be trained: {message}")


def test_an_unknown_reference_is_refused(folder: Path, ilwp: Callable[..., object]):
    assert ilwp("train", "--profile", "tiny", "--reference", "next").refused("'next' is not one of", code=2)
    (folder / "wrong.yaml").write_text(TINY.replace("reference: first", "reference: next"))
    assert ilwp("status", "--profile", "wrong").refused("these settings cannot be trained: reference: input should be")


def test_no_two_controls_share_a_name():
    base = TrainConfig("cifar10", "mobilenet", 1.0)
    decays = (None, 0.0, 0.1, 0.10000000000000002)
    found = [
        cell_name(replace(base, reference=reference, depthwise_decay=decay))
        for reference in (None, "random", "first", "zero")
        for decay in decays
    ]
    assert len(set(found)) == len(found)


def test_the_controls_differ_from_the_runs_that_they_are_compared_with_in_nothing_else():
    plain = load_profile("cpu")
    for config in load_profile("controls").cells():
        beside = plain.config(config.dataset, config.network, config.inter_layer, config.seed)
        assert replace(config, reference=None, depthwise_decay=None) == beside
