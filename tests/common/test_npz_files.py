import errno
from pathlib import Path

import numpy as np
import pytest

from ilwp.common.errors import IlwpError
from ilwp.common.npz_files import read_npz


def test_all_arrays_come_back(tmp_path: Path):
    arrays = {"a": np.arange(6, dtype=np.int16).reshape(2, 3), "b": np.array(2.5)}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **arrays)
        found = read_npz(tmp_path / "a.npz")
        assert list(found) == list(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array, strict=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no NPZ file, or cut short"),
        (b"<html>", "no NPZ file, or cut short"),
        (b"PK\3\4", "no NPZ file, or cut short"),
        (b"PK\5\6" + bytes(18), None),
    ],
)
def test_what_is_no_archive_is_refused_without_advice_to_unpickle_it(tmp_path: Path, content: bytes, message: str):
    (tmp_path / "a.npz").write_bytes(content)
    if message is None:  # an archive of nothing
        assert read_npz(tmp_path / "a.npz") == {}
        return
    with pytest.raises(IlwpError, match=message):
        read_npz(tmp_path / "a.npz")


def test_python_objects_are_refused(tmp_path: Path):
    np.savez(tmp_path / "a.npz", a=np.array([print], object))
    with pytest.raises(IlwpError, match="not a whole NPZ file"):
        read_npz(tmp_path / "a.npz")


def test_a_file_that_is_not_there_is_no_damaged_one(tmp_path: Path):
    for path, code in ((tmp_path / "absent.npz", errno.ENOENT), (tmp_path, errno.EISDIR)):
        with pytest.raises(IlwpError, match="could not be read: ") as refusal:
            read_npz(path)
        assert isinstance(refusal.value.__cause__, OSError)
        assert refusal.value.__cause__.errno == code
