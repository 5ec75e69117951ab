"""What a file is, told by its content, so that a refusal names the real cause."""

import json
import mmap
import zipfile
from typing import Literal

from ilwp.common.errors import IlwpError, one_line

Kind = Literal["safetensors", "torch", "index"]

INDEX = ".index.json"  # ends the name of the list of a network's shards
ENDINGS: dict[str, Kind] = {
    ".safetensors": "safetensors", ".pt": "torch", ".pth": "torch", ".bin": "torch", ".ckpt": "torch", ".tar": "torch",
    INDEX: "index",
}  # fmt: skip
TITLES = {"safetensors": "safetensors file", "torch": "torch file", "index": "index of shards"}
LONGEST_HEADER = 100_000_000  # of a safetensors file, in bytes, as the safetensors library has it
LEGACY = bytes.fromhex("6cfc9c46f9206aa85019")  # the number with which torch's files begin that are no zip archives
CONVERT = "convert it to .safetensors first"
UNPACK = "unpack it first"
# (offset, bytes there, what that is, what to do)
FOREIGN = [
    (0, b"version https://git-lfs", "a Git LFS pointer and not the network itself", "run `git lfs pull`"),
    (0, b"ILWP", "an .ilwp file", "give it a name that ends in .ilwp"),
    (0, b"\x93NUMPY", "a NumPy array without a name", CONVERT),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes them", CONVERT),
    (0, b"GGUF", "a GGUF file", CONVERT),
    (4, b"TFL3", "a TensorFlow Lite file", CONVERT),
    (0, b"\x1f\x8b", "compressed by gzip", UNPACK),
    (0, b"BZh", "compressed by bzip2", UNPACK),
    (0, b"\xfd7zXZ\0", "compressed by xz", UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "compressed by zstd", UNPACK),
    (0, b"7z\xbc\xaf", "a 7z archive", UNPACK),
    (257, b"ustar", "a tar archive", UNPACK),
]
# (end of a member's name, what an archive with such a member is, what to do)
ARCHIVES = [
    ("/constants.pkl", "a TorchScript archive, which is a program", "save the module's state_dict() instead"),
    ("/archive_format", "an exported program (torch.export)", "save the module's state_dict() instead"),
    (".weights.h5", "a Keras file", CONVERT),
    (".npy", "a NumPy archive (.npz)", CONVERT),
]


def kind_of(content: mmap.mmap, name: str) -> Kind:
    """What reads a file: its content decides.

    Raises IlwpError where the content is no network, or the name's ending belongs to another kind.
    """
    expected = next((kind for end, kind in ENDINGS.items() if name.lower().endswith(end)), None)
    head = content[:512]
    found: Kind
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= LONGEST_HEADER:
        found = "safetensors"
    elif head.startswith(b"PK\x03\x04") or (head[:1] == b"\x80" and LEGACY in head[:64]):
        found = "torch"
    elif head.lstrip().startswith(b"{") and expected == "index":
        return "index"
    else:
        raise IlwpError(_refusal(head, TITLES[expected or "torch"] if expected else "file of tensors"))
    if expected not in (None, found):
        ending = ".safetensors" if found == "safetensors" else ".pt"
        raise IlwpError(f"not a {TITLES[str(expected)]} but a {TITLES[found]}: rename it to end in {ending}")
    return found


def check_archive(archive: zipfile.ZipFile) -> None:
    """Raises IlwpError for a zip archive that torch.save did not write, or that holds more than tensors."""
    names = archive.namelist()
    for end, what, advice in ARCHIVES:
        if any(name.endswith(end) for name in names):
            raise IlwpError(f"it is {what}: {advice}")
    if not any(name.endswith("data.pkl") for name in names):
        raise IlwpError(f"it is a zip archive without a torch file's content: {UNPACK}")


def _refusal(head: bytes, expected: str) -> str:
    start = head.lstrip(b"\xef\xbb\xbf\r\n\t ").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<?xml")):
        return "it is a web page, as a download that failed leaves it: download the file again"
    for offset, magic, what, advice in FOREIGN:
        if head[offset:].startswith(magic):
            return f"it is {what}: {advice}"
    # the first field of ONNX's message is its version, a small number, the second the name of what wrote it
    if head[:1] == b"\x08" and head[2:3] == b"\x12":
        return f"it is an ONNX file: {CONVERT}"
    if start.startswith((b"{", b"[")):
        return "it is a JSON file and holds no tensors: name the file or the folder of the network itself"
    if head.startswith(b"\x80"):
        return "it is a plain pickle, and reading it would run code from the file: save tensors with torch.save"
    return f"not a whole {expected}: it begins like no file of tensors, so save or download it again"


def parsed_json(content: mmap.mmap) -> object:
    """A JSON text's value; raises IlwpError where it is none."""
    try:
        return json.loads(bytes(content))
    except (ValueError, RecursionError) as error:
        raise IlwpError(f"not a whole JSON file ({one_line(error)})") from error
