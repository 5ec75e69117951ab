from pathlib import Path

import pytest
import torch

from ilwp.training import checkpoints

CPU = torch.device("cpu")


def save(folder: Path, number: int) -> None:
    checkpoints.save(folder, number, {"config": {}, "number": number})


def numbers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_last_two_are_kept(tmp_path: Path):
    for number in (1, 2, 3):
        save(tmp_path, number)
    assert numbers(tmp_path) == ["epoch-00002.pt", "epoch-00003.pt"]
    assert checkpoints.newest(tmp_path, {}, CPU) == {"config": {}, "number": 3}


def test_work_that_starts_over_behind_damaged_ones_is_kept(tmp_path: Path):
    for number in (6, 7):
        (tmp_path / f"epoch-{number:05}.pt").write_bytes(bytes(100))
    with pytest.warns(UserWarning, match="damaged"):
        assert checkpoints.newest(tmp_path, {}, CPU) is None
    save(tmp_path, 1)
    assert numbers(tmp_path) == ["epoch-00001.pt"]
    save(tmp_path, 2)
    assert checkpoints.newest(tmp_path, {}, CPU) == {"config": {}, "number": 2}
