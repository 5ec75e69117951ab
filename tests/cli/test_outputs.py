"""What the command line writes, and what it leaves alone."""

import errno
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.numpy
from samples import contents

from ilwp.cli.common import named_after
from ilwp.networks.build import build
from ilwp.networks.tensors import arrays

Ilwp = Callable[..., Any]


@pytest.mark.parametrize("command", ["compress", "decompress"])
def test_a_full_disk_is_one_line_and_leaves_what_was_there(
    compressed_file: Path, ilwp: Ilwp, monkeypatch: pytest.MonkeyPatch, command: str
):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    source = compressed_file if command == "decompress" else compressed_file.with_suffix(".safetensors")
    suffix = ".safetensors" if command == "decompress" else ".ilwp"
    (compressed_file.parent / f"out{suffix}").write_bytes(b"before")
    before = contents(compressed_file.parent)
    monkeypatch.setattr(os, "fsync", full)
    for name in (f"out{suffix}", f"new{suffix}"):
        outcome = ilwp(command, source, "-o", compressed_file.parent / name)
        assert outcome.refused(f"{name} could not be written: No space left on device")
    assert contents(compressed_file.parent) == before


def test_a_file_is_not_compressed_onto_itself(compressed_file: Path, ilwp: Ilwp):
    before = contents(compressed_file.parent)
    assert ilwp("compress", compressed_file, "--bits", 2).refused("would be lost")
    assert contents(compressed_file.parent) == before
    assert ilwp("compress", compressed_file, "--bits", 2, "-o", compressed_file.parent / "again.ilwp").code == 0


def test_the_original_is_never_written_over_unasked(compressed_file, network_file, ilwp):
    original = network_file.read_bytes()
    assert ilwp("decompress", compressed_file).refused("there already")
    assert network_file.read_bytes() == original
    assert ilwp("decompress", compressed_file, "-o", network_file).code == 0


def test_no_file_is_written_over_itself_under_another_name(compressed_file, ilwp):
    content = compressed_file.read_bytes()
    link = compressed_file.with_name("link.ilwp")
    link.symlink_to(compressed_file)
    for command in ("compress", "decompress"):
        assert ilwp(command, link, "-o", compressed_file).refused("would be lost")
    assert compressed_file.read_bytes() == content


@pytest.mark.parametrize(
    ("command", "name"), [("compress", "new.safetensors"), ("compress", "new"), ("decompress", "new.pt")]
)
def test_no_file_is_written_under_a_name_that_could_not_be_read(compressed_file, ilwp, command, name):
    before = contents(compressed_file.parent)
    source = compressed_file if command == "decompress" else compressed_file.with_suffix(".safetensors")
    assert ilwp(command, source, "-o", compressed_file.parent / name).refused("its name must end in .")
    assert contents(compressed_file.parent) == before


def test_a_name_that_leads_to_itself_is_no_file_and_may_be_written_over(compressed_file, ilwp):
    loop = compressed_file.with_name("loop.safetensors")
    loop.symlink_to(loop)
    assert ilwp("inspect", loop).refused("could not be read")
    assert ilwp("decompress", compressed_file, "-o", loop).code == 0
    assert loop.is_file()


@pytest.mark.parametrize(
    ("read", "written"),
    [
        ("a.pt", "a.ilwp"), ("a.PTH", "a.ilwp"), ("a-v1.5.pth.tar", "a-v1.5.ilwp"), ("a.tar", "a.ilwp"),
        ("b/model.safetensors.index.json", "b/model.ilwp"), ("a", "a.ilwp"), ("a.weights", "a.ilwp"),
        ("a.ilwp", "a.ilwp"), (".pt", ".pt.ilwp"), ("a-v1.5", "a-v1.ilwp"),
    ],
)  # fmt: skip
def test_a_file_is_written_beside_the_one_that_was_read(read: str, written: str):
    assert named_after(Path(read), ".ilwp") == Path(written)


def test_a_folders_network_is_written_into_the_current_folder(network_file, ilwp, monkeypatch):
    folder = network_file.parent / "resnet-v1.5"
    folder.mkdir()
    network_file.rename(folder / "model.safetensors")
    monkeypatch.chdir(folder)
    assert ilwp("compress", ".").code == 0
    monkeypatch.chdir(folder.parent)
    assert ilwp("compress", "resnet-v1.5").code == 0
    for place in (folder, folder.parent):
        assert (place / "resnet-v1.5.ilwp").is_file()


