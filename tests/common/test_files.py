import errno
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ilwp.common.errors import IlwpError
from ilwp.common.files import atomic_write, check_writable, delete_temporaries, map_bytes


def test_content_arrives_and_folders_are_made(tmp_path: Path):
    path = tmp_path / "a" / "b" / "file.bin"
    for content in (b"first", b"", bytes(range(256)) * 1000):
        atomic_write(path, content)
        assert path.read_bytes() == content
        assert list(path.parent.iterdir()) == [path]


def test_a_file_is_as_readable_as_any_other(tmp_path: Path):
    (tmp_path / "usual").write_bytes(b"")
    atomic_write(tmp_path / "atomic", b"")
    assert stat.S_IMODE((tmp_path / "atomic").stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def test_what_can_be_written_is_known_before(tmp_path: Path):
    check_writable(tmp_path / "a" / "file.bin")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(IlwpError, match=r"file.bin could not be written: (Not a directory|File exists)"):
        check_writable(tmp_path / "file" / "file.bin")


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "file.bin"
    atomic_write(path, b"before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(IlwpError, match=r"file.bin could not be written: No space left on device"):
        atomic_write(path, b"after")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_larger_than_the_limit_leaves_what_was_there(tmp_path: Path):
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    path = tmp_path / "file.bin"
    atomic_write(path, b"before")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        with pytest.raises(IlwpError, match=r"file.bin could not be written: File too large"):
            atomic_write(path, bytes(2 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_the_way_is_refused(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "folder", tmp_path / "file" / "below"):
        with pytest.raises(IlwpError, match="could not be written"):
            atomic_write(path, b"content")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_a_device_is_not_replaced_by_a_file(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(IlwpError, match="no regular file"):
        atomic_write(tmp_path / "pipe", b"content")
    assert (tmp_path / "pipe").is_fifo()


def test_what_killed_writes_left_is_swept_up_and_nothing_else(tmp_path: Path):
    kept = ["cell1.json", ".cell10.json.x.part", ".cell1.json", "cell1.json.part", ".[a].json.x.part"]
    for name in [*kept, ".cell1.json.a1b2.part", ".cell1.safetensors.c3.part"]:
        (tmp_path / name).touch()
    delete_temporaries(tmp_path, "cell1.")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)
    delete_temporaries(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".cell1.json", "cell1.json", "cell1.json.part"]


@pytest.mark.parametrize("name", ["a" * 255, "é" * 127, "🦆" * 63])
def test_a_name_as_long_as_a_folder_allows_is_written(tmp_path: Path, name: str):
    atomic_write(tmp_path / name, b"content")
    assert (tmp_path / name).read_bytes() == b"content"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_name_longer_than_that_is_refused_before_and_after_the_work(tmp_path: Path):
    for write in (check_writable, lambda path: atomic_write(path, b"content")):
        with pytest.raises(IlwpError, match=r"could not be written: File name too long \(choose a shorter name\)"):
            write(tmp_path / ("a" * 256))
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path):
    (tmp_path / "disk").mkdir()
    target, link, second = tmp_path / "disk" / "target", tmp_path / "link", tmp_path / "second"
    link.symlink_to(target)
    second.symlink_to("link")
    for path, content in ((link, b"first"), (second, b"second")):
        atomic_write(path, content)
        assert target.read_bytes() == content
        assert not target.is_symlink()
        assert link.is_symlink()
        assert second.is_symlink()
        assert list((tmp_path / "disk").iterdir()) == [target]


def test_a_link_to_a_folder_is_refused(tmp_path: Path):
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(IlwpError, match="it is a folder: name a file in it"):
        atomic_write(tmp_path / "link", b"content")


def test_content_may_come_in_parts_and_an_error_between_them_leaves_what_was_there(tmp_path: Path):
    def parts() -> Iterator[bytes]:
        yield b"one"
        raise IlwpError("no more")

    path = tmp_path / "file"
    atomic_write(path, iter([b"one, ", memoryview(b"two")]))
    assert path.read_bytes() == b"one, two"
    with pytest.raises(IlwpError, match="no more"):
        atomic_write(path, parts())
    assert path.read_bytes() == b"one, two"
    assert list(tmp_path.iterdir()) == [path]


def test_a_mapped_file_may_be_changed_in_memory_alone(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    content = map_bytes(path)
    content[:1] = b"C"
    assert path.read_bytes() == b"content"
    atomic_write(path, b"other")
    assert content[:] == b"Content"


def test_a_pipe_is_read_too(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(b"content",))
    writer.start()
    assert map_bytes(tmp_path / "pipe")[:] == b"content"
    writer.join(1)
