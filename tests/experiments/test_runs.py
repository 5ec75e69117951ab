import gc
import json
import math
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from tiny_profile import config_of, without_times

from ilwp.common.errors import IlwpError
from ilwp.door import read_state_dict
from ilwp.experiments import measuring, runs
from ilwp.experiments.profiles import load_profile
from ilwp.experiments.records import RunRecord, kernels_path, read_kernels, read_record, write_record
from ilwp.networks.build import build
from ilwp.paper import bitstream, codec
from ilwp.paper.settings import Settings
from ilwp.training import datasets, train
from ilwp.training.recipe import Epoch, inter_layer_weight

# the command line, with its folders where the test wants them
IN_FOLDER = """
import sys
from pathlib import Path
from ilwp.cli import main
from ilwp.experiments import profiles, runs
profiles.CONFIG = runs.CHECKPOINTS = Path(sys.argv.pop(1))
main.main()
"""
Ilwp = Callable[..., object]
pytestmark = pytest.mark.usefixtures("on_a_cpu")


def results(folder: Path, record: str) -> tuple[RunRecord, bytes, bytes]:
    """What a run leaves: its record without times, its kernels and the whole network."""
    network = runs.network_path("tiny", config_of("tiny"))
    kernels = kernels_path(folder / record)
    return without_times(read_record(folder / record)), kernels.read_bytes(), network.read_bytes()


def wait_for_checkpoint(checkpoints: Path, process: subprocess.Popen[bytes]) -> None:
    while not (checkpoints.is_dir() and any(p.suffix == ".pt" for p in checkpoints.iterdir())):
        assert process.poll() is None
        time.sleep(0.01)


def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_happened(
    folder: Path, ilwp: Ilwp, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(measuring, "SWEEP", measuring.SWEEP[::16])
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
