from pathlib import Path

import pytest

from ilwp.training import datasets


@pytest.fixture
def images(tiny_cifar: Path) -> datasets.Images:
    return datasets.load("cifar10")
