"""What is said of files: sizes, and networks that are not made smaller as one may think."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from ilwp.cli.reports import integer_warning
from ilwp.common.paths import EVIDENCE
from ilwp.common.tensor_files import write_state_dict
from ilwp.door import read_state_dict

Ilwp = Callable[..., Any]
INTEGERS = {
    "a.weight": np.random.default_rng(0).integers(-127, 128, (64, 64), np.int8),
    "a.scale": np.ones(64, np.float32),
}


def test_a_quantized_network_is_kept_exactly_and_that_is_said(tmp_path: Path, ilwp: Ilwp):
    file = tmp_path / "int8.safetensors"
    safetensors.numpy.save_file(INTEGERS, file)
    outcome = ilwp("compress", file)
    assert outcome.code == 0
    assert outcome.err.startswith("warning: 1 of 2 tensors are integers and kept exactly, whatever the quality")
    assert ilwp("decompress", file.with_suffix(".ilwp"), "-o", tmp_path / "back.safetensors").code == 0
    back = safetensors.numpy.load_file(tmp_path / "back.safetensors")
    assert all(np.array_equal(back[name], tensor) for name, tensor in INTEGERS.items())


@pytest.mark.parametrize("more", [{"b": np.ones((64, 64), np.float32)}, {"ids": np.arange(5000)}])
def test_some_integers_beside_weights_are_no_quantized_network(more: dict[str, np.ndarray]):
    assert integer_warning(INTEGERS)
    assert not integer_warning(INTEGERS | more)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"a": np.zeros((9, 1000), np.float32)}, "times smaller than its tensors"),
        ({"a": np.arange(3, dtype=np.float32)}, "times as large as its tensors"),
        ({"a": np.zeros((0, 3), np.float32)}, "larger than its tensors"),
        ({}, "larger than its tensors"),
    ],
)
def test_a_file_that_is_larger_than_its_tensors_is_not_called_smaller(
    tensors: dict[str, np.ndarray], said: str, tmp_path: Path, ilwp: Ilwp
):
    file = tmp_path / "a.safetensors"
    safetensors.numpy.save_file(tensors, file)
    assert said in ilwp("compress", file).out
    assert said in ilwp("inspect", file.with_suffix(".ilwp")).out


@pytest.mark.parametrize("offset", [0, 1000])
def test_a_large_constant_in_the_outputs_hides_no_loss(offset: int, tmp_path: Path, ilwp: Ilwp):
    tensors = read_state_dict(EVIDENCE / "networks" / "cifar10-mobilenet-lambda0-seed0.safetensors")
    last = [name for name in tensors if name.endswith("bias")][-1]
    tensors[last] = tensors[last] + np.float32(offset) * np.arange(10, dtype=np.float32)
    write_state_dict(tmp_path / "net.safetensors", tensors)
    outcome = ilwp("compress", tmp_path / "net.safetensors", "--graph", "mobilenet", "--width", "0.5")
    assert outcome.code == 0
    assert ("error is far larger than what differs between inputs" in outcome.err) == bool(offset)
