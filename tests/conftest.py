import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from hypothesis import settings
from samples import state_dict

from ilwp.cli.main import main

settings.register_profile("same-every-time", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("same-every-time")


@pytest.fixture(autouse=True)
def _denormals_are_numbers():
    torch.set_num_threads(1)
    torch.set_flush_denormal(False)


@pytest.fixture
def on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only a CPU does what the test asks for, which is to end in the same bits."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # for processes that the test starts
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    def refused(self, message: str = "", code: int = 1) -> bool:
        """Whether a user's mistake ended in one line that says so, and nothing else was printed."""
        assert (self.code, self.out) == (code, "")
        assert self.err.startswith("ilwp: ")
        assert self.err.count("\n") == 1
        assert message in self.err
        return True


@pytest.fixture
def ilwp(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Runs a command line in this process."""

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["ilwp", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        return Outcome(code, *capsys.readouterr())

    return run


@pytest.fixture
def image_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of data sets on a machine that reaches no network."""
    folder = tmp_path / "images"
    folder.mkdir()
    monkeypatch.setenv("ILWP_DATA", str(folder))
    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    return folder


@pytest.fixture
def tiny_cifar(image_folder: Path) -> Path:
    """A CIFAR-10 of 80 and 20 images whose class shows in their colour; the folder it is in."""
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 80), ("test", 20)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        colours = np.stack([labels * 25, 255 - labels * 25, labels % 2 * 200], axis=-1)[:, None, None]
        noise = rng.integers(-20, 21, (count, 32, 32, 3))
        arrays |= {f"x_{part}": np.clip(colours + noise, 0, 255).astype(np.uint8), f"y_{part}": labels}
    np.savez(image_folder / "cifar10.npz", **arrays)
    return image_folder


@pytest.fixture
def network_file(tmp_path: Path) -> Path:
    """A state dict of another's making."""
    safetensors.numpy.save_file(state_dict(), tmp_path / "network.safetensors")
    return tmp_path / "network.safetensors"


@pytest.fixture
def compressed_file(network_file: Path, ilwp: Callable[..., Outcome]) -> Path:
    """The same compressed as in the paper."""
    assert ilwp("compress", network_file, "--coder", "huffman").code == 0
    return network_file.with_suffix(".ilwp")
