from pathlib import Path

import numpy as np
import pytest
import torch

from ilwp.training import datasets
from ilwp.training.inputs import load_inputs

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("beside", "labels"),
    [
        ({"y": np.arange(5, dtype=np.uint8)}, [0, 1, 2, 3, 4]),
        ({}, None),
        ({"y": np.arange(5.0)}, None),
        ({"y": np.arange(4)}, None),
        ({"y": np.arange(5), "place": np.arange(5)}, None),
    ],
    ids=["integers", "none", "floating point", "too few", "two kinds"],
)
def test_labels_are_the_one_array_of_integers_beside_the_images(tmp_path: Path, beside, labels):
    np.savez(tmp_path / "images.npz", images=IMAGES, **beside)
    found = load_inputs(str(tmp_path / "images.npz"), 4).labels
    assert (found if found is None else found.tolist()) == (labels and labels[:4])


def test_a_data_sets_labels_stay_with_its_images():
    digits, found = datasets.load("digits"), load_inputs("digits", 50)
    for image, label in zip(found.images, found.labels, strict=True):
        same = (digits.test == image).flatten(1).all(1)
        assert label in digits.test_labels[same]


def test_halves_share_nothing_and_miss_nothing(tmp_path: Path):
    from PIL import Image

    for i, image in enumerate(IMAGES):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    for whole in (load_inputs(str(tmp_path), 5, side=4), load_inputs("digits", 51)):
        halves = [whole.every_other(first) for first in (0, 1)]
        assert [len(half) for half in halves] == [(len(whole) + 1) // 2, len(whole) // 2]
        images, *shown = (torch.cat(list(inputs.batches(7))) for inputs in (whole, *halves))
        for first, half in enumerate(shown):
            torch.testing.assert_close(half, images[first::2], rtol=0, atol=0)
        if whole.labels is not None:
            assert halves[1].labels.tolist() == whole.labels[1::2].tolist()
