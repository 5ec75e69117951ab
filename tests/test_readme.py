import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ilwp.common.paths import ROOT
from ilwp.networks.build import build
from ilwp.networks.tensors import arrays, load_tensors


def test_the_lines_for_other_programs_run_and_give_the_network_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (lines,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert len(lines.split("\n")) < 10
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    network = build("mobilenet", 10, 0.25).eval()
    names: dict[str, Any] = {"network": network}
    inputs = torch.randn(4, 3, 32, 32)
    with torch.inference_mode():
        before = network(inputs)
    exec(lines, names)
    tensors = names["tensors"]
    assert {name: t.shape for name, t in tensors.items()} == {n: t.shape for n, t in network.state_dict().items()}
    assert names["weight"].shape == tuple(next(iter(tensors.values())).shape)
    assert isinstance(names["weight"], np.ndarray)
    load_tensors(network, {name: t.numpy() for name, t in tensors.items()})
    assert arrays(network).keys() == tensors.keys()
    with torch.inference_mode():
        assert (network(inputs) - before).norm() < 0.1 * before.norm()
    assert (tmp_path / "net.ilwp").stat().st_size < sum(t.nbytes for t in tensors.values()) / 2
