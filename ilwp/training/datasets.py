"""CIFAR-10, CIFAR-100 and scikit-learn's bundled digits as uint8 tensors, and augmented batches of them.

    load(name) -> Images -> draws(...) -> batch(...) -> (uint8 images, int64 labels)

CIFAR is read from `<folder>/<name>.npz` (`paths.images_folder`), which is written once from
torchvision's download where it is missing. The NPZ holds x_train, x_test (n, 32, 32, 3) uint8 and
y_train, y_test (n,) uint8.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from ilwp.common.errors import IlwpError, one_line
from ilwp.common.files import atomic_write, check_writable
from ilwp.common.npz_files import read_npz
from ilwp.common.paths import images_folder
from ilwp.training import CLASSES

SIDE = 32
PADDING = 4
TITLES = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "digits": "Digits"}
DIGITS_TRAIN = 1437  # of 1,797: the first four fifths, as in scikit-learn's own examples


@dataclass(frozen=True)
class Images:
    """One data set: images (n, 3, 32, 32) uint8, labels (n,) int64, and whether a mirror image keeps its class.

    All lie on one device, also `mean` and `deviation` (1, 3, 1, 1), which are those of the training set's channels.
    """

    train: torch.Tensor
    train_labels: torch.Tensor
    test: torch.Tensor
    test_labels: torch.Tensor
    mirrored: bool
    mean: torch.Tensor = field(init=False)
    deviation: torch.Tensor = field(init=False)

    def __post_init__(self) -> None:
        # integer sums are exact, so the result depends on neither the order nor the number of threads
        counts = [torch.bincount(self.train[:, c].flatten(), minlength=256) for c in range(3)]
        values = torch.arange(256, device=self.train.device)
        total = self.train[:, 0].numel()
        mean = torch.stack([(n * values).sum() for n in counts]) / total
        square = torch.stack([(n * values**2).sum() for n in counts]) / total
        deviation = (square - mean**2).sqrt()
        object.__setattr__(self, "mean", mean.view(1, 3, 1, 1))
        object.__setattr__(self, "deviation", deviation.view(1, 3, 1, 1))

    def to(self, device: torch.device) -> "Images":
        """The same data set on a device, this one where it lies there already."""
        if self.train.device.type == device.type:
            return self
        train, test = self.train.to(device), self.test.to(device)
        return Images(train, self.train_labels.to(device), test, self.test_labels.to(device), self.mirrored)

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """Float32 with zero mean and unit deviation a channel over the training set, stored channels last."""
        scaled = (images.float() - self.mean) / self.deviation
        return scaled.contiguous(memory_format=torch.channels_last)


def load(name: str) -> Images:
    """The data set called `name`; raises IlwpError where it can be neither read nor downloaded."""
    if name not in CLASSES:
        raise IlwpError(f"no data set is called {name!r}: choose one of {', '.join(CLASSES)}")
    arrays = _digits() if name == "digits" else _cifar(name)
    x_train, y_train, x_test, y_test = (torch.from_numpy(np.ascontiguousarray(a)) for a in arrays)
    return Images(
        train=x_train.permute(0, 3, 1, 2).contiguous(),
        train_labels=y_train.long(),
        test=x_test.permute(0, 3, 1, 2).contiguous(),
        test_labels=y_test.long(),
        mirrored=name != "digits",
    )


def read_cifar(name: str, path: Path) -> tuple[np.ndarray, ...]:
    """x_train, y_train, x_test, y_test of the NPZ at `path`; raises IlwpError where it is no whole data set `name`."""
    if name not in TITLES or name == "digits":
        raise IlwpError(f"{path} is named after no CIFAR: name it cifar10.npz or cifar100.npz")
    if not path.exists():
        raise IlwpError(f"{path} could not be read: there is no such file")
    try:
        arrays = read_npz(path)
        x_train, y_train, x_test, y_test = (arrays[key] for key in ("x_train", "y_train", "x_test", "y_test"))
    except (IlwpError, KeyError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else error
        raise IlwpError(f"{path} is not a whole {TITLES[name]} file ({what}): delete it and run again") from error
    for x, y in ((x_train, y_train), (x_test, y_test)):
        if x.dtype != np.uint8 or x.shape[1:] != (SIDE, SIDE, 3) or y.shape != (len(x),) or not len(x):
            raise IlwpError(f"{path} holds no labelled 32x32 colour images in uint8: delete it and run again")
        if y.dtype.kind not in "ui" or not 0 <= int(y.min()) <= int(y.max()) < CLASSES[name]:
            raise IlwpError(f"{path} has labels outside 0 to {CLASSES[name] - 1}: delete it and run again")
    return x_train, y_train, x_test, y_test


def write_cifar(path: Path, x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray, y_test: np.ndarray) -> None:
    """Write the NPZ that `read_cifar` reads, whole or not at all."""
    content = io.BytesIO()
    np.savez(content, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    atomic_write(path, content.getvalue())


def augment(images: torch.Tensor, top: torch.Tensor, left: torch.Tensor, flipped: torch.Tensor) -> torch.Tensor:
    """A 32x32 window of each image (n, 3, 32, 32) in a black border of 4 pixels, mirrored where `flipped`.

    `top` and `left` (n,) int64 from 0 to 8 say where in the bordered image the window begins; `flipped` (n,) is bool.
    """
    n, where = len(images), images.device
    padded = torch.nn.functional.pad(images, (PADDING,) * 4)
    rows = top[:, None] + torch.arange(SIDE, device=where)  # (n, 32)
    columns = left[:, None] + torch.arange(SIDE, device=where)  # (n, 32)
    columns = torch.where(flipped[:, None], columns.flip(1), columns)
    # the advanced indices surround a slice, so they come first: (n, 32, 32, 3)
    cropped = padded[torch.arange(n, device=where)[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return cropped.permute(0, 3, 1, 2)


def draws(images: Images, batch_size: int, seed: int) -> torch.Tensor:
    """The order and augmentation of one epoch, fixed by `seed`: one row per image, split into batches in this order.

    (n, 4) int64 on the CPU: which image, `top` and `left` of `augment`, and 1 where it is flipped. The numbers are
    drawn on the CPU whatever device trains, so that one seed shows the same images everywhere.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = []
    for chosen in torch.split(torch.randperm(len(images.train), generator=generator), batch_size):
        top, left = torch.randint(0, 2 * PADDING + 1, (2, len(chosen)), generator=generator)
        flipped = torch.zeros(len(chosen), dtype=torch.bool)
        if images.mirrored:
            flipped = torch.rand(len(chosen), generator=generator) < 0.5
        drawn.append(torch.stack([chosen, top, left, flipped.long()], dim=1))
    return torch.cat(drawn)


