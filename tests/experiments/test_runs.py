import gc
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from packaging.requirements import Requirement

from ilwp.common.errors import IlwpError
from ilwp.common.paths import ROOT
from ilwp.door import read_state_dict
from ilwp.experiments import measuring, profiles, runs
from ilwp.experiments.profiles import load_profile
from ilwp.experiments.records import RunRecord, kernels_path, read_kernels, read_record, write_record
from ilwp.experiments.status import grid_status
from ilwp.networks.build import build
from ilwp.networks.tensors import arrays, kernels_of, load_kernels
from ilwp.paper import bitstream, codec
from ilwp.paper.settings import Settings
from ilwp.training import datasets, train
from ilwp.training.recipe import Epoch, TrainConfig, inter_layer_weight
from ilwp.training.train import evaluate

TINY = """
recipe: 1
settings: {width: 0.1, epochs: 10, batch_size: 16, learning_rate: 0.05}
grid:
  - {dataset: cifar10, networks: [mobilenet], inter_layer: [1], seeds: [0]}
"""
# the command line, with its folders where the test wants them
IN_FOLDER = """
import sys
from pathlib import Path
from ilwp.cli import main
from ilwp.experiments import measuring, profiles, runs
profiles.CONFIG = runs.CHECKPOINTS = Path(sys.argv.pop(1))
main.main()
"""
Ilwp = Callable[..., object]
pytestmark = pytest.mark.usefixtures("on_a_cpu")


