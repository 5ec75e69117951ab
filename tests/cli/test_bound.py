from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from ilwp.door import bound, read_state_dict

Ilwp = Callable[..., Any]
MODULE = """
import torch
def make():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 5))
"""
GRAPH = ("--graph", "tiny_classifier:make")


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A network of one layer, and beside it images with labels and without, and its graph to import."""
    (tmp_path / "tiny_classifier.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    weight, bias = rng.standard_normal((5, 192)).astype(np.float32), np.zeros(5, np.float32)
    images = rng.standard_normal((300, 3, 8, 8)).astype(np.float32)
    classes = (images.reshape(300, -1) @ weight.T).argmax(1)
    safetensors.numpy.save_file({"1.weight": weight, "1.bias": bias}, tmp_path / "net.safetensors")
    np.savez(tmp_path / "plain.npz", images=images)
    np.savez(tmp_path / "labelled.npz", x=images, y=np.where(np.arange(300) % 10, classes, (classes + 1) % 5))
    return tmp_path / "net.safetensors"


def agreeing(network: Path, images: np.ndarray) -> float:
    """The share of images in percent whose class a compressed network leaves as it was."""
    before, after = (
        images.reshape(len(images), -1) @ tensors["1.weight"].T + tensors["1.bias"]
        for tensors in (read_state_dict(network), read_state_dict(network.with_suffix(".ilwp")))
    )
    return float(100 * (before.argmax(1) == after.argmax(1)).mean())


def test_the_file_holds_the_bound_and_what_images_held_out_lose_is_said(network: Path, ilwp: Ilwp):
    outcome = ilwp("compress", network, *GRAPH, "--max-drop", 2, "--inputs", "plain.npz")
    assert outcome.code == 0
    images = np.load("plain.npz")["images"]
    chosen_on, held_out = (agreeing(network, images[first::2]) for first in (0, 1))
    assert chosen_on >= 98
    said = [
        f"on the 150 images that chose it: the same top class for {chosen_on:.2f} %, {100 - chosen_on:.2f} points lost",
        f"on 150 others, held out: the same top class for {held_out:.2f} %, {100 - held_out:.2f} points lost",
    ]
    assert [line for line in outcome.out.splitlines() if line.startswith("on ")] == said
    assert ", the best of 10 tries" in outcome.out
    warned = "warning: the images held out lose more points than the 2 allowed: give more images, or allow less\n"
    assert outcome.err == (warned if held_out < 98 else "")
    assert network.with_suffix(".ilwp").stat().st_size < network.stat().st_size / 4


def test_with_labels_accuracy_is_bounded_and_count_says_for_how_many_images(network: Path, ilwp: Ilwp):
    outcome = ilwp("compress", network, *GRAPH, "--max-drop", 5, "--inputs", "labelled.npz", "--count", 100)
    assert outcome.code == 0
    assert "on the 50 images that chose it: top-1 " in outcome.out
    assert "before 80.00 %" in outcome.out  # every tenth label is wrong, and all of those are even
    assert "before 100.00 %" in outcome.out


def test_a_bound_that_even_the_highest_quality_misses_is_refused_and_nothing_is_written(
    network: Path, ilwp: Ilwp, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bound, "HIGHEST", 1.0)
    refused = ilwp("compress", network, *GRAPH, "--max-drop", 0, "--inputs", "plain.npz")
    assert refused.refused("even at 1 dB")
    assert not network.with_suffix(".ilwp").exists()


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--max-drop", 1, "--inputs", "plain.npz"), 1, "--max-drop needs the network's graph"),
        ((*GRAPH, "--max-drop", 1), 1, "--max-drop is measured on images: name them with --inputs"),
        ((*GRAPH, "--inputs", "plain.npz"), 2, "--inputs has no meaning without --max-drop"),
        ((*GRAPH, "--count", 10), 2, "--count has no meaning without --max-drop"),
        ((*GRAPH, "--max-drop", 1, "--inputs", "absent"), 1, "absent is no folder of pictures"),
        ((*GRAPH, "--max-drop", 1, "--inputs", "plain.npz", "--input-size", "3x8x8"), 1, "--input-size is one number"),
        ((*GRAPH, "--max-drop", 1, "--inputs", "plain.npz", "--input-size", "9"), 1, "does not take inputs of"),
        ((*GRAPH, "--max-drop", "nan", "--inputs", "plain.npz"), 2, "nan is no number"),
        ((*GRAPH, "--max-drop", -1, "--inputs", "plain.npz"), 2, "-1.0 is not in the range"),
        ((*GRAPH, "--max-drop", 99, "--inputs", "plain.npz"), 1, "a drop of 99 points bounds nothing"),
        ((*GRAPH, "--max-drop", 1, "--inputs", "plain.npz", "--quality", 30), 2, "--quality has no meaning with --max"),
        ((*GRAPH, "--max-drop", 1, "--inputs", "plain.npz", "--bits", 5), 2, "--bits has no meaning with --max-drop"),
        ((*GRAPH, "--max-drop", 1, "--inputs", "plain.npz", "--dense-bits", 5), 2, "--dense-bits has no meaning"),
        ((*GRAPH, "--max-drop", 1, "--coder", "huffman"), 2, "--max-drop has no meaning with --coder huffman"),
        ((*GRAPH, "--max-drop", 1, "--method", "additive"), 2, "--max-drop has no meaning with --method additive"),
    ],
)
def test_what_does_not_go_with_the_bound_is_refused_in_one_line(network: Path, ilwp: Ilwp, options, code, message):
    assert ilwp("compress", network, *options).refused(message, code)
    assert not network.with_suffix(".ilwp").exists()


def test_images_that_teach_the_rounding_do_not_judge_it(network: Path, ilwp: Ilwp):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ilwp.cli.bound.CLASSES", ())
        refused = ilwp("compress", network, *GRAPH, "--max-drop", 1, "--inputs", "./digits", "--images", "digits")
    assert refused.refused("not measured on images that taught the rounding")
