from pathlib import Path

import pytest
from tiny_profile import TINY

from ilwp.experiments import profiles, runs


@pytest.fixture
def folder(tmp_path: Path, tiny_cifar: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where profiles, checkpoints and records are."""
    (tmp_path / "tiny.yaml").write_text(TINY)
    (tmp_path / "short.yaml").write_text(TINY.replace("epochs: 10", "epochs: 1"))
    for module, name in ((profiles, "CONFIG"), (runs, "CHECKPOINTS"), (runs, "RUNS")):
        monkeypatch.setattr(module, name, tmp_path)
    return tmp_path