@pytest.fixture
def folder(tmp_path: Path, tiny_cifar: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where profiles, checkpoints and records are."""
    (tmp_path / "tiny.yaml").write_text(TINY)
    (tmp_path / "short.yaml").write_text(TINY.replace("epochs: 10", "epochs: 1"))
    for module, name in ((profiles, "CONFIG"), (runs, "CHECKPOINTS"), (runs, "RUNS")):
        monkeypatch.setattr(module, name, tmp_path)
    return tmp_path


def config_of(profile: str) -> TrainConfig:
    return next(load_profile(profile).cells())


def without_times(record: RunRecord) -> RunRecord:
    return replace(record, seconds=0.0, history=[replace(epoch, seconds=0.0) for epoch in record.history])


def results(folder: Path, record: str) -> tuple[RunRecord, bytes, bytes]:
    """What a run leaves: its record without times, its kernels and the whole network."""
    network = runs.network_path("tiny", config_of("tiny"))
    kernels = kernels_path(folder / record)
    return without_times(read_record(folder / record)), kernels.read_bytes(), network.read_bytes()


def wait_for_checkpoint(checkpoints: Path, process: subprocess.Popen[bytes]) -> None:
    while not (checkpoints.is_dir() and any(p.suffix == ".pt" for p in checkpoints.iterdir())):
        assert process.poll() is None
        time.sleep(0.01)


def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_happened(folder: Path, ilwp: Ilwp):
    config, checkpoints = config_of("tiny"), runs.network_path("tiny", config_of("tiny")).parent
    arguments = ["train", "--profile", "tiny", "--quiet", "-o", str(folder / "killed.json")]
    with subprocess.Popen([sys.executable, "-c", IN_FOLDER, str(folder), *arguments]) as process:
        wait_for_checkpoint(checkpoints, process)
        with pytest.raises(IlwpError, match="another process is training in"):
            train.train(config, datasets.load("cifar10"), checkpoints, progress=False)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not (folder / "killed.json").exists()
    assert ilwp(*arguments).code == 0
    killed = results(folder, "killed.json")

    checkpoints.rename(folder / "elsewhere")
    assert ilwp("train", "--profile", "tiny", "--quiet", "-o", folder / "whole.json").code == 0
    assert results(folder, "whole.json") == killed


def test_control_c_says_how_to_go_on(folder: Path, ilwp: Ilwp):
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    gc.disable()  # an interrupt in one of its callbacks is lost
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        outcome = ilwp("train", "--profile", "tiny", "--quiet")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        gc.enable()
        signal.signal(signal.SIGALRM, handler)
    assert outcome.code == 130
    assert outcome.err.strip() == "ilwp: interrupted; run the same command again to go on"


def test_a_run_leaves_a_record_that_says_what_happened(folder: Path, ilwp: Ilwp):
    outcome = ilwp("train", "--profile", "short", "--seed", 3, "--quiet")
    config = replace(config_of("short"), seed=3)
    path = runs.record_path("short", config)
    record = read_record(path)
    assert (outcome.code, outcome.err) == (0, "")
    assert f"{path}: {record.accuracy:.2f} %" in outcome.out
    assert (record.profile, record.recipe, record.config) == ("short", 1, config)
    assert record.inter_layer_weight == inter_layer_weight(config, 80)
    assert len(record.history) == 1
    assert record.history[-1].accuracy == record.accuracy

    tensors = read_state_dict(runs.network_path("short", config))
    kernels = read_kernels(path)
    for name, layer in kernels.items():
        np.testing.assert_array_equal(layer[:, None], tensors[name])
    assert record.depthwise_weights == sum(k.size for k in kernels.values())
    network = build("mobilenet", 10, 0.1)
    assert record.parameters == sum(p.numel() for p in network.parameters())

    # every method in every bit width, in both loops where there is a loop
    found = {(m.method, m.bits, m.loop): m for m in record.measurements}
    assert len(found) == len(record.measurements) == (4 + 3) * 7
    for (method, bits, loop), measurement in found.items():
        _, rate = bitstream.write_kernel_file(codec.encode_kernels(kernels, Settings(method, bits, loop)))
        assert measurement.rate == rate

    again = ilwp("train", "--profile", "short", "--seed", 3)
    assert again.out == f"{path} is finished already\n"


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


def test_a_run_is_finished_only_if_its_own_recipe_and_settings_made_a_sound_record(folder: Path):
    profile, config = load_profile("short"), config_of("short")
    path = folder / "run.json"
    assert not runs.finished(path, profile, config)
    record = runs.run("short", profile, config, path, progress=False)
    assert runs.finished(path, profile, config)
    assert not runs.finished(path, replace(profile, recipe=2), config)
    assert not runs.finished(path, profile, replace(config, seed=1))
    assert read_record(path) == record
    kernels = kernels_path(path).read_bytes()
    kernels_path(path).write_bytes(kernels[:-1])
    assert not runs.finished(path, profile, config)
    kernels_path(path).write_bytes(kernels)
    assert runs.finished(path, profile, config)
    path.write_bytes(path.read_bytes()[:-10])
    assert not runs.finished(path, profile, config)


def test_a_run_whose_layers_are_tied_is_finished_too(folder: Path, ilwp: Ilwp):
    arguments = ("train", "--profile", "short", "--lambda", "inf", "--quiet")
    assert ilwp(*arguments).code == 0
    path = runs.record_path("short", replace(config_of("short"), inter_layer=math.inf))
    assert json.loads(path.read_text())["config"]["inter_layer"] == "Infinity"
    assert "finished already" in ilwp(*arguments).out
    assert {m.rate.texture for m in read_record(path).measurements if m.method == "ill"} == {0}


def test_a_new_recipe_starts_training_over(folder: Path):
    profile, config = load_profile("short"), config_of("short")
    runs.run("short", profile, config, folder / "run.json", progress=False)
    assert runs.epoch_reached("short", profile, config) == 1
    newer, longer = replace(profile, recipe=2), replace(config, epochs=2)
    assert runs.epoch_reached("short", newer, config) == 0
    # other settings under the old recipe would be refused
    record = runs.run("short", newer, longer, folder / "run.json", progress=False)
    assert (record.recipe, len(record.history)) == (2, 2)
    assert runs.epoch_reached("short", newer, longer) == 2


def test_a_record_of_an_older_recipe_is_made_again(folder: Path, ilwp: Ilwp):
    assert ilwp("train", "--profile", "short", "--quiet").code == 0
    path = runs.record_path("short", config_of("short"))
    made = read_record(path)
    write_record(path, replace(made, recipe=0))
    assert ilwp("train", "--profile", "short", "--quiet").code == 0
    assert read_record(path) == made


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


def change(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_gpus_record_names_the_faster_layout_and_the_pace_of_its_median_epoch():
    history = [Epoch(0.1, 1.0, 0.1, 50.0, seconds) for seconds in (9.0, 2.0, 2.5)]
    execution = runs._execution({"channels last": 10.0, "contiguous": 20.0}, history, 50_000)
    assert (execution.layout, execution.images_per_second) == ("contiguous", 20_000)
    assert not execution.reproducible


def test_layouts_are_probed_once_a_run(folder: Path, monkeypatch: pytest.MonkeyPatch):
    probe = Mock(return_value={"channels last": 1.0, "contiguous": 2.0})
    monkeypatch.setattr(runs, "layout_speeds", probe)
    images, config = Mock(), config_of("short")
    assert runs._layouts(config, images, folder) == {}
    monkeypatch.setattr(runs, "device", lambda: torch.device("cuda"))
    for _ in range(2):
        assert runs._layouts(config, images, folder) == probe.return_value
    assert probe.call_count == 1


# the training commands alone, with its folders where the test wants them
BARE = """
import sys
from pathlib import Path
from ilwp.cli import training
from ilwp.experiments import profiles, runs
profiles.CONFIG = runs.CHECKPOINTS = runs.RUNS = Path(sys.argv.pop(1))
training.main()
"""


def train_with(packages: set[str], folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Train where Python finds these packages and no others."""
    (site := folder / "site").mkdir()
    for name in packages:
        try:
            files = distribution(name).files or []
        except PackageNotFoundError:  # of another platform
            continue
        for top in {file.parts[0] for file in files if file.parts[0] not in ("..", "__pycache__")}:
            if not (site / top).exists():
                (site / top).symlink_to(distribution(name).locate_file(top))
    command = [sys.executable, "-S", "-c", BARE, folder, "train", "--profile", "short", "--quiet", *options]
    environment = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(("options", "unlisted"), [(["--no-measure"], {"bitarray"}), ([], set())], ids=str)
def test_training_needs_only_what_its_requirements_list(folder: Path, options: list[str], unlisted: set[str]):
    lines = (ROOT / "requirements-train.txt").read_text().splitlines()
    listed = {re.match(r"[\w-]+", line)[0] for line in lines if line and not line.startswith("#")}
    allowed = needs("torch") | listed - unlisted
    assert not {"pandas", "constriction", "matplotlib"} & allowed
    done = train_with(allowed, folder, *options)
    assert done.returncode == 0, done.stderr


def test_a_package_that_is_not_listed_would_be_missed(folder: Path):
    assert "No module named 'click'" in train_with({"torch"}, folder).stderr


def needs(package: str) -> set[str]:
    """A package and what it requires here, however indirectly."""
    found, left = set(), [package]
    while left:
        if (name := left.pop().lower().replace("_", "-")) not in found:
            found.add(name)
            try:
                texts = requires(name) or []
            except PackageNotFoundError:  # of another platform
                continue
            wanted = (Requirement(text) for text in texts)
            left += [w.name for w in wanted if not w.marker or w.marker.evaluate({"extra": ""})]
    return found
