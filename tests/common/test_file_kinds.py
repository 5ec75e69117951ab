import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from samples import state_dict

from ilwp.common.errors import IlwpError
from ilwp.common.tensor_files import read_tensors, to_safetensors

SAFETENSORS = to_safetensors(state_dict())


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return file.getvalue()


def numpy_file(save: object, **arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    save(file, *arrays.values())  # type: ignore[operator]
    return file.getvalue()


OTHERS = {
    "a Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "run `git lfs pull`"),
    "a web page": (b"\n<!DOCTYPE html>\n<html>", "download the file again"),
    "a web page in capitals": (b"<HTML><BODY>", "a web page"),
    "an error of a store": (b"<?xml version='1.0'?><Error/>", "a web page"),
    "a NumPy array": (numpy_file(np.save, a=np.ones(2)), "a NumPy array"),
    "a NumPy archive": (numpy_file(np.savez, a=np.ones(2)), r"a NumPy archive \(.npz\)"),
    "Keras": (b"\x89HDF\r\n\x1a\n" + bytes(99), "an HDF5 file"),
    "Keras, zipped": (zipped("config.json", "model.weights.h5"), "a Keras file"),
    "ONNX": (b"\x08\x08\x12\x07pytorch", "an ONNX file"),
    "GGUF": (b"GGUF\3\0\0\0", "a GGUF file"),
    "TFLite": (b"\x1c\0\0\0TFL3", "a TensorFlow Lite file"),
    "JSON": (b'{"architectures": []}', "a JSON file"),
    "gzip": (b"\x1f\x8b\x08", "compressed by gzip: unpack it first"),
    "tar": (b"model.pth".ljust(257, b"\0") + b"ustar", "a tar archive: unpack it first"),
    "another zip": (zipped("photo.jpg"), "a zip archive without a torch file's content"),
    "an exported program": (zipped("model/archive_format", "model/data/weights/0"), "an exported program"),
    "TorchScript": (zipped("script/constants.pkl", "script/data.pkl", "script/code/x.py"), "a TorchScript archive"),
    "a pickle": (b"\x80\x04\x95", "a plain pickle"),
    "ilwp": (b"ILWP\1", r"an .ilwp file: give it a name that ends in .ilwp"),
    "text": (b"weights", "begins like no file of tensors"),
    "zeros": (bytes(4096), "begins like no file of tensors"),
}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".bin", ".onnx"])
def test_other_files_are_called_what_they_are_under_any_name(tmp_path: Path, kind: str, suffix: str):
    content, message = OTHERS[kind]
    path = tmp_path / f"network{suffix}"
    path.write_bytes(content)
    zip_in_the_wrong_place = content.startswith(b"PK") and suffix == ".safetensors"
    with pytest.raises(IlwpError, match="rename it" if zip_in_the_wrong_place else message) as refusal:
        read_tensors(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("suffix", ["", ".safetensors", ".SafeTensors", ".model"])
def test_a_safetensors_file_is_read_whatever_its_name_unless_that_says_torch(tmp_path: Path, suffix: str):
    (tmp_path / f"network{suffix}").write_bytes(SAFETENSORS)
    assert read_tensors(tmp_path / f"network{suffix}").keys() == state_dict().keys()


@pytest.mark.parametrize("suffix", [".pth", ".PT", ".pth.tar", ".bin", ".ckpt"])
def test_a_safetensors_file_under_a_torch_files_name_is_to_be_renamed(tmp_path: Path, suffix: str):
    (tmp_path / f"network{suffix}").write_bytes(SAFETENSORS)
    with pytest.raises(IlwpError, match="not a torch file but a safetensors file: rename it"):
        read_tensors(tmp_path / f"network{suffix}")
