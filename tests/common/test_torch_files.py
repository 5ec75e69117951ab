import argparse
import warnings
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import torch
from torch import nn

from ilwp.common.errors import IlwpError
from ilwp.common.tensor_files import TensorFile, read_tensor_file, read_tensors

DTYPES = [
    torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz,
    torch.float8_e5m2fnuz, torch.bool, torch.uint8, torch.uint16, torch.int64, torch.complex64, torch.complex128,
]  # fmt: skip
NETWORK = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}
AVERAGE = {name: tensor / 2 for name, tensor in NETWORK.items()}
OPTIMIZER = torch.optim.SGD([nn.Parameter(torch.ones(2))], momentum=0.9)
OPTIMIZER.param_groups[0]["params"][0].grad = torch.ones(2)
OPTIMIZER.step()
BESIDE = {"epoch": 3, "optimizer": OPTIMIZER.state_dict(), "best": torch.tensor(3.0), "loss": {"train": torch.ones(())}}


class Pickled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)


@pytest.fixture
def saved(tmp_path: Path):
    def save(content: object, name: str = "network.pth", **options: object) -> Path:
        torch.save(content, tmp_path / name, **options)
        return tmp_path / name

    return save


def is_network(found: TensorFile | dict[str, np.ndarray], factor: float = 1) -> bool:
    tensors = found.tensors if isinstance(found, TensorFile) else found
    assert list(tensors) == list(NETWORK)
    return all(np.array_equal(tensors[name], factor * tensor.numpy()) for name, tensor in NETWORK.items())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (2, 3)], ids=str)
def test_every_type_comes_back_with_its_bits(saved, dtype: torch.dtype, shape: tuple[int, ...]):
    tensor = (torch.rand(shape) * 9).to(dtype)
    found = read_tensors(saved({"a": tensor}))["a"]
    assert found.dtype == np.dtype(getattr(ml_dtypes, str(dtype)[6:], str(dtype)[6:]))
    assert found.shape == shape
    assert (
        found.tobytes() == tensor.reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else not found.size
    )


def test_views_of_every_layout_are_read_by_value(saved):
    base = torch.arange(24.0).reshape(2, 3, 4)
    views = {
        "t": base.transpose(0, 2),
        "part": base[:, 1],
        "conj": torch.tensor([1 + 2j]).conj(),
        "half": base.bfloat16().mT,
    }
    found = read_tensors(saved(views))
    for name, view in views.items():
        np.testing.assert_array_equal(found[name].astype(np.complex64), view.to(torch.complex64).resolve_conj().numpy())


def test_one_memory_is_one_array_and_another_view_of_it_is_not(saved):
    weight = torch.arange(6.0).reshape(2, 3)
    found = read_tensors(saved({"in": weight, "out": weight.detach(), "turned": weight.T, "none": weight[:0]}))
    assert found["in"] is found["out"]
    np.testing.assert_array_equal(found["turned"], found["in"].T)
    assert found["turned"] is not found["in"]


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict", "net", "network", "module", "generator"])
@pytest.mark.parametrize("suffix", [".pth.tar", ".bin", ".ckpt", ".PTH", ".pt", "", ".weights"])
def test_a_network_is_found_in_a_checkpoint_under_any_key_and_suffix(saved, key: str, suffix: str):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert is_network(read_tensor_file(saved({**BESIDE, key: NETWORK}, f"checkpoint{suffix}")))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("average", ["ema", "model_ema", "state_dict_ema", "ema_state_dict", "swa_model"])
def test_of_a_network_and_its_average_the_network_is_taken_and_that_is_said(saved, average: str, zipped: bool):
    path = saved({average: AVERAGE, "model": NETWORK, **BESIDE}, _use_new_zipfile_serialization=zipped)
    with pytest.warns(UserWarning, match=f"took model; --key chooses {average} instead"):
        assert is_network(read_tensor_file(path))
    with pytest.warns(UserWarning, match="--key chooses model instead"):
        assert is_network(read_tensor_file(path, average), 0.5)


