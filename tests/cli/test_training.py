from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Ilwp = Callable[..., Any]


def test_a_data_set_travels_in_parts(tiny_cifar: Path, tmp_path: Path, ilwp: Ilwp):
    file = tiny_cifar / "cifar10.npz"
    labels = np.load(file)["y_train"]
    packed = ilwp("data", "pack", file, tmp_path / "parts")
    assert packed.out.split() == [str(tmp_path / "parts" / name) for name in ("cifar10.part0", "cifar10.parts.json")]
    file.unlink()
    assert ilwp("data", "unpack", tmp_path / "parts" / "cifar10.parts.json").out == f"{file}\n"
    np.testing.assert_array_equal(np.load(file)["y_train"], labels)


def test_what_is_no_listing_or_data_set_is_refused(tiny_cifar: Path, tmp_path: Path, ilwp: Ilwp):
    assert ilwp("data", "unpack", tiny_cifar / "cifar10.npz").refused("this is no listing of parts")
    assert ilwp("data", "unpack", tmp_path / "absent.json").refused("could not be read")
    assert ilwp("data", "pack", tmp_path / "cifar100.npz", tmp_path).refused("there is no such file")
    (tmp_path / "cifar10.npz").write_bytes(b"PK")
    assert ilwp("data", "pack", tmp_path / "cifar10.npz", tmp_path).refused("is not a whole CIFAR-10 file")
    assert ilwp("measure", tmp_path).refused("trained.json could not be read")


def test_a_record_to_be_measured_is_written_nowhere_else(tmp_path: Path, ilwp: Ilwp):
    assert ilwp("train", "--profile", "smoke", "--dataset", "digits", "-o", tmp_path / "a.txt").refused("end in .json")
