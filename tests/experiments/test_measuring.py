import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from tiny_profile import config_of, without_times

from ilwp.experiments import measuring, runs
from ilwp.experiments.profiles import load_profile
from ilwp.experiments.records import kernels_path, read_record
from ilwp.experiments.status import grid_status
from ilwp.networks.build import build
from ilwp.networks.tensors import arrays, kernels_of, load_kernels
from ilwp.paper import codec
from ilwp.paper.settings import Settings
from ilwp.training import datasets
from ilwp.training.train import evaluate

Ilwp = Callable[..., object]
pytestmark = pytest.mark.usefixtures("on_a_cpu")


@pytest.mark.parametrize(("tied", "evaluations"), [(False, 49), (True, 8)])
def test_measuring_evaluates_what_a_decoder_gets_once_and_leaves_the_network_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tied: bool, evaluations: int
):
    evaluated = Mock(wraps=evaluate)
    monkeypatch.setattr(measuring, "evaluate", evaluated)
    images = datasets.load("cifar10")
    network = build("mobilenet", 10, 0.1, seed=1).eval()
    if tied:
        kernels = kernels_of(network)
        first = next(iter(kernels.values()))
        load_kernels(network, {name: np.resize(first, layer.shape) for name, layer in kernels.items()})
    before = {name: t.tobytes() for name, t in arrays(network).items()}
    measured = {(m.method, m.bits, m.loop): m.accuracy for m in measuring.measure(network, images, progress=False)}
    assert {name: t.tobytes() for name, t in arrays(network).items()} == before
    assert (len(measured), evaluated.call_count) == (49, evaluations)
    for key in (("ill", 2, "open"), ("fss", 4, "closed"), ("baseline", 8, "closed")):
        other = build("mobilenet", 10, 0.1, seed=1)
        decoded = codec.decode_kernels(codec.encode_kernels(kernels_of(network), Settings(*key)))
        for name, layer in decoded.items():
            other.get_parameter(name).data[:, 0] = torch.from_numpy(layer)
        assert measured[key] == evaluate(other, images)


def test_a_network_measured_elsewhere_ends_in_the_same_record(folder: Path, ilwp: Ilwp, monkeypatch):
    assert ilwp("train", "--profile", "short", "--quiet", "-o", folder / "whole.json").code == 0
    trained = runs.network_path("short", config_of("short")).parent
    (trained / "epoch-00001.pt").unlink()

    outcome = ilwp("train", "--profile", "short", "--quiet", "--no-measure")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"to measure it, here or elsewhere: ilwp measure {trained}\n" in outcome.out
    assert read_record(trained / "trained.json").measurements == []
    path = runs.record_path("short", config_of("short"))
    assert not path.exists()

    (home := folder / "home").mkdir()
    for name in ("network.safetensors", "trained.json"):
        (trained / name).rename(home / name)
    assert ilwp("measure", home, "--quiet").code == 0
    measured, whole = read_record(path), read_record(folder / "whole.json")
    assert measured.measured_on == {**whole.software, "device": whole.hardware["device"]}
    assert without_times(replace(measured, measured_on=None)) == without_times(whole)
    assert kernels_path(path).read_bytes() == kernels_path(folder / "whole.json").read_bytes()
    assert ilwp("measure", home).out == f"{path} is finished already\n"
    assert ilwp("train", "--profile", "short").out == f"{path} is finished already\n"


def test_where_a_network_is_trained_already_training_it_measures_it(folder: Path, ilwp: Ilwp, monkeypatch):
    config = config_of("short")
    assert ilwp("train", "--profile", "short", "--quiet", "--no-measure").code == 0
    trained = runs.network_path("short", config).parent
    (trained / "epoch-00001.pt").unlink()
    monkeypatch.setattr(runs, "train", Mock(side_effect=AssertionError))
    assert ilwp("train", "--profile", "short", "--quiet", "--no-measure").code == 0
    assert [(s.state, s.note) for s in grid_status("short", load_profile("short"))] == [
        ("stopped", f"trained; next: ilwp measure {trained}")
    ]
    assert ilwp("train", "--profile", "short", "--quiet").code == 0
    assert len(read_record(runs.record_path("short", config)).measurements) == 49


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "trained.json").unlink(), "trained.json could not be read"),
        (lambda folder: (folder / "network.safetensors").unlink(), "network.safetensors could not be read"),
        (lambda folder: (folder / "network.safetensors").write_bytes(b"other"), "does not belong to"),
        (lambda folder: change(folder / "trained.json", profile="../short"), "no profile is called '../short'"),
        (lambda folder: change(folder / "trained.json", recipe=7), "was trained by recipe 7, short has 1 now"),
    ],
)
def test_what_was_not_left_by_training_is_not_measured(folder: Path, ilwp: Ilwp, damage, message: str):
    trained = runs.train_only("short", load_profile("short"), config_of("short"), progress=False)
    damage(trained)
    assert ilwp("measure", trained).refused(message)
    assert not runs.record_path("short", config_of("short")).exists()


def test_a_record_that_cannot_be_written_is_refused_before_it_is_measured(folder: Path, ilwp: Ilwp, monkeypatch):
    trained = runs.train_only("short", load_profile("short"), config_of("short"), progress=False)
    monkeypatch.setattr(measuring, "measure", Mock(side_effect=AssertionError))
    (folder / "file").write_bytes(b"")
    assert ilwp("measure", trained, "-o", folder / "file" / "a.json").refused("could not be written: Not a directory")


def change(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