def test_a_network_deep_in_a_checkpoint_is_chosen_by_any_of_its_keys(saved):
    path = saved({"ema": {"shadow": AVERAGE, "decay": 0.9}, "train": {"model": {"state_dict": NETWORK}}})
    for key in ("train", "train.model", "train.model.state_dict"):
        with pytest.warns(UserWarning, match="took train.model.state_dict; --key chooses ema.shadow"):
            assert is_network(read_tensors(path, key))


@pytest.mark.parametrize(
    ("content", "key", "message"),
    [
        ({"model": NETWORK, "net": NETWORK, "ema": AVERAGE}, None, "several networks, 'model' or 'net': choose one"),
        ({"ema": NETWORK, "swa": NETWORK}, None, "several networks, 'ema' or 'swa': choose one with --key"),
        ({"model": NETWORK}, "ema", "nothing in it is called 'ema': choose 'model' with --key"),
        (NETWORK, "ema", "it is a state dict itself"),
        ({**NETWORK, "epoch": 3}, None, r"not a mapping from names to tensors \(epoch is of type int\)"),
        ({"optimizer": OPTIMIZER.state_dict()}, None, "not a mapping from names to tensors"),
        ({}, None, "not a mapping from names to tensors"),
        ([NETWORK["a.bias"]], None, "not a mapping from names to tensors"),
        (NETWORK["a.bias"], None, "not a mapping from names to tensors"),
        ({"a": torch.ones(2, 2).to_sparse()}, None, "a is sparse, not of NumPy's types"),
        ({"a": torch.ones(2, device="meta")}, None, "a is without numbers"),
        ({"a": torch.empty(2, dtype=torch.bits8)}, None, "a is bits8, not of NumPy's types"),
        ({**NETWORK, "f._packed_params.dtype": torch.qint8}, None, "quantized network .*: compress the floating-point"),
        ({"net": {**NETWORK, "f._packed_params.dtype": torch.qint8}, "epoch": 3}, None, r"\(f._packed_params.dtype is"),
        ({"net": {**NETWORK, "version": 2}, "best": 3.0}, None, r"\(version is of type int\)"),
        ({"\ud800": torch.ones(1)}, None, "no Unicode text"),
        ({1: torch.ones(1), "1": torch.ones(1)}, None, "the same name as text"),
        ({"model": NETWORK, "args": argparse.Namespace(lr=1)}, None, r"holds a Python object \(argparse.Namespace\)"),
        ({"model": NETWORK, "best": np.float64(3)}, None, r"holds a Python object \(numpy\.[\w.]*scalar\)"),
        (Pickled(), None, r"a whole pickled model \([\w.]*Pickled\), .* save tensors alone"),
    ],
)  # fmt: skip
def test_what_is_no_network_to_take_is_refused(saved, content: object, key: str | None, message: str):
    with pytest.raises(IlwpError, match=message) as refusal:
        read_tensor_file(saved(content), key)
    assert "\n" not in str(refusal.value)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_a_quantized_tensor_is_refused_with_what_to_do(saved):
    path = saved({**NETWORK, "q": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)})
    with pytest.raises(IlwpError, match="q is qint8, of a quantized network: compress the floating-point network"):
        read_tensors(path)


def test_a_key_has_no_meaning_elsewhere(tmp_path: Path):
    (tmp_path / "a.safetensors").write_bytes(b"\2" + bytes(7) + b"{}")
    with pytest.raises(IlwpError, match="--key chooses between networks in a torch file"):
        read_tensor_file(tmp_path / "a.safetensors", "model")


def test_half_a_zip_is_cut_short(saved):
    path = saved(NETWORK)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(IlwpError, match="cut short or damaged"):
        read_tensors(path)


@pytest.mark.filterwarnings("ignore:.*deprecated")
def test_a_torch_script_is_named(tmp_path: Path):
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), tmp_path / "script.pt")
    with pytest.raises(IlwpError, match="TorchScript archive"):
        read_tensors(tmp_path / "script.pt")
