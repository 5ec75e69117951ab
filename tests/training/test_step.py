import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from ilwp.networks.build import build
from ilwp.networks.tensors import arrays, depthwise_names
from ilwp.paper.losses import inter_layer_loss, total_loss
from ilwp.training import datasets, step
from ilwp.training.devices import device
from ilwp.training.recipe import TrainConfig, inter_layer_weight
from ilwp.training.step import Layout, assemble, captured, layout_speeds, restore, set_rate, stepper
from ilwp.training.train import train
from ilwp.training.tying import tie

# 80 images: two batches of 32 and one of 16
SMALL = TrainConfig("cifar10", "mobilenet", inter_layer=1, width=0.1, epochs=2, batch_size=32, learning_rate=0.05)
# gentle, so that sums in another order do not end far apart
GENTLE = replace(SMALL, learning_rate=0.002, calibration=0.01)
LAMBDAS = [0.0, 1.0, math.inf]


@pytest.fixture
def images(tiny_cifar: Path) -> datasets.Images:
    return datasets.load("cifar10").to(device())


def by_the_book(config: TrainConfig, images: datasets.Images) -> tuple[nn.Module, list[tuple[float, float]]]:
    """The recipe written out once more, eagerly in float32, everything drawn and read batch by batch."""
    network = build(config.network, 10, config.width, config.seed).to(memory_format=torch.channels_last).train()
    layers = [network.get_submodule(name.removesuffix(".weight")) for name in depthwise_names(network)]
    tied = math.isinf(config.inter_layer)
    if tied:
        tie(layers)
    weight = 0.0 if tied else inter_layer_weight(config, len(images.train))
    weights = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(
        weights, config.learning_rate, config.momentum, weight_decay=config.weight_decay, nesterov=True
    )
    history, steps = [], math.ceil(len(images.train) / config.batch_size)
    for epoch in range(config.epochs):
        generator = torch.Generator().manual_seed(config.seed * 100_003 + epoch)
        total = inter_layer = 0.0
        order = torch.randperm(len(images.train), generator=generator).split(config.batch_size)
        for number, chosen in enumerate(order):
            n = len(chosen)
            padded = nn.functional.pad(images.train[chosen], (4, 4, 4, 4))
            top, left = torch.randint(0, 9, (2, n), generator=generator).tolist()
            flip = (torch.rand(n, generator=generator) < 0.5).tolist()
            windows = [padded[i, :, top[i] : top[i] + 32, left[i] : left[i] + 32] for i in range(n)]
            pixels = torch.stack([w.flip(2) if f else w for w, f in zip(windows, flip, strict=True)])
            mean, square = (images.train.double() ** k for k in (1, 2))
            mean, square = (t.mean((0, 2, 3)).float().view(1, 3, 1, 1) for t in (mean, square))
            x = ((pixels.float() - mean) / (square - mean**2).sqrt()).contiguous(memory_format=torch.channels_last)
            optimizer.param_groups[0]["lr"] = config.rate(epoch * steps + number, steps)
            with parametrize.cached():
                loss = total_loss(network(x), images.train_labels[chosen], [q.weight for q in layers], weight)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * n
            with parametrize.cached():
                inter_layer += inter_layer_loss([q.weight.detach() for q in layers]).item() * n
        history.append((total / len(images.train), inter_layer / len(images.train)))
    if tied:
        for layer in layers[1:]:
            parametrize.remove_parametrizations(layer, "weight")
    return network, history


@pytest.mark.usefixtures("on_a_cpu")
@pytest.mark.parametrize("inter_layer", LAMBDAS)
@pytest.mark.parametrize("change", [{}, {"schedule": "one-cycle", "seed": 3}, {"network": "shufflenetv2"}], ids=str)
def test_a_cpu_ends_in_the_bits_of_the_recipe_written_out(change, inter_layer, tiny_cifar: Path, tmp_path: Path):
    images = datasets.load("cifar10")
    config = replace(SMALL, inter_layer=inter_layer, **change)
    network, history = train(config, images, tmp_path, progress=False)
    expected, losses = by_the_book(config, images)
    assert [(e.loss, e.inter_layer_loss) for e in history] == losses
    for (name, found), (other, wanted) in zip(arrays(network).items(), arrays(expected).items(), strict=True):
        assert name == other
        assert found.tobytes() == wanted.tobytes(), name


