"""Quick or long, and where the figures of the long checks go: one file a check, in data/trust."""

import json
import os
import platform
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ilwp.common.files import atomic_write
from ilwp.common.paths import EVIDENCE, ROOT

LONG = bool(os.environ.get("LONG"))
FOLDER = EVIDENCE / "trust"
TOOLS = ROOT / ".venv-trust"  # where the Makefile installs what only these checks need
PACKAGES = ("numpy", "scipy", "constriction", "bitarray", "pydantic", "safetensors", "torch", "hypothesis")


def save(name: str, figures: dict[str, Any]) -> None:
    """Leave a long check's figures with the day and the versions that they were made with; a quick one leaves none."""
    if not LONG:
        return
    path = FOLDER / f"{name}.json"
    known = json.loads(path.read_text())["figures"] if path.exists() else {}
    software = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            software[package] = version(package)
        except PackageNotFoundError:
            continue
    made_by = f"make test-trust LONG=1 (tests/trust/check_{name}.py)"
    today = date.today().isoformat()
    content = {"made by": made_by, "date": today, "software": software, "figures": known | figures}
    atomic_write(path, (json.dumps(content, indent=1) + "\n").encode())
