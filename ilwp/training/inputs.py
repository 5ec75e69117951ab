"""Images to try a network with: a folder of pictures, an array in a file, or a data set by name.

    source -> load_inputs -> Inputs -> batches(...), array() -> float32 (n, c, h, w)

With a side, the shorter side of each image is resized to it (bilinear, smoothed) and the centre is cut out. Numbers in
uint8 are divided by 255 and normalised; those in floating point are taken as they are.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch.nn.functional import interpolate

from ilwp.common.errors import IlwpError, about
from ilwp.common.npz_files import read_npz
from ilwp.common.tensor_files import read_tensors
from ilwp.training import CLASSES, datasets

IMAGENET_COLOURS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and deviation, as most networks want them
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm"}
PICTURES_SIDE = 224
BATCH, MOST_NUMBERS = 50, 1 << 26
Split = Literal["train", "test"]


_data_set = cache(datasets.load)


@dataclass(frozen=True)
class Inputs:
    """Images as an array (n, c, h, w) uint8 or floating point, or as the files they are in; labels (n,) if known."""

    images: torch.Tensor | list[Path]
    side: int | None
    normalisation: str
    labels: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.images)

    def every_other(self, first: int) -> "Inputs":
        """Half of the images, those at `first`, `first` + 2 and so on."""
        labels = None if self.labels is None else self.labels[first::2]
        return replace(self, images=self.images[first::2], labels=labels)

    def batches(self, count: int) -> Iterator[torch.Tensor]:
        """All images, `count` at a time, as a network takes them; raises IlwpError for a file that is no picture."""
        for start in range(0, len(self), count):
            part = self.images[start : start + count]
            if isinstance(part, torch.Tensor):
                resized = _resized(part, self.side)
                yield _normalised(resized, self.normalisation) if part.dtype == torch.uint8 else resized.contiguous()
            else:
                pictures = [_resized(_picture(path)[None], self.side) for path in part]
                yield _normalised(torch.cat(pictures), self.normalisation)

    def array(self) -> np.ndarray:
        """All images float32 (n, c, h, w), or as many as fit into `MOST_NUMBERS`; errors are those of `batches`."""
        found: list[torch.Tensor] = []
        for batch in self.batches(BATCH):
            found.append(batch)
            if (len(found) + 1) * found[0].numel() > MOST_NUMBERS:
                break
        whole: np.ndarray = torch.cat(found).numpy()
        return whole


def load_inputs(
    source: str, limit: int, side: int | None = None, normalisation: str | None = None, part: Split = "test"
) -> Inputs:
    """At most `limit` images of a folder, an `.npz` or `.safetensors` file, or a `part` of a data set.

    Pictures in a folder are taken in the order of their names, 224 pixels wide unless `side` says otherwise; images of
    a data set are a fixed choice. Without `normalisation` it is the data set's own, else ImageNet's. Labels are those
    of a data set, or the one array (n,) of integers beside the images in a file. Raises IlwpError where there are no
    images.
    """
    path = Path(source)
    if source in CLASSES:
        loaded = _data_set(source)
        images, classes = (loaded.train, loaded.train_labels) if part == "train" else (loaded.test, loaded.test_labels)
        some = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:limit]
        return Inputs(images[some], side, normalisation or source, classes[some])
    if path.is_dir():
        pictures = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        if not pictures:
            raise IlwpError(f"{path} holds no pictures ({', '.join(sorted(SUFFIXES))})")
        return Inputs(pictures[:limit], side or PICTURES_SIDE, normalisation or "imagenet")
    if path.suffix not in (".npz", ".safetensors"):
        named = ", ".join(CLASSES)
        raise IlwpError(f"{path} is no folder of pictures, .npz or .safetensors file, and none of {named}")
    with about(path):
        images, labels = _arrays(path)
        return Inputs(images[:limit], side, normalisation or "imagenet", None if labels is None else labels[:limit])


def _arrays(path: Path) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The one array of images in a file, (n, c, h, w), and labels (n,) int64 where one array beside it holds some."""
    arrays = read_tensors(path) if path.suffix == ".safetensors" else read_npz(path)
    images = {name: a for name, a in arrays.items() if a.ndim == 4 and (a.dtype == np.uint8 or a.dtype.kind == "f")}
    if len(images) != 1:
        raise IlwpError(
            f"it holds {len(images)} arrays of images (n, 3, h, w) or (n, h, w, 3) in uint8 or floating point: give one"
        )
    (array,) = images.values()
    if not array.size:
        raise IlwpError("its array of images is empty")
    if array.shape[1] not in (1, 3) and array.shape[3] in (1, 3):
        array = array.transpose(0, 3, 1, 2)
    labels = [a for a in arrays.values() if a.dtype.kind in "iu" and a.shape == (len(array),)]
    numbers = np.ascontiguousarray(array if array.dtype == np.uint8 else array.astype(np.float32))
    return torch.from_numpy(numbers), torch.from_numpy(labels[0].astype(np.int64)) if len(labels) == 1 else None


def _picture(path: Path) -> torch.Tensor:
    """A picture (3, h, w) uint8."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB"))
    except Exception as error:  # a damaged picture makes its readers stumble in any way
        raise IlwpError(f"{path} is no picture that can be read: take it out of the folder") from error
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)


def _resized(images: torch.Tensor, side: int | None) -> torch.Tensor:
    """Float32 images (n, c, side, side) of the same range, or of their own size without a side."""
    whole = images.float()
    height, width = whole.shape[2:]
    if side is not None and (height, width) != (side, side):
        scale = side / min(height, width)
        size = [max(side, round(length * scale)) for length in (height, width)]
        whole = interpolate(whole, size, mode="bilinear", antialias=True)
        top, left = ((length - side) // 2 for length in size)
        whole = whole[:, :, top : top + side, left : left + side]
    return whole


def _normalised(images: torch.Tensor, normalisation: str) -> torch.Tensor:
    """Pixels from 0 to 255 as a network takes them."""
    if normalisation == "none" or images.shape[1] != 3:
        return (images / 255).contiguous()
    if normalisation in CLASSES:
        return _data_set(normalisation).normalise(images)
    mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in IMAGENET_COLOURS)
    return (images / 255 - mean) / deviation