def batch(images: Images, drawn: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The augmented images (b, 3, 32, 32) uint8 and labels (b,) of rows of `draws`, which lie beside `images`."""
    chosen, top, left, flipped = drawn.unbind(1)
    return augment(images.train[chosen], top, left, flipped > 0), images.train_labels[chosen]


def batches(images: Images, batch_size: int, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """One epoch in an order and with an augmentation fixed by `seed`: images, as in `Images`, and labels."""
    for drawn in torch.split(draws(images, batch_size, seed), batch_size):
        yield batch(images, drawn)


def _digits() -> tuple[np.ndarray, ...]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    pixels = pixels.repeat(SIDE // 8, axis=1).repeat(SIDE // 8, axis=2)
    x, y = np.stack([pixels] * 3, axis=-1), digits.target.astype(np.uint8)
    return x[:DIGITS_TRAIN], y[:DIGITS_TRAIN], x[DIGITS_TRAIN:], y[DIGITS_TRAIN:]


def _cifar(name: str) -> tuple[np.ndarray, ...]:
    path = images_folder() / f"{name}.npz"
    if not path.exists():
        _download(name, path)
    return read_cifar(name, path)


def _download(name: str, path: Path) -> None:
    from torchvision.datasets import CIFAR10, CIFAR100

    source = CIFAR10 if name == "cifar10" else CIFAR100
    try:
        check_writable(path)
        train, test = (source(path.parent, train=part, download=True) for part in (True, False))
    except (IlwpError, OSError, RuntimeError) as error:
        raise IlwpError(
            f"{TITLES[name]} is neither at {path} nor could it be downloaded ({one_line(error)}): connect to the "
            f"internet and run again, or put {path.name} (x_train, y_train, x_test, y_test) into the folder that "
            "ILWP_DATA names"
        ) from error
    write_cifar(path, train.data, np.asarray(train.targets, np.uint8), test.data, np.asarray(test.targets, np.uint8))
