"""The command line: ilwp svwh."""

import json
from pathlib import Path

import click

from ilwp.cli.common import FilePath, json_option, kernels_in, key_option, show
from ilwp.common.errors import IlwpError


@click.command()
@click.argument("file", type=FilePath)
@json_option
@key_option
def svwh(file: Path, as_json: bool, key: str | None) -> None:
    """Test the smoothly varying weight hypothesis on a network.

    It is Eq. 1 of the paper. For each layer: the share of its kernels whose nearest kernel in L1, of all layers before,
    lies in the previous one; the share that chance alone gives; and their ratio, the lift.
    """
    from ilwp.cli import reports
    from ilwp.door import read_state_dict

    kernels = kernels_in(file, read_state_dict(file, key))
    if len(kernels) < 3:
        raise IlwpError(f"{file} has {len(kernels)} depthwise layers: the hypothesis needs at least three")
    summary = reports.svwh_summary(kernels)
    show(json.dumps({"file": str(file), **summary}) if as_json else reports.svwh_text(summary))
