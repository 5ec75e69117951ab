import itertools
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ilwp.codebooks import weight_fixing
from ilwp.codebooks.finetuning import FinetuningMethod, Tuning, finetune
from ilwp.codebooks.methods import AdditiveQuantization, WeightFixing
from ilwp.common.errors import IlwpError
from ilwp.common.files import PART
from ilwp.networks.build import build
from ilwp.networks.tensors import arrays
from ilwp.training import datasets
from ilwp.training.train import evaluate

TUNING = Tuning(epochs=0.5, learning_rate=1e-3, batch_size=20)


def with_dropout() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3, stride=4)), nn.Flatten(), nn.Dropout(0.5), nn.Linear(256, 10))


METHODS: dict[str, Callable[[], FinetuningMethod]] = {
    "none": lambda: FinetuningMethod(build("mobilenet", 10, 0.1), 3),
    "weight fixing": lambda: WeightFixing(build("mobilenet", 10, 0.1), 0.05),
    "dropout": lambda: FinetuningMethod(with_dropout(), 3),
    "additive": lambda: AdditiveQuantization(build("mobilenet", 10, 0.1), 3, 2, 4, 4, True),
}


@pytest.fixture
def images(tiny_cifar: Path) -> datasets.Images:
    return datasets.load("cifar10")


def outcome(make: Callable[[], FinetuningMethod], images: datasets.Images, folder: Path) -> tuple[object, ...]:
    method = make()
    history = finetune(method, TUNING, images, folder, progress=False)
    coded = [s.codes.tobytes() for s in method.coded()] if hasattr(method, "coded") else []
    return (
        {n: t.tobytes() for n, t in arrays(method.network).items()},
        [replace(r, seconds=0.0) for r in history],
        coded,
    )


@pytest.mark.parametrize("name", METHODS)
def test_going_on_from_any_round_ends_in_the_same_bits(name: str, images: datasets.Images, tmp_path: Path):
    whole = outcome(METHODS[name], images, tmp_path / "whole")
    kept = sorted((tmp_path / "whole").glob("*.pt"))
    assert len(kept) == 2
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    (tmp_path / "cut" / kept[-1].name).unlink()
    torch.manual_seed(99)
    for folder in ("cut", "whole"):
        assert outcome(METHODS[name], images, tmp_path / folder) == whole


def test_a_round_sees_its_part_of_the_images(images: datasets.Images, tmp_path: Path):
    for epochs, seen in ((0.5, 40), (1, 80), (2.5, 200), (0.001, 20)):
        method = FinetuningMethod(build("mobilenet", 10, 0.1), 1)
        tuning = replace(TUNING, epochs=epochs)
        assert finetune(method, tuning, images, tmp_path / str(epochs), progress=False)[0].images == seen


def test_a_folder_of_another_run_is_refused(images: datasets.Images, tmp_path: Path):
    finetune(METHODS["none"](), TUNING, images, tmp_path, progress=False)
    others = [
        (METHODS["weight fixing"](), TUNING, images),
        (METHODS["none"](), replace(TUNING, seed=1), images),
        (FinetuningMethod(build("mobilenet", 10, 0.1, seed=1), 3), TUNING, images),
        (METHODS["none"](), TUNING, replace(images, train=images.train.flip(0))),
        (METHODS["none"](), TUNING, replace(images, train_labels=images.train_labels.flip(0))),
    ]
    for method, tuning, seen in others:
        with pytest.raises(IlwpError, match="holds a run with other settings"):
            finetune(method, tuning, seen, tmp_path, progress=False)


def test_a_loss_that_is_no_number_ends_in_one_line(images: datasets.Images, tmp_path: Path):
    class Diverging(FinetuningMethod):
        def logits(self, x: torch.Tensor) -> torch.Tensor:
            return super().logits(x) * torch.inf

    method = Diverging(build("mobilenet", 10, 0.1), 3)
    with pytest.raises(IlwpError, match=r"^the loss became nan: lower the learning rate$"):
        finetune(method, TUNING, images, tmp_path, progress=False)
    assert not list(tmp_path.glob("*.pt"))


def test_what_a_killed_write_left_is_swept_away(images: datasets.Images, tmp_path: Path):
    left = tmp_path / f".epoch-00001.pt.abc{PART}"
    left.write_bytes(b"half")
    finetune(FinetuningMethod(build("mobilenet", 10, 0.1), 1), TUNING, images, tmp_path, progress=False)
    assert not left.exists()


