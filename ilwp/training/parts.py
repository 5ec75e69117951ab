"""A CIFAR file in lossless parts of at most 40 MB, for a machine that can only be handed small files.

    pack_dataset(cifar10.npz, folder)  -> cifar10.parts.json, cifar10.part0 ...
    unpack_dataset(cifar10.parts.json) -> cifar10.npz

The listing holds the SHA-256 of every part and of the four arrays. Joined, the parts are one LZMA stream of the images'
residuals and the labels: red and blue are predicted from green, then each pixel as left + above - above left, all
modulo 256, and channels are stored one after the other.
"""

import hashlib
import lzma
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ilwp.common.errors import IlwpError, about, first_problem
from ilwp.common.files import atomic_write, read_bytes
from ilwp.common.paths import images_folder
from ilwp.training import datasets

LIMIT = 40_000_000  # bytes a part
# residuals have no structure in bytes that lie far apart
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 0, "lp": 0, "pb": 0}]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern="^[a-z0-9]+$")]


@dataclass(frozen=True, config={"extra": "forbid"})
class Listing:
    """What belongs together: the data set's name, its numbers of images, and the SHA-256 of its parts and arrays."""

    dataset: Name
    train: Annotated[int, Field(gt=0, le=1_000_000)]
    test: Annotated[int, Field(gt=0, le=1_000_000)]
    parts: Annotated[list[Digest], Field(min_length=1)]
    arrays: Digest


def pack_dataset(file: Path, folder: Path, limit: int = LIMIT) -> list[Path]:
    """Write the data set in `file` into `folder` as parts of at most `limit` bytes and their listing.

    Returns what was written. Raises IlwpError where the file is no CIFAR.
    """
    arrays = datasets.read_cifar(file.stem, file)
    x_train, y_train, x_test, y_test = (np.ascontiguousarray(a, np.uint8) for a in arrays)
    stream = b"".join(a.tobytes() for a in (_residuals(x_train), _residuals(x_test), y_train, y_test))
    packed = lzma.compress(stream, format=lzma.FORMAT_XZ, filters=FILTERS)
    cut = [packed[start : start + limit] for start in range(0, len(packed), limit)]
    digest = _digest(x_train, y_train, x_test, y_test)
    listing = Listing(file.stem, len(x_train), len(x_test), [hashlib.sha256(p).hexdigest() for p in cut], digest)
    paths = [folder / f"{file.stem}.part{number}" for number in range(len(cut))]
    for path, part in zip(paths, cut, strict=True):
        atomic_write(path, part)
    paths.append(folder / f"{file.stem}.parts.json")
    atomic_write(paths[-1], TypeAdapter(Listing).dump_json(listing, indent=1) + b"\n")
    return paths


def unpack_dataset(listing_file: Path) -> Path:
    """Put the parts beside a listing together as the NPZ that `datasets.load` reads; where it is.

    Raises IlwpError where a part or the whole is not what was packed.
    """
    content = read_bytes(listing_file)
    with about(listing_file):
        try:
            listing = TypeAdapter(Listing).validate_json(content)
        except ValidationError as error:
            raise IlwpError(f"this is no listing of parts: {first_problem(error)}") from error
    packed = b"".join(_part(listing_file, listing, number) for number in range(len(listing.parts)))
    pixels = datasets.SIDE * datasets.SIDE * 3
    length = (listing.train + listing.test) * (pixels + 1)
    try:
        # no more than there should be, whatever the stream says
        stream = lzma.LZMADecompressor(format=lzma.FORMAT_XZ).decompress(packed, max_length=length + 1)
    except lzma.LZMAError as error:
        raise IlwpError(f"the parts of {listing_file} are no LZMA stream ({error}): copy them again") from error
    if len(stream) != length:
        raise IlwpError(f"the parts of {listing_file} hold another number of images: copy them again")
    values = np.frombuffer(stream, np.uint8)
    bounds = np.cumsum([listing.train * pixels, listing.test * pixels, listing.train])
    train, test, y_train, y_test = np.split(values, bounds)
    x_train, x_test = _pixels(train), _pixels(test)
    if _digest(x_train, y_train, x_test, y_test) != listing.arrays:
        raise IlwpError(f"the images of {listing_file} are not those that were packed: pack them again")
    path = images_folder() / f"{listing.dataset}.npz"
    datasets.write_cifar(path, x_train, y_train, x_test, y_test)
    return path


def _part(listing_file: Path, listing: Listing, number: int) -> bytes:
    path = listing_file.with_name(f"{listing.dataset}.part{number}")
    part = read_bytes(path)
    if hashlib.sha256(part).hexdigest() != listing.parts[number]:
        raise IlwpError(f"{path} is not the part that was packed: copy it again")
    return part


def _residuals(images: np.ndarray) -> np.ndarray:
    """(3, n, 32, 32) uint8 of images (n, 32, 32, 3) uint8."""
    planes = images.transpose(3, 0, 1, 2).copy()
    planes[0::2] -= planes[1]  # uint8 arithmetic is modulo 256
    planes[:, :, 1:] = planes[:, :, 1:] - planes[:, :, :-1]
    planes[:, :, :, 1:] = planes[:, :, :, 1:] - planes[:, :, :, :-1]
    return planes


def _pixels(residuals: np.ndarray) -> np.ndarray:
    """The images (n, 32, 32, 3) uint8 of their residuals, given flat."""
    planes = residuals.reshape(3, -1, datasets.SIDE, datasets.SIDE)
    planes = np.cumsum(np.cumsum(planes, axis=3, dtype=np.uint8), axis=2, dtype=np.uint8)
    planes[0::2] += planes[1]
    return np.ascontiguousarray(planes.transpose(1, 2, 3, 0))


def _digest(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.tobytes())
    return digest.hexdigest()
