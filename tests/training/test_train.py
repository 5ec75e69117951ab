import math
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from short_training import SMALL, outcome
from torch import nn

from ilwp.common.errors import IlwpError
from ilwp.networks.build import build
from ilwp.networks.tensors import arrays, kernels_of
from ilwp.paper.codec import residuals
from ilwp.training import datasets
from ilwp.training.devices import device
from ilwp.training.train import SAVED_EVERY, evaluate, train

LAMBDAS = [0.0, 1.0, math.inf]


def checkpoints(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix == ".pt")


def test_training_learns_and_its_history_says_so(images: datasets.Images, tmp_path: Path):
    config = replace(SMALL, inter_layer=0.0, epochs=16, batch_size=8, schedule="one-cycle")
    network, history = train(config, images, tmp_path, progress=False)
    assert [e.learning_rate for e in history] == [config.rate(10 * epoch + 9, 10) for epoch in range(16)]
    # guessing has a loss of log 10 and is right in 10 %
    assert history[-1].loss < 0.8 * np.log(10)
    assert history[-1].accuracy >= 20
    assert history[-1].accuracy == evaluate(network, images)
    assert not network.training


def test_the_inter_layer_loss_pulls_neighbours_together(images: datasets.Images, tmp_path: Path):
    ends = []
    for inter_layer in (0.0, 0.1, 1.0):
        config = replace(SMALL, inter_layer=inter_layer)
        _, history = train(config, images, tmp_path / str(inter_layer), progress=False)
        ends.append(history[-1].inter_layer_loss)
    assert ends[0] > ends[1] > ends[2] > 0


@pytest.mark.parametrize("network", ["mobilenet", "mobilenetv2", "shufflenet", "shufflenetv2"])
def test_tied_layers_have_no_residual_after_training(network, images: datasets.Images, tmp_path: Path):
    config = replace(SMALL, network=network, inter_layer=math.inf, epochs=1)
    trained, history = train(config, images, tmp_path, progress=False)
    assert all((r == 0).all() for r in residuals(kernels_of(trained), "ill"))
    assert history[0].inter_layer_loss == 0
    fresh = build(network, 10, config.width, config.seed)
    assert list(arrays(trained)) == list(arrays(fresh))
    first = next(iter(kernels_of(fresh)))
    assert (kernels_of(trained)[first] != kernels_of(fresh)[first]).any()


@pytest.mark.usefixtures("on_a_cpu")
@pytest.mark.parametrize("inter_layer", LAMBDAS)
def test_going_on_from_any_checkpoint_ends_in_the_same_bits(
    inter_layer: float, images: datasets.Images, tmp_path: Path
):
    config = replace(SMALL, inter_layer=inter_layer)
    whole = outcome(config, images, tmp_path / "whole")
    assert len(checkpoints(tmp_path / "whole")) == 2
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    checkpoints(tmp_path / "cut")[-1].unlink()
    torch.manual_seed(99)
    for folder in ("cut", "whole", "again"):
        assert outcome(config, images, tmp_path / folder) == whole


@pytest.mark.usefixtures("on_a_cpu")
def test_where_only_every_other_epoch_is_saved_the_last_one_is_too(
    images: datasets.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(SAVED_EVERY, "cpu", 2)
    whole = outcome(replace(SMALL, epochs=5), images, tmp_path)
    assert [path.name for path in checkpoints(tmp_path)] == ["epoch-00004.pt", "epoch-00005.pt"]
    checkpoints(tmp_path)[-1].unlink()
    assert outcome(replace(SMALL, epochs=5), images, tmp_path) == whole


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("layout", ["channels last", "contiguous"])
def test_a_gpus_run_goes_on_in_the_same_place(layout, images: datasets.Images, tmp_path: Path):
    config = replace(SMALL, epochs=SAVED_EVERY["cuda"] + 1)
    _, first = train(config, images, tmp_path, progress=False, layout=layout)
    checkpoints(tmp_path)[-1].unlink()
    other = "contiguous" if layout == "channels last" else "channels last"
    network, second = train(config, images, tmp_path, progress=False, layout=other)
    assert second[:-1] == first[:-1]
    assert second[-1].loss == pytest.approx(first[-1].loss, rel=0.2)
    assert next(network.parameters()).is_cuda


def test_another_seed_ends_in_other_bits(images: datasets.Images, tmp_path: Path):
    ends = [outcome(replace(SMALL, seed=s, epochs=1), images, tmp_path / str(s))[0] for s in (0, 1)]
    assert ends[0] != ends[1]


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"flipped": bytes(content), "cut": bytes(content[:-100]), "empty": b""}[how])


