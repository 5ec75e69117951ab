import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.datasets

from ilwp.common.errors import IlwpError
from ilwp.training import CLASSES
from ilwp.training.datasets import TITLES, Images, batch, batches, draws, load


def numbered(count: int, mirrored: bool = True) -> Images:
    """Images of noise whose labels are their numbers."""
    pixels = torch.randint(1, 256, (count, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return Images(pixels, torch.arange(count), pixels[:2], torch.arange(2), mirrored)


def test_the_digits_are_small_real_images():
    digits = load("digits")
    assert digits.train.shape == (1437, 3, 32, 32)
    assert digits.test.shape == (360, 3, 32, 32)
    assert digits.train.dtype == digits.test.dtype == torch.uint8
    assert (int(digits.train.min()), int(digits.train.max())) == (0, 255)
    assert digits.train_labels.dtype == digits.test_labels.dtype == torch.int64
    assert digits.train_labels.unique().tolist() == digits.test_labels.unique().tolist() == list(range(10))
    assert not digits.mirrored
    # grey, in blocks of 4x4 pixels
    assert torch.equal(digits.train[:, 0], digits.train[:, 2])
    assert torch.equal(digits.train[:, :, ::4, ::4], digits.train[:, :, 3::4, 3::4])


def test_normalised_images_have_mean_zero_and_deviation_one_in_every_channel():
    images = load("digits")
    found = images.normalise(images.train)
    assert found.dtype == torch.float32
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert found.mean((0, 2, 3)).abs().max() < 1e-4
    assert (found.std((0, 2, 3)) - 1).abs().max() < 1e-4
    # the test set is shifted and scaled alike
    assert torch.equal(images.normalise(images.train[:3]), found[:3])


def shift_and_flip(image: torch.Tensor, result: torch.Tensor) -> tuple[int, int, bool] | None:
    """Which of the 81 shifts and their mirror images made `result` of `image`."""
    padded = torch.zeros(3, 40, 40, dtype=torch.uint8)
    padded[:, 4:36, 4:36] = image
    for top in range(9):
        for left in range(9):
            window = padded[:, top : top + 32, left : left + 32]
            for flipped, candidate in ((False, window), (True, window.flip(2))):
                if torch.equal(candidate, result):
                    return top, left, flipped
    return None


@pytest.mark.parametrize("mirrored", [True, False])
def test_augmentation_shifts_by_up_to_four_pixels_and_flips_where_a_mirror_image_keeps_its_class(mirrored: bool):
    images = numbered(100, mirrored)
    drawn = draws(images, 100, seed=1)
    results, labels = batch(images, drawn)
    assert results.shape == images.train.shape
    found = [shift_and_flip(images.train[label], result) for label, result in zip(labels, results, strict=True)]
    assert found == [(top, left, bool(flipped)) for top, left, flipped in drawn[:, 1:].tolist()]
    tops, lefts, flips = (list(part) for part in zip(*found, strict=True))
    assert set(tops) == set(lefts) == set(range(9))
    assert (25 < sum(flips) < 75) if mirrored else not any(flips)


def test_an_epoch_shows_every_image_once_in_an_order_of_its_own():
    images = numbered(25)
    epochs = [list(batches(images, 10, seed)) for seed in (0, 0, 1)]
    assert [len(x) for x, _ in epochs[0]] == [10, 10, 5]
    orders = [torch.cat([y for _, y in epoch]).tolist() for epoch in epochs]
    assert sorted(orders[0]) == sorted(orders[2]) == list(range(25))
    assert orders[0] == orders[1] != orders[2] != list(range(25))
    assert torch.equal(torch.cat([x for x, _ in epochs[0]]), torch.cat([x for x, _ in epochs[1]]))
    for (x, _), (other, _) in zip(epochs[0], epochs[2], strict=True):
        assert not torch.equal(x, other)
    for result, number in zip(*(torch.cat(part) for part in zip(*epochs[0], strict=True)), strict=True):
        assert shift_and_flip(images.train[number], result.to(torch.uint8)) is not None


@pytest.mark.parametrize("count", [25, 7])
def test_a_row_is_drawn_for_each_image_and_batches_follow_the_rows(count: int):
    images = numbered(count)
    drawn = draws(images, 10, seed=3)
    assert drawn.shape == (count, 4)
    parts = [batch(images, rows) for rows in drawn.split(10)]
    for (x, y), (other_x, other_y) in zip(parts, batches(images, 10, seed=3), strict=True):
        assert torch.equal(x, other_x)
        assert torch.equal(y, other_y)


def test_moving_images_where_they_are_moves_nothing():
    images = numbered(3)
    assert images.to(torch.device("cpu")) is images


def test_every_data_set_has_a_title():
    assert list(TITLES) == list(CLASSES)


def test_an_unknown_data_set_is_refused():
    with pytest.raises(IlwpError, match="choose one of cifar10, cifar100, digits"):
        load("mnist")


def test_cifar_is_read_from_the_folder_that_ilwp_data_names(tiny_cifar: Path):
    images = load("cifar10")
    with np.load(tiny_cifar / "cifar10.npz") as arrays:
        np.testing.assert_array_equal(images.train.permute(0, 2, 3, 1), arrays["x_train"])
        np.testing.assert_array_equal(images.test.permute(0, 2, 3, 1), arrays["x_test"])
        assert images.train_labels.tolist() == arrays["y_train"].tolist()
        assert images.test_labels.tolist() == arrays["y_test"].tolist()
    assert images.mirrored


def test_cifar_100_may_have_labels_up_to_99(tiny_cifar: Path):
    with np.load(tiny_cifar / "cifar10.npz") as arrays:
        np.savez(tiny_cifar / "cifar100.npz", **{**arrays, "y_test": np.full(20, 99, np.uint8)})
    assert load("cifar100").test_labels.tolist() == [99] * 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x_train": np.zeros((80, 32, 32, 3), np.float32)}, "no labelled 32x32 colour images in uint8"),
        ({"x_test": np.zeros((20, 3, 32, 32), np.uint8)}, "no labelled 32x32 colour images"),
        ({"y_train": np.zeros(79, np.uint8)}, "no labelled"),
        ({"x_test": np.zeros((0, 32, 32, 3), np.uint8), "y_test": np.zeros(0, np.uint8)}, "no labelled"),
        ({"y_train": np.full(80, 10, np.uint8)}, "labels outside 0 to 9"),
        ({"y_test": np.full(20, -1)}, "labels outside 0 to 9"),
        ({"y_test": np.zeros(20)}, "labels outside 0 to 9"),
        ({"y_test": np.array([print] * 20, object)}, "not a whole CIFAR-10 file"),
        ({"y_test": None}, "not a whole CIFAR-10 file"),
    ],
)
def test_a_file_that_is_no_cifar_is_refused(tiny_cifar: Path, change: dict[str, np.ndarray | None], message: str):
    with np.load(tiny_cifar / "cifar10.npz") as arrays:
        changed = {name: a for name, a in {**arrays, **change}.items() if a is not None}
    np.savez(tiny_cifar / "cifar10.npz", **changed)
    with pytest.raises(IlwpError, match=rf"cifar10.npz .*{message}.*: delete it and run again"):
        load("cifar10")