def test_a_network_that_returns_more_than_logits_in_training_is_refused(images: datasets.Images, tmp_path: Path):
    class WithHead(FinetuningMethod):
        def logits(self, x: torch.Tensor) -> torch.Tensor:
            return super().logits(x), x

    class Unflattened(FinetuningMethod):
        def logits(self, x: torch.Tensor) -> torch.Tensor:
            return super().logits(x)[:, :, None, None]

    for method in (WithHead, Unflattened):
        with pytest.raises(IlwpError, match="returns no logits"):
            finetune(method(build("mobilenet", 10, 0.1), 1), TUNING, images, tmp_path, progress=False)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", METHODS)
def test_a_network_that_did_not_train_is_refused(name: str, bad: float, images: datasets.Images, tmp_path: Path):
    method = METHODS[name]()
    next(method.network.parameters()).data[0] = bad
    with pytest.raises(IlwpError, match=r"^0.0.weight holds NaN or infinite"):
        finetune(method, TUNING, images, tmp_path, progress=False)


def test_weight_fixing_ends_with_all_weights_and_biases_fixed(images: datasets.Images, tmp_path: Path):
    method = METHODS["weight fixing"]()
    history = finetune(method, TUNING, images, tmp_path, progress=False)
    shares = [done.notes["fixed"] for done in history]
    assert all(share >= wanted for share, wanted in zip(shares, weight_fixing.SHARES, strict=True))
    tensors = arrays(method.network)
    (found,) = method.coded()
    pooled = {name for name, t in tensors.items() if t.ndim > 1} | {"14.2.bias"}
    assert set(found.shapes) == pooled
    for name, tensor in found.tensors().items():
        np.testing.assert_array_equal(tensor, tensors[name])
    assert len(found.books[0]) == history[-1].notes["values"] < 200


def test_a_fixed_weight_never_moves_again_while_others_do(images: datasets.Images, tmp_path: Path):
    method = METHODS["weight fixing"]()
    before, states = arrays(method.network), []

    class Watched(type(method)):  # type: ignore[misc]
        def start(self, number: int) -> dict[str, float]:
            notes = super().start(number)
            states.append((arrays(self.network), {n: m.numpy().copy() for n, m in self.fixed.items()}))
            return notes

    method.__class__ = Watched
    finetune(method, TUNING, images, tmp_path, progress=False)
    moved = 0
    for (earlier, fixed), (later, _) in itertools.pairwise(states):
        for name, mask in fixed.items():
            np.testing.assert_array_equal(earlier[name][mask], later[name][mask])
            moved += int((earlier[name][~mask] != later[name][~mask]).sum())
    assert moved > 0
    assert any((before[n] != t).any() for n, t in arrays(method.network).items() if "running" in n)


def test_additive_quantization_trains_codebooks_and_keeps_codes(images: datasets.Images, tmp_path: Path):
    method = METHODS["additive"]()
    before = arrays(method.network)
    method.start(0)
    learned = method.coded()[0]
    finetune(method, TUNING, images, tmp_path, progress=False)
    (found,) = method.coded()
    assert sorted(map(tuple, found.codes.tolist())) == sorted(map(tuple, learned.codes.tolist()))
    assert any((a != b).any() for a, b in zip(found.books, learned.books, strict=True))
    tensors = arrays(method.network)
    assert set(found.shapes) == {name for name, t in before.items() if t.ndim > 1}
    for name, tensor in found.tensors().items():
        np.testing.assert_array_equal(tensor, tensors[name])


def test_what_is_not_trained_is_not_put_into_codebooks(images: datasets.Images, tmp_path: Path):
    network = build("mobilenet", 10, 0.1)
    network.register_buffer("position", torch.ones(2, 3))
    method = AdditiveQuantization(network, 1, 2, 4, 4, True)
    finetune(method, TUNING, images, tmp_path, progress=False)
    assert not any("position" in s.shapes for s in method.coded())


def test_reading_weights_from_codebooks_computes_what_the_decoded_network_does(images: datasets.Images):
    method = METHODS["additive"]()
    method.start(0)
    x = images.normalise(images.test)
    method.network.eval()
    with torch.no_grad():
        read = method.logits(x)
        method.settle()
        torch.testing.assert_close(method.network(x), read)


def test_fine_tuning_lowers_the_loss_of_a_coarsely_quantized_network(images: datasets.Images, tmp_path: Path):
    torch.manual_seed(0)
    small = [nn.Conv2d(3, 16, 4, 4), nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    method = AdditiveQuantization(nn.Sequential(*small, nn.Linear(16, 10)), 2, 2, 3, 4, True)
    tuning = replace(TUNING, epochs=10, learning_rate=0.03)
    history = finetune(method, tuning, images, tmp_path, progress=False)
    assert history[-1].loss < 0.9 * history[0].loss
    assert history[-1].accuracy == evaluate(method.network, images)
