from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ilwp.common.errors import IlwpError
from ilwp.door import bound, compress_network, decoded, structure_of_module
from ilwp.door.bound import Bounded, Loss, compress_within, lowest
from ilwp.networks.comparison import output_differences
from ilwp.networks.tensors import arrays, load_tensors
from ilwp.training.inputs import Inputs
from ilwp.whole.plan import Plan

HALVINGS = st.integers(0, 12)


@given(st.floats(0, 100), HALVINGS)
def test_bisection_ends_just_above_where_a_bound_begins_to_hold(least: float, halvings: int):
    tried: list[float] = []

    def holds(quality: float) -> bool:
        tried.append(quality)
        return quality >= least

    found = lowest(holds, 100.0, halvings)
    assert found is not None
    assert least <= found <= least + 100 / 2**halvings or found == 100
    assert len(tried) == len(set(tried)) == halvings + 1


@given(st.lists(st.floats(0, 1.5), min_size=13, max_size=13), st.floats(0, 2), HALVINGS)
def test_under_noise_what_is_found_was_tried_and_held_and_nothing_tried_below_it_did(
    noise: list[float], most: float, halvings: int
):
    tried: dict[float, bool] = {}

    def holds(quality: float) -> bool:
        drop = 100 * 2 ** (-quality / 8) + noise[len(tried)]
        tried[quality] = drop <= most
        return tried[quality]

    held = lowest(holds, 100.0, halvings)
    first = next(iter(tried))
    assert first == 100
    assert held == (min(quality for quality, held in tried.items() if held) if tried[first] else None)
    assert len(tried) == (halvings + 1 if tried[first] else 1)


def classifier() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 5)).eval()


def noise(count: int = 200, labelled: bool = False) -> Inputs:
    """Images (n, 3, 8, 8), labelled as the classifier sees them but for one in four."""
    images = torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    labels = None
    if labelled:
        labels = classifier()(images).argmax(1)
        labels[::4] = (labels[::4] + 1) % 5
    return Inputs(images, None, "none", labels)


def within(most: float, inputs: Inputs, network: torch.nn.Module | None = None) -> Bounded:
    module = network or classifier()
    tensors = arrays(module)
    return compress_within(tensors, Plan(), structure_of_module(module, tensors), inputs, most)


@pytest.mark.parametrize("most", [0.0, 2.0, 10.0])
def test_the_file_changes_the_class_of_no_more_inputs_than_allowed(most: float):
    inputs, found, module, after = noise(), within(most, noise()), classifier(), classifier()
    load_tensors(after, decoded(found.compressed.content))
    for first, loss in ((0, found.chosen_on), (1, found.held_out)):
        agreement = output_differences(module, after, [inputs.images[first::2]]).agreement
        assert loss == Loss(100, 100, round(100 * agreement))
    assert found.chosen_on.points <= most
    assert found.tried == 10
    assert not found.labelled
    assert within(most, noise()).compressed.content == found.compressed.content


def test_with_labels_it_is_accuracy_that_counts():
    inputs, found, after = noise(labelled=True), within(4.0, noise(labelled=True)), classifier()
    load_tensors(after, decoded(found.compressed.content))
    hits = after(inputs.images).argmax(1) == inputs.labels
    assert found.labelled
    assert found.chosen_on == Loss(100, 50, int(hits[::2].sum()))
    assert found.held_out == Loss(100, 100, int(hits[1::2].sum()))
    assert found.chosen_on.points <= 4


def test_of_all_files_tried_it_is_the_smallest_that_holds_the_bound(monkeypatch: pytest.MonkeyPatch):
    made: dict[float, bytes] = {}

    def spy(tensors, plan, *rest, **others):
        compressed = compress_network(tensors, plan, *rest, **others)
        made[plan.quality] = compressed.content
        return compressed

    monkeypatch.setattr(bound, "compress_network", spy)
    found, module, after = within(3.0, noise()), classifier(), classifier()
    held = {}
    for quality, content in made.items():
        load_tensors(after, decoded(content))
        if output_differences(module, after, [noise().images[::2]]).agreement >= 0.97:
            held[quality] = len(content)
    assert len(made) == 10
    assert len(found.compressed.content) == min(held.values()) < max(held.values())
    assert made[found.quality] == found.compressed.content


def test_held_out_inputs_choose_nothing():
    inputs = noise()
    other = inputs.images.clone()
    other[1::2] = other[1::2].flip(0) * 3
    found = within(3.0, replace(inputs, images=other))
    assert found.compressed.content == within(3.0, inputs).compressed.content


def test_what_cannot_be_bounded_is_refused(monkeypatch: pytest.MonkeyPatch):
    labelled = noise(labelled=True)
    wrong = replace(labelled, labels=labelled.labels + 100)
    alike = replace(noise(), images=noise().images[:1].expand(9, -1, -1, -1))
    for inputs, most in ((wrong, 1.0), (alike, 1.0), (labelled, 100.0)):
        with pytest.raises(IlwpError, match="bounds nothing on these images"):
            within(most, inputs)
    with pytest.raises(IlwpError, match="at least 2 images"):
        within(1.0, noise(1))
    with pytest.raises(IlwpError, match="no classes"):
        within(1.0, noise(), torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 1)).eval())
    monkeypatch.setattr(bound, "HIGHEST", 1.0)
    with pytest.raises(IlwpError, match=r"even at 1 dB .* points are lost, more than 0: allow more"):
        within(0.0, noise())


def test_points_are_exact_at_the_bound():
    for count in (100, 360, 1000, 3000):
        for lost in range(0, count, 7):
            assert Loss(count, count, count - lost).points == np.float64(100 * lost) / count