def test_a_damaged_file_is_refused(tiny_cifar: Path):
    path = tiny_cifar / "cifar10.npz"
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[len(flipped) // 2] ^= 1
    for damaged in (b"", b"PK", content[:1000], content[:-1], bytes(flipped), b"\x93NUMPY" + content):
        path.write_bytes(damaged)
        with pytest.raises(IlwpError, match="not a whole CIFAR-10 file") as refusal:
            load("cifar10")
        assert "pickle" not in str(refusal.value)  # which is what NumPy says of anything else


def test_a_damaged_file_of_compressed_arrays_is_refused_or_read(tiny_cifar: Path):
    path = tiny_cifar / "cifar10.npz"
    np.savez_compressed(path, **dict(np.load(path)))
    content, refused = path.read_bytes(), 0
    for position in range(0, len(content), len(content) // 60):
        path.write_bytes(content[:position] + bytes([content[position] ^ 20]) + content[position + 1 :])
        try:
            load("cifar10")
        except IlwpError as error:
            refused += "delete it and run again" in str(error)
    assert refused > 30
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(IlwpError, match="not a whole CIFAR-10 file"):
        load("cifar10")


def test_without_file_and_network_the_user_learns_what_to_do(image_folder: Path):
    with pytest.raises(
        IlwpError, match=r"CIFAR-100 is neither at .*cifar100.npz nor could it be downloaded.*ILWP_DATA"
    ):
        load("cifar100")
    assert list(image_folder.iterdir()) == []


class Downloaded:
    """What torchvision hands over after a download, without the network."""

    def __init__(self, root: Path, train: bool, download: bool) -> None:
        assert download
        self.data = np.full((3 if train else 2, 32, 32, 3), 7, np.uint8)
        self.targets = [1, 2, 3] if train else [4, 5]


def test_a_download_is_kept(image_folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torchvision.datasets, "CIFAR10", Downloaded)
    first = load("cifar10")
    monkeypatch.undo()
    monkeypatch.setenv("ILWP_DATA", str(image_folder))
    assert [p.name for p in image_folder.iterdir()] == ["cifar10.npz"]
    for images in (first, load("cifar10")):
        assert images.train_labels.tolist() == [1, 2, 3]
        assert images.test_labels.tolist() == [4, 5]
        assert images.test.unique().tolist() == [7]


def test_a_disk_that_fills_up_during_a_download_leaves_nothing_behind(
    image_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(torchvision.datasets, "CIFAR10", Downloaded)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(IlwpError, match=r"cifar10.npz could not be written: No space left"):
        load("cifar10")
    assert list(image_folder.iterdir()) == []
