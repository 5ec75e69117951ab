"""Commands import what they need and no more, since a help text or a small file should not wait for it."""

import subprocess
import sys
from pathlib import Path

import pytest

from ilwp.cli.main import cli

HEAVY = {"matplotlib", "pandas", "scipy", "seaborn", "sklearn", "torch"}
EXPECTED = Path(__file__).parent.parent / "expected"


def imported(*arguments: object) -> set[str]:
    """The packages that a command imports, by their names at the top."""
    code = """
import sys
from ilwp.cli.main import main
try:
    main()
finally:
    print(*{module.partition(".")[0] for module in sys.modules}, file=sys.stderr)
"""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stderr.split())


@pytest.mark.parametrize("command", [[], *([name] for name in cli.commands)], ids=" ".join)
def test_a_help_text_needs_click_alone(command: list[str]):
    found = imported(*command, "--help")
    assert "click" in found
    assert not found & {*HEAVY, "numpy", "pydantic", "constriction", "tqdm"}


@pytest.mark.parametrize("name", ["network.ilwp", "ill.ilwp", "codebooks.ilwp"])
def test_reading_a_file_needs_no_heavy_package(name: str, tmp_path: Path):
    assert not imported("inspect", EXPECTED / name) & HEAVY
    assert not imported("decompress", EXPECTED / name, "-o", tmp_path / "back.safetensors") & HEAVY
