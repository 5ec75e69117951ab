import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from ilwp.common.tensor_files import write_state_dict
from ilwp.door import read_state_dict
from ilwp.networks.build import build
from ilwp.networks.tensors import arrays

Ilwp = Callable[..., Any]
GRAPH = ("--graph", "mobilenet", "--width", 0.1)
SHORT = ("--epochs", 0.5, "--quiet")


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    write_state_dict(tmp_path / "net.safetensors", arrays(build("mobilenet", 10, 0.1, seed=3)))
    return tmp_path / "net.safetensors"


@pytest.mark.parametrize(
    "method",
    [("weight-fixing", "--delta", 0.05), ("additive", "--codebooks", 2, "--codeword-bits", 4, "--length", 4)],
    ids=lambda chosen: chosen[0],
)
def test_a_network_is_fine_tuned_into_a_file_that_decodes(method, trained: Path, tiny_cifar: Path, ilwp: Ilwp):
    before = trained.read_bytes()
    command = ("finetune", trained, "--method", *method, *GRAPH, *SHORT, "--vector-bits", 8)
    first = ilwp(*command)
    assert (first.code, first.err) == (0, "")
    content = trained.with_suffix(".ilwp").read_bytes()
    assert ilwp(*command).code == 0
    assert trained.with_suffix(".ilwp").read_bytes() == content
    assert trained.read_bytes() == before
    found = json.loads(ilwp("inspect", trained.with_suffix(".ilwp"), "--json").out)
    assert found["format"] == 2
    assert any(row["stored"] == "codebooks 1" for row in found["tensors"])
    assert "codebooks 1" in first.out
    accuracy = float(ilwp("evaluate", trained.with_suffix(".ilwp"), "--width", 0.1).out)
    assert f"{accuracy:.2f} % on the test set" in first.out
    assert ilwp("decompress", trained.with_suffix(".ilwp"), "-o", trained.parent / "back.safetensors").code == 0
    back, wanted = read_state_dict(trained.parent / "back.safetensors"), read_state_dict(trained)
    assert {n: t.shape for n, t in back.items()} == {n: t.shape for n, t in wanted.items()}


def test_another_run_is_not_continued_by_mistake(trained: Path, tiny_cifar: Path, ilwp: Ilwp):
    command = ("finetune", trained, *GRAPH, *SHORT, "--method", "weight-fixing", "--delta")
    assert ilwp(*command, 0.05).code == 0
    assert ilwp(*command, 0.06).refused("holds a run with other settings")


@pytest.mark.parametrize("own", [(), ("--own-codebooks",)])
def test_additive_quantization_needs_no_training(own, network_file: Path, ilwp: Ilwp):
    outcome = ilwp("compress", network_file, "--method", "additive", "--codeword-bits", 4, "--length", 4, *own)
    assert (outcome.code, outcome.err) == (0, "")
    assert ("codebooks 2" in outcome.out) == bool(own)
    back, wanted = read_state_dict(network_file.with_suffix(".ilwp")), read_state_dict(network_file)
    assert list(back) == list(wanted)
    for name, tensor in wanted.items():
        if tensor.ndim > 1:
            assert np.square(back[name] - tensor).mean() < 0.5 * tensor.var()
        else:
            np.testing.assert_array_equal(back[name], tensor)


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (("compress", "--method", "additive", "--bits", 7), "--bits has no meaning with --method additive", 2),
        (("compress", "--method", "additive", "--range", "layer"), "--range has no meaning", 2),
        (("compress", "--codebooks", 2), "--codebooks has no meaning", 2),
        (("compress", "--method", "additive", "--vector-bits", 8), "needs the network's graph", 1),
        (("finetune", "--method", "additive"), "Missing option '--graph'", 2),
        (("finetune", "--method", "additive", *GRAPH, "--delta", 0.1), "--delta has no meaning", 2),
        (("finetune", "--method", "weight-fixing", *GRAPH, "--length", 4), "--length has no meaning", 2),
        (("finetune", "--method", "weight-fixing", *GRAPH, "--delta", 0.2), "0.2 is not in the range", 2),
        (("finetune", "--method", "weight-fixing", *GRAPH, "--epochs", "nan"), "nan is no number", 2),
        (("finetune", "--method", "weight-fixing", "--graph", "mobilenet"), "another network or width", 1),
        (("finetune", "--method", "weight-fixing", *GRAPH, "--dataset", "cifar100"), "10 classes apart, cifar100", 1),
        (("finetune", "--method", "weight-fixing", *GRAPH, "-o", "net.safetensors"), "would be lost", 1),
        (("finetune", "--method", "weight-fixing", *GRAPH, "-o", "."), ". is a folder", 1),
        (("finetune", "--method", "weight-fixing", *GRAPH, "-o", "net.pt"), "its name must end in .ilwp", 1),
        (("finetune", "--graph", "theirs:network", "--width", 2), "--width has no meaning without one of the four", 2),
        (("finetune", "--method", "weight-fixing", *GRAPH, "--seed", 2**31), "not in the range", 2),
        (("compress", "--vector-bits", "nan", *GRAPH), "nan is no number", 2),
    ],
)
def test_mistakes_end_in_one_line(
    arguments, message: str, code: int, trained: Path, tiny_cifar: Path, ilwp: Ilwp, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(trained.parent)
    arrays_ = dict(np.load(tiny_cifar / "cifar10.npz"))
    np.savez(tiny_cifar / "cifar100.npz", **arrays_)
    command, *options = arguments
    assert ilwp(command, trained, *options).refused(message, code)
    assert not trained.with_suffix(".ilwp").exists()


NETWORKS = """
from torch import nn


def grey():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, groups=4), nn.Flatten(), nn.Linear(3136, 10))


def undecided():
    raise RuntimeError("not today")


def quitter():
    raise SystemExit(0)
"""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("compress", "--graph", "theirs:grey", "--images", "digits"), "does not take inputs of 3 x 32 x 32"),
        (("finetune", "--graph", "theirs:grey", "--dataset", "digits"), "does not classify images of 3 x 32 x 32"),
        (("compress", "--graph", "theirs:undecided"), "theirs:undecided makes no network (not today)"),
        (("compress", "--graph", "theirs:quitter"), "theirs:quitter makes no network (0)"),
    ],
)
def test_a_network_of_the_users_that_does_not_fit_is_one_line(
    options, message: str, tmp_path: Path, ilwp: Ilwp, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder])
    monkeypatch.delitem(sys.modules, "theirs", raising=False)
    (tmp_path / "theirs.py").write_text(NETWORKS)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, groups=4), nn.Flatten(), nn.Linear(3136, 10))
    write_state_dict(tmp_path / "net.safetensors", arrays(network))
    command, *more = options
    assert ilwp(command, "net.safetensors", *more).refused(message)