def outcome(run: step.Step, parts: step.Parts, config: TrainConfig) -> dict[str, np.ndarray]:
    """Weights and sums after an epoch of these steps."""
    rows = datasets.draws(parts.images, config.batch_size, seed=5).to(parts.sums.device)
    for number, batch in enumerate(rows.split(config.batch_size)):
        set_rate(parts.optimizer, config.rate(number, 3))
        run(batch)
    return {**arrays(parts.network), "sums": parts.sums.cpu().numpy()}


def same(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    """Bit for bit on a CPU; on a GPU the losses, nearly."""
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        if torch.cuda.is_available():
            if name == "sums":
                np.testing.assert_allclose(found[name], array, rtol=0.05)
        else:
            np.testing.assert_array_equal(found[name], array, err_msg=name)


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no GPU, a graph is the call that would be captured."""
    if not torch.cuda.is_available():
        monkeypatch.setattr(step, "_graph", lambda call: call)


@pytest.mark.usefixtures("graphs")
@pytest.mark.parametrize("inter_layer", LAMBDAS)
@pytest.mark.parametrize("layout", ["channels last", "contiguous"])
def test_captured_steps_of_both_sizes_do_what_plain_calls_do(
    layout: Layout, inter_layer: float, images: datasets.Images
):
    config = replace(GENTLE, inter_layer=inter_layer)
    plain, parts = (assemble(config, images, layout) for _ in range(2))
    graphs = {size: captured(parts, size) for size in (32, 16)}
    found = outcome(lambda rows: graphs[len(rows)](rows), parts, config)
    same(found, outcome(lambda rows: step.step(plain, rows), plain, config))


@pytest.mark.usefixtures("graphs")
def test_capturing_changes_nothing_in_the_middle_of_a_run_either(images: datasets.Images):
    parts, other = (assemble(GENTLE, images, "channels last") for _ in range(2))
    for each in (parts, other):
        outcome(stepper(each, {32, 16}), each, GENTLE)
    before = {**arrays(parts.network), "sums": parts.sums.cpu().numpy().copy()}
    graphs = {size: captured(parts, size) for size in (32, 16)}
    same({**arrays(parts.network), "sums": parts.sums.cpu().numpy()}, before)
    same(outcome(lambda rows: graphs[len(rows)](rows), parts, GENTLE), outcome(stepper(other, {32, 16}), other, GENTLE))


@pytest.mark.usefixtures("graphs")
def test_what_was_saved_in_one_layout_goes_on_in_the_other(images: datasets.Images):
    first, second = (assemble(GENTLE, images, layout) for layout in ("channels last", "contiguous"))
    outcome(stepper(first, {32, 16}), first, GENTLE)
    restore(second, first.network.state_dict(), first.optimizer.state_dict())
    for weight, state in second.optimizer.state.items():
        assert state["momentum_buffer"].stride() == weight.stride()
    second.sums.copy_(first.sums)
    found, wanted = (outcome(stepper(each, {32, 16}), each, GENTLE) for each in (second, first))
    # single weights part at once, since batch norms of so few channels magnify rounding; losses stay together
    np.testing.assert_allclose(found["sums"], wanted["sums"], rtol=0.05)


def test_a_rate_in_a_tensor_is_obeyed_by_the_optimizer_of_a_graph(images: datasets.Images):
    ends = []
    for fused in (False, True):
        parts = assemble(GENTLE, images, "channels last")
        group = parts.optimizer.param_groups[0]
        if fused:
            group.update(lr=torch.tensor(0.1, device=device()), fused=True)
        ends.append(outcome(stepper(parts, {32, 16}), parts, GENTLE))
        if fused:
            assert float(group["lr"]) == pytest.approx(GENTLE.rate(2, 3))
    for name, array in ends[0].items():
        np.testing.assert_allclose(ends[1][name], array, rtol=0.1, atol=0.01, err_msg=name)


def test_both_layouts_are_probed_on_networks_of_their_own(images: datasets.Images, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(step, "TIMED", 2)
    speeds = layout_speeds(GENTLE, images)
    assert list(speeds) == ["channels last", "contiguous"]
    assert all(speed > 0 for speed in speeds.values())


def test_a_probe_ends_when_its_time_is_over(images: datasets.Images):
    assert all(speed > 0 for speed in layout_speeds(GENTLE, images, seconds=0).values())