@pytest.mark.usefixtures("on_a_cpu")
@pytest.mark.parametrize("how", ["flipped", "cut", "empty"])
def test_a_damaged_checkpoint_makes_way_for_the_one_before(how: str, images: datasets.Images, tmp_path: Path):
    whole = outcome(SMALL, images, tmp_path)
    damage(checkpoints(tmp_path)[-1], how)
    with pytest.warns(UserWarning, match=r"epoch-00003.pt is damaged"):
        assert outcome(SMALL, images, tmp_path) == whole
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert outcome(SMALL, images, tmp_path) == whole


@pytest.mark.usefixtures("on_a_cpu")
def test_where_all_checkpoints_are_damaged_training_starts_over(images: datasets.Images, tmp_path: Path):
    config = replace(SMALL, epochs=1)
    whole = outcome(config, images, tmp_path)
    damage(checkpoints(tmp_path)[0], "flipped")
    with pytest.warns(UserWarning, match="damaged"):
        assert outcome(config, images, tmp_path) == whole


@pytest.mark.parametrize("change", [{"seed": 1}, {"epochs": 4}, {"inter_layer": 0.5}, {"width": 0.2}], ids=str)
def test_a_folder_of_another_run_is_refused_and_kept(change, images: datasets.Images, tmp_path: Path):
    train(replace(SMALL, epochs=1), images, tmp_path, progress=False)
    before = {path: path.read_bytes() for path in checkpoints(tmp_path)}
    with pytest.raises(IlwpError, match="holds a run with other settings"):
        train(replace(SMALL, **{"epochs": 1} | change), images, tmp_path, progress=False)
    assert {path: path.read_bytes() for path in checkpoints(tmp_path)} == before


def test_a_loss_that_is_no_number_ends_the_run_in_one_line(images: datasets.Images, tmp_path: Path):
    config = replace(SMALL, inter_layer=1e36, learning_rate=10)
    with pytest.raises(IlwpError, match=r"^the loss became (nan|inf): lower the learning rate or lambda$"):
        train(config, images, tmp_path, progress=False)
    assert checkpoints(tmp_path) == []


class Brightness(nn.Module):
    """Says class 1 of bright images and class 0 of dark ones, but in training mode nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bright = self.slope * x.mean((1, 2, 3))
        return torch.stack([-bright, bright], dim=1) * (not self.training)


def test_accuracy_is_the_share_of_right_answers_in_percent():
    bright = torch.arange(1200) % 3 == 0
    pixels = torch.where(bright, 200, 50).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 32, 32)
    labels = bright.long()
    labels[:12] = 1 - labels[:12]
    images = datasets.Images(pixels[:300], labels[:300], pixels, labels, mirrored=True)
    assert evaluate(Brightness().train(), images) == 99


def test_asking_for_a_device_leaves_the_number_of_threads_alone():
    torch.set_num_threads(2)
    device()
    assert torch.get_num_threads() == 2


def test_one_thread_does_the_work(images: datasets.Images, tmp_path: Path):
    torch.set_num_threads(2)
    train(replace(SMALL, epochs=1), images, tmp_path, progress=False)
    assert torch.get_num_threads() == 1


def test_training_shows_its_progress_only_when_asked(images: datasets.Images, tmp_path: Path, capsys):
    train(replace(SMALL, epochs=1), images, tmp_path / "quiet", progress=False)
    assert capsys.readouterr() == ("", "")
    train(replace(SMALL, epochs=1), images, tmp_path / "shown", progress=True)
    assert "3/3 batches" in capsys.readouterr().err


def test_weights_that_training_leaves_are_float32_numbers(images: datasets.Images, tmp_path: Path):
    network, _ = train(replace(SMALL, epochs=1), images, tmp_path, progress=False)
    for layer in kernels_of(network).values():
        assert layer.dtype == np.float32
        assert np.isfinite(layer).all()
