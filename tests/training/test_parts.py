import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilwp.common.errors import IlwpError
from ilwp.training.parts import _pixels, _residuals, pack_dataset, unpack_dataset


@pytest.fixture
def packed(tiny_cifar: Path, tmp_path: Path) -> list[Path]:
    return pack_dataset(tiny_cifar / "cifar10.npz", tmp_path / "parts", limit=50_000)


def test_parts_are_small_and_give_the_same_images(packed: list[Path], tiny_cifar: Path):
    assert len(packed) > 3
    assert max(path.stat().st_size for path in packed) <= 50_000
    original = dict(np.load(tiny_cifar / "cifar10.npz").items())
    (tiny_cifar / "cifar10.npz").unlink()
    path = unpack_dataset(packed[-1])
    assert path == tiny_cifar / "cifar10.npz"
    with np.load(path) as arrays:
        assert sorted(arrays) == sorted(original)
        for name, array in original.items():
            np.testing.assert_array_equal(arrays[name], array)
    first = path.read_bytes()
    assert unpack_dataset(packed[-1]).read_bytes() == first


def test_the_same_images_give_the_same_parts(packed: list[Path], tiny_cifar: Path, tmp_path: Path):
    again = pack_dataset(tiny_cifar / "cifar10.npz", tmp_path / "again", limit=50_000)
    assert [path.name for path in again] == [path.name for path in packed]
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in packed]


@given(st.integers(1, 3), st.integers(0, 2**32 - 1), st.sampled_from([1, 17, 256]))
def test_residuals_of_any_images_give_them_back(count: int, seed: int, high: int):
    images = np.random.default_rng(seed).integers(0, high, (count, 32, 32, 3)).astype(np.uint8)
    residuals = _residuals(images)
    assert residuals.dtype == np.uint8
    np.testing.assert_array_equal(_pixels(residuals.reshape(-1)), images)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [flip, lambda path: path.write_bytes(path.read_bytes()[:-1]), Path.unlink])
def test_a_part_that_is_damaged_or_missing_is_named(packed: list[Path], tiny_cifar: Path, damage):
    (tiny_cifar / "cifar10.npz").unlink()
    damage(packed[1])
    with pytest.raises(IlwpError, match=r"cifar10.part1 (is not the part that was packed: copy it again|could not be)"):
        unpack_dataset(packed[-1])
    assert not (tiny_cifar / "cifar10.npz").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arrays": "0" * 64}, "are not those that were packed"),
        ({"train": 81}, "hold another number of images"),
        ({"train": 79}, "hold another number of images"),
        ({"train": 10**9}, "this is no listing of parts: train"),
        ({"dataset": "../cifar10"}, "this is no listing of parts: dataset"),
        ({"parts": []}, "this is no listing of parts: parts"),
        ({"comment": "x"}, "this is no listing of parts: comment"),
    ],
    ids=str,
)
def test_a_listing_that_does_not_fit_is_refused(packed: list[Path], change, message: str):
    packed[-1].write_text(json.dumps(json.loads(packed[-1].read_text()) | change))
    with pytest.raises(IlwpError, match=message):
        unpack_dataset(packed[-1])


def test_a_file_that_is_no_cifar_is_not_packed(tiny_cifar: Path, tmp_path: Path):
    other = tmp_path / "mnist.npz"
    other.write_bytes((tiny_cifar / "cifar10.npz").read_bytes())
    with pytest.raises(IlwpError, match=r"mnist.npz is named after no CIFAR"):
        pack_dataset(other, tmp_path / "parts")
