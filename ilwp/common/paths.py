"""Where things are; no other module spells a path out.

A checkout keeps what it makes beside what it holds. An installed package holds the profiles alone, and what it makes
goes to the folder in which it is called.
"""

import os
from pathlib import Path

from platformdirs import user_cache_path

PACKAGE = Path(__file__).resolve().parents[1]
ROOT = PACKAGE.parent  # of a checkout
INSTALLED = (PACKAGE / "config").is_dir()  # a checkout has config/ at its top instead
WORK = Path.cwd() if INSTALLED else ROOT
CONFIG = (PACKAGE if INSTALLED else ROOT) / "config"
EVIDENCE = WORK / "data"
RUNS = EVIDENCE / "runs"
CHECKPOINTS = WORK / "checkpoints"
LOGS = WORK / "logs"
NOTEBOOKS = WORK / "notebooks"
NOTEBOOK_OUTPUTS = WORK / "runs"


def images_folder() -> Path:
    """The folder of the data sets' NPZ files: `$ILWP_DATA`, by default the user's cache."""
    return Path(os.environ.get("ILWP_DATA") or user_cache_path("ilwp"))
