import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from samples import state_dict

from ilwp.networks.build import build
from ilwp.networks.tensors import arrays

Ilwp = Callable[..., Any]


@pytest.fixture
def networks(tmp_path: Path) -> tuple[Path, Path]:
    """A MobileNet and the same with a little noise in one weight."""
    tensors = arrays(build("mobilenet", 10, 0.1))
    name = next(iter(tensors))
    noisy = tensors | {name: tensors[name] * np.float32(1.01)}
    for file, content in (("a", tensors), ("b", noisy)):
        safetensors.numpy.save_file(content, tmp_path / f"{file}.safetensors")
    return tmp_path / "a.safetensors", tmp_path / "b.safetensors"


def test_tensors_are_compared_the_worst_first(networks, ilwp: Ilwp):
    summary = json.loads(ilwp("compare", *networks, "--json").out)
    name, snr = next(iter(summary["tensors"].items()))
    assert snr == pytest.approx(40, abs=0.01)
    assert summary["exact"] == len(summary["tensors"]) - 1
    assert f"40.0 dB  {name}" in ilwp("compare", *networks).out


def source_of(kind: str, folder: Path) -> Path:
    """Five images of noise as a folder of pictures, an NPZ, a safetensors file, or the digits."""
    from PIL import Image

    images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    source = folder / {"folder": "pictures"}.get(kind, f"images.{kind}")
    if kind == "folder":
        source.mkdir()
        for i, image in enumerate(images):
            Image.fromarray(image).save(source / f"{i}.png")
    elif kind == "npz":
        np.savez(source, images=images)
    elif kind == "safetensors":
        safetensors.numpy.save_file({"x": np.ascontiguousarray(images.transpose(0, 3, 1, 2))}, source)
    else:
        return Path("digits")
    return source


@pytest.mark.parametrize("kind", ["folder", "npz", "safetensors", "digits"])
def test_outputs_are_compared_for_any_kind_of_images(tmp_path: Path, networks, ilwp: Ilwp, kind: str):
    source = source_of(kind, tmp_path)
    arguments = (
        "--graph", "mobilenet", "--width", "0.1", "--inputs", source, "--input-size", 32, "--count", 5, "--json",
    )  # fmt: skip
    outputs = json.loads(ilwp("compare", *networks, *arguments).out)["outputs"]
    assert outputs["inputs"] == 5
    assert 0 <= outputs["agreement"] <= 1
    assert outputs["divergence_nats"] >= 0
    same = json.loads(ilwp("compare", networks[0], networks[0], *arguments).out)["outputs"]
    exact = {"snr_db": "inf", "varying_snr_db": "inf"}
    assert same == {"inputs": 5, **exact, "agreement": 1.0, "divergence_nats": 0.0}


def test_the_part_of_the_outputs_that_differs_between_images_has_an_snr_of_its_own(tmp_path, networks, ilwp: Ilwp):
    given = ("--graph", "mobilenet", "--width", "0.1", "--input-size", 32, "--inputs", source_of("npz", tmp_path))
    tensors = safetensors.numpy.load_file(networks[0])
    matrix = next(name for name, tensor in tensors.items() if tensor.ndim == 2)
    tensors[matrix.replace("weight", "bias")][:] = 0  # beside it the features of a network without training are nothing
    for file, factor in zip(networks, (1, 1.1), strict=True):
        safetensors.numpy.save_file(tensors | {matrix: tensors[matrix] * np.float32(factor)}, file)
    outputs = json.loads(ilwp("compare", *networks, *given, "--json").out)["outputs"]
    assert outputs["varying_snr_db"] < outputs["snr_db"]  # a network without training tells noise hardly apart
    said = ilwp("compare", *networks, *given).out
    assert f"SNR {outputs['snr_db']:.1f} dB, {outputs['varying_snr_db']:.1f} dB of what differs between images" in said
    alone = ilwp("compare", *networks, *given, "--count", 1)
    assert alone.code == 0
    assert "between images" not in alone.out


def test_what_cannot_be_compared_is_refused_in_one_line(tmp_path: Path, networks, network_file: Path, ilwp: Ilwp):
    graph = ("--graph", "mobilenet", "--width", "0.1", "--inputs")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_bytes(b"no picture")
    np.savez(tmp_path / "wrong.npz", x=np.zeros((2, 5, 32, 32), np.uint8))
    assert ilwp("compare", networks[0], network_file).refused("not the same network")
    assert ilwp("compare", *networks, "--graph", "mobilenet").refused("go together")
    assert ilwp("compare", *networks, *graph, tmp_path / "empty").refused("holds no pictures")
    assert ilwp("compare", *networks, *graph, tmp_path / "wrong.npz").refused("does not take inputs of 5 x 32 x 32")
    assert ilwp("compare", *networks, *graph, tmp_path / "absent").refused("is no folder of pictures")
    outcome = ilwp("compare", *networks, *graph, tmp_path / "broken")
    assert outcome.code == 1
    assert "is no picture that can be read" in outcome.err
    reshaped = state_dict()
    reshaped["stem.running_mean"] = np.zeros(3, np.float32)
    safetensors.numpy.save_file(reshaped, tmp_path / "reshaped.safetensors")
    assert ilwp("compare", network_file, tmp_path / "reshaped.safetensors").refused("stem.running_mean is 8 and 3")


@pytest.mark.parametrize("kind", ["folder", "npz", "safetensors", "digits"])
def test_weights_are_rounded_with_any_kind_of_images(tmp_path: Path, networks, ilwp: Ilwp, kind: str, monkeypatch):
    seen: list[Any] = []

    def look(network: object, tensors: object, images: Any) -> Callable[..., np.ndarray]:
        seen.append(images)
        return nearest

    def nearest(name: str, step: float, tensor: np.ndarray, damping: float) -> np.ndarray:
        return np.rint(tensor / step)

    monkeypatch.setattr("ilwp.door.attempts.ErrorFeedback", look)
    options = ("--graph", "mobilenet", "--width", "0.1", "--dense-bits", 5, "--input-size", 32)
    outcome = ilwp("compress", networks[0], *options, "--images", source_of(kind, tmp_path))
    assert outcome.code == 0  # an untrained network's outputs hardly differ, which is said
    assert tuple(seen[0].shape) == (800 if kind == "digits" else 4, 3, 32, 32)  # a fifth is held out
    assert abs(float(seen[0].mean())) < 0.5


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--images", "absent"), 1, "absent is no folder of pictures"),
        (("--images", "wrong.npz"), 1, "does not take inputs of 5 x 32 x 32"),
        (("--images", "digits", "--input-size", "3x32x32"), 1, "--input-size is one number"),
        (("--input-size", "5x32x32"), 1, "does not take inputs of 5 x 32 x 32"),
        (("--input-size", "0"), 2, "'0' is no size such as 224 or 3x96x160"),
        (("--normalise", "none"), 2, "--normalise has no meaning without --images"),
        (("--images", "digits", "--coder", "huffman"), 2, "--images has no meaning with --coder huffman"),
    ],
)
def test_images_that_do_not_fit_are_refused(tmp_path: Path, networks, ilwp: Ilwp, monkeypatch, options, code, message):
    monkeypatch.chdir(tmp_path)
    np.savez("wrong.npz", x=np.zeros((2, 5, 32, 32), np.uint8))
    refused = ilwp("compress", networks[0], "--graph", "mobilenet", "--width", "0.1", *options)
    assert refused.refused(message, code)
    assert ilwp("compress", networks[0], "--input-size", 32).refused("--input-size has no meaning without --graph", 2)
    assert not networks[0].with_suffix(".ilwp").exists()
