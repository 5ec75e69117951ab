"""A network in a folder as Hugging Face lays it out, and an index of the shards that a large one is cut into."""

import mmap
from collections.abc import Mapping
from pathlib import Path

from ilwp.common.errors import IlwpError, printable
from ilwp.common.file_kinds import INDEX, parsed_json
from ilwp.common.files import readable

# the names that are looked for in a folder; the first that exists is taken
FILES = ("model.safetensors", "diffusion_pytorch_model.safetensors", "pytorch_model.bin")
NAMES = tuple(name for file in FILES for name in (file, f"{file}{INDEX}"))


def network_in(folder: Path) -> Path:
    """The file or the index of a folder's network; raises IlwpError where there is none or no one."""
    for name in NAMES:
        if (folder / name).is_file():
            return folder / name
    with readable(folder):
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".safetensors")
    if len(found) == 1:
        return found[0]
    why = f"{len(found)} networks in it" if found else f"no {NAMES[0]} in it"
    raise IlwpError(f"{folder} could not be read: it is a folder with {why}, so name a file")


def shards_of(index: Path, content: mmap.mmap) -> dict[Path, list[str]]:
    """The names of tensors that each shard holds, from an index's content; raises IlwpError where one is missing."""
    parsed = parsed_json(content)
    names = parsed.get("weight_map") if isinstance(parsed, Mapping) else None
    if not isinstance(names, Mapping) or not names or not all(isinstance(file, str) for file in names.values()):
        raise IlwpError("not an index of shards: its weight_map says of no tensor in which file it is")
    shards: dict[Path, list[str]] = {}
    for name, file in sorted(names.items(), key=lambda item: item[1]):
        if Path(file).name != file or file.lower().endswith(INDEX):
            raise IlwpError(f"its shard {printable(file)[:80]} is no file beside it: put all into one folder")
        if index.with_name(file) not in shards and not index.with_name(file).is_file():
            raise IlwpError(f"its shard {printable(file)[:80]} is missing: put it into the same folder")
        shards.setdefault(index.with_name(file), []).append(name)
    return shards
