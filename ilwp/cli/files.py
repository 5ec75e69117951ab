"""The command line: ilwp decompress, ilwp inspect."""

import json
from pathlib import Path

import click

from ilwp.cli.common import FilePath, json_option, key_option, other_than, show
from ilwp.common.errors import IlwpError, about


@click.command()
@click.argument("file", type=FilePath)
@click.option(
    "-o", "--output", type=FilePath,
    help="The .safetensors file to write.  [default: FILE with suffix .safetensors]",
)  # fmt: skip
@click.option("--skip-damaged", is_flag=True, help="Of a damaged file, write the tensors that are sound.")
def decompress(file: Path, output: Path | None, skip_damaged: bool) -> None:
    """Decode an .ilwp file into a .safetensors file.

    It holds a state dict that loads into the same network.
    """
    from ilwp.common.tensor_files import write_state_dict
    from ilwp.door import open_file

    with open_file(file) as opened, about(file):
        tensors, problems = opened.sound_tensors()
        metadata = opened.metadata()
        if problems and not (skip_damaged and tensors):
            first = next(iter(problems.values()))
            others = f"; --skip-damaged gives the {len(tensors):,} tensors that are sound" if tensors else ""
            raise IlwpError(f"{first}{others}")
    path = output or file.with_suffix(".safetensors")
    if output is None and path.exists():
        raise IlwpError(f"{path} is there already, perhaps the original: name the file to write with --output")
    other_than(file, path, ".safetensors")
    write_state_dict(path, tensors, metadata)
    for name in problems:
        show(f"left out {name}, which is damaged", err=True)
    show(f"wrote {len(tensors)} tensors to {path}")


@click.command()
@click.argument("file", type=FilePath)
@json_option
@key_option
def inspect(file: Path, as_json: bool, key: str | None) -> None:
    """Say what is in a file.

    For an .ilwp file: how it was coded and where its bits go. For a state dict: what each tensor
    is taken for.
    """
    from ilwp.cli import reports
    from ilwp.common.files import read_bytes
    from ilwp.door import read_state_dict

    content = read_bytes(file) if file.suffix == ".ilwp" and key is None else read_state_dict(file, key)
    with about(file):
        summary, text = reports.inspected(content) if isinstance(content, bytes) else reports.listed_tensors(content)
    show(json.dumps({"file": str(file), **summary}) if as_json else text)
