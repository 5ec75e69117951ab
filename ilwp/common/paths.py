"""Where things are; no other module spells a path out."""

import os
from pathlib import Path

from platformdirs import user_cache_path

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config"
EVIDENCE = ROOT / "data"
RUNS = EVIDENCE / "runs"
CHECKPOINTS = ROOT / "checkpoints"
LOGS = ROOT / "logs"
NOTEBOOKS = ROOT / "notebooks"
NOTEBOOK_OUTPUTS = ROOT / "runs"


def images_folder() -> Path:
    """The folder of the data sets' NPZ files: `$ILWP_DATA`, by default the user's cache."""
    return Path(os.environ.get("ILWP_DATA") or user_cache_path("ilwp"))