def test_a_link_is_followed_and_stays(compressed_file, ilwp):
    folder = compressed_file.parent
    for command, source, suffix in (("decompress", compressed_file, ".safetensors"), ("compress", None, ".ilwp")):
        target, link = folder / f"target{suffix}", folder / f"linked{suffix}"
        link.symlink_to(target.name)
        assert ilwp(command, source or compressed_file.with_suffix(".safetensors"), "-o", link).code == 0
        assert link.is_symlink()
        assert target.is_file()
        assert not target.is_symlink()


@pytest.mark.parametrize("command", ["compress", "decompress"])
def test_a_name_may_be_as_long_as_the_folder_allows_and_no_longer(compressed_file, ilwp, command: str):
    source = compressed_file if command == "decompress" else compressed_file.with_suffix(".safetensors")
    suffix = ".safetensors" if command == "decompress" else ".ilwp"
    longest = "n" * (255 - len(suffix))
    assert ilwp(command, source, "-o", compressed_file.parent / f"{longest}{suffix}").code == 0
    before = contents(compressed_file.parent)
    refused = ilwp(command, source, "-o", compressed_file.parent / f"{longest}n{suffix}")
    assert refused.refused("File name too long (choose a shorter name)")
    assert contents(compressed_file.parent) == before


def test_a_name_that_the_output_cannot_encode_is_spelt_out(compressed_file, ilwp, monkeypatch):
    said = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(said, encoding="latin-1"))
    assert ilwp("decompress", compressed_file, "-o", compressed_file.with_name("\u03bb.safetensors")).code == 0
    sys.stdout.flush()
    assert b"\\u03bb.safetensors" in said.getvalue()


def test_a_record_replaces_nothing_but_a_record(tmp_path, ilwp):
    command = ["train", "--profile", "smoke", "--dataset", "digits", "-o", tmp_path / "mine.json"]
    network = tmp_path / "mine.safetensors"
    safetensors.numpy.save_file(arrays(build("mobilenet", 10, 0.1)), network)
    assert ilwp(*command).refused(f"{network} is no run's, and would be lost")
    network.unlink()
    (tmp_path / "mine.json").write_text("{}")
    assert ilwp(*command).refused("mine.json is no run's, and would be lost")
    assert contents(tmp_path) == {"mine.json": b"{}"}


def test_a_record_that_could_not_be_written_is_refused_before_training(tmp_path, ilwp):
    (tmp_path / "file").write_text("")
    output = tmp_path / "file" / "run.json"
    assert ilwp("train", "--profile", "smoke", "--dataset", "digits", "-o", output).refused("could not be written")


def test_a_record_must_have_a_records_name(tmp_path, ilwp):
    for output in (tmp_path, tmp_path / "run.safetensors"):
        train = ilwp("train", "--profile", "smoke", "--dataset", "digits", "-o", output)
        assert train.refused("must end in .json")


def test_printing_to_a_full_disk_is_one_line(network_file: Path, ilwp: Ilwp, monkeypatch: pytest.MonkeyPatch):
    def full(message: str, err: bool = False) -> None:
        if not err:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        print(message, file=sys.stderr)

    monkeypatch.setattr("click.echo", full)
    assert ilwp("inspect", network_file).refused("the output: No space left on device")


def test_of_a_damaged_file_the_sound_tensors_are_written_when_asked_for(network_file: Path, ilwp: Callable[..., Any]):
    assert ilwp("compress", network_file).code == 0
    path, output = network_file.with_suffix(".ilwp"), network_file.with_name("back.safetensors")
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    assert ilwp("decompress", path, "-o", output).refused("--skip-damaged gives the")
    assert not output.exists()
    outcome = ilwp("decompress", path, "-o", output, "--skip-damaged")
    assert outcome.code == 0
    assert "left out" in outcome.err
    assert 0 < len(safetensors.numpy.load_file(output)) < len(safetensors.numpy.load_file(network_file))
