"""Training with or without the inter-layer loss, resumable; section 4's recipe.

    TrainConfig -> train(...) -> network, history -> evaluate(...)

On a CPU a run is single-threaded, and nothing in it depends on the clock, on the process or on how often it was
interrupted: the same configuration ends in the same bits. On a GPU it does not, since sums have no fixed order there.
"""

import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

import torch
from torch import nn
from torch.nn.utils import parametrize
from tqdm import tqdm

from ilwp.common import locks
from ilwp.common.errors import IlwpError
from ilwp.common.files import delete_temporaries
from ilwp.common.progress import progress_bar
from ilwp.training import checkpoints, datasets
from ilwp.training.devices import device, single_threaded
from ilwp.training.recipe import Epoch, Layout, TrainConfig
from ilwp.training.step import Parts, Step, assemble, restore, set_rate, stepper

SAVED_EVERY = {"cpu": 1, "cuda": 5}  # epochs: on a GPU they take seconds


def train(
    config: TrainConfig, images: datasets.Images, folder: Path, progress: bool = True, layout: Layout = "channels last"
) -> tuple[nn.Module, list[Epoch]]:
    """Train to the last epoch, from the newest whole checkpoint in `folder` if there is one.

    Returns the network (on its device, in evaluation mode) and one `Epoch` an epoch. `layout` is how activations lie
    in memory. Raises IlwpError if another process trains there, the folder belongs to another configuration, or the
    loss stops being finite.
    """
    with locks.held(folder):
        delete_temporaries(folder)
        return _train(config, images, folder, progress, layout)


def evaluate(network: nn.Module, images: datasets.Images) -> float:
    """Top-1 accuracy on the test set in percent, computed in float32."""
    images = images.to(next(network.parameters()).device)
    network.eval()
    correct = torch.zeros((), dtype=torch.int64, device=images.test.device)
    with torch.inference_mode():
        for x, y in zip(torch.split(images.test, 500), torch.split(images.test_labels, 500), strict=True):
            correct += (network(images.normalise(x)).argmax(1) == y).sum()
    return 100 * int(correct) / len(images.test)


def _train(
    config: TrainConfig, images: datasets.Images, folder: Path, progress: bool, layout: Layout
) -> tuple[nn.Module, list[Epoch]]:
    where = device()
    single_threaded()
    parts = assemble(config, images.to(where), layout)
    network = parts.network
    history: list[Epoch] = []
    # fields without a value are left out, so that a checkpoint of before they were there is still of its configuration
    written = {name: value for name, value in asdict(config).items() if value is not None}
    if state := checkpoints.newest(folder, written, where):
        restore(parts, state["network"], state["optimizer"])
        history = [Epoch(**epoch) for epoch in state["history"]]
    sizes = [len(rows) for rows in torch.split(torch.arange(len(images.train)), config.batch_size)]
    steps, run = len(sizes), stepper(parts, set(sizes))
    with progress_bar("training", config.epochs * steps, "batches", len(history) * steps, progress) as bar:
        for epoch in range(len(history), config.epochs):
            started = time.monotonic()
            bar.set_description(f"epoch {epoch + 1}/{config.epochs}", refresh=False)
            loss, inter_layer = _epoch(config, epoch, parts, run, bar)
            accuracy = evaluate(network, parts.images)
            rate = config.rate((epoch + 1) * steps - 1, steps)
            history.append(Epoch(rate, loss, inter_layer, accuracy, time.monotonic() - started))
            bar.set_postfix(loss=f"{loss:.3f}", accuracy=f"{accuracy:.2f} %", refresh=False)
            if len(history) % SAVED_EVERY[where.type] == 0 or len(history) == config.epochs:
                checkpoints.save(folder, len(history), {
                    "config": written, "history": [asdict(e) for e in history],
                    "network": network.state_dict(), "optimizer": parts.optimizer.state_dict(),
                })  # fmt: skip
    if math.isinf(config.inter_layer):
        for layer in parts.layers[1:]:
            parametrize.remove_parametrizations(layer, "weight")
    return network.eval(), history


def _epoch(config: TrainConfig, epoch: int, parts: Parts, run: Step, bar: "tqdm[NoReturn]") -> tuple[float, float]:
    """Mean total loss and mean inter-layer loss over one epoch of training."""
    images, where = parts.images, parts.sums.device
    parts.network.train()
    parts.sums.zero_()
    drawn = datasets.draws(images, config.batch_size, seed=config.seed * 100_003 + epoch).to(where)
    batches = torch.split(drawn, config.batch_size)
    for number, rows in enumerate(batches):
        set_rate(parts.optimizer, config.rate(epoch * len(batches) + number, len(batches)))
        run(rows)
        # to read a GPU's sums is to wait for it, so there they are read once an epoch
        if where.type == "cpu" or number == len(batches) - 1:
            loss, inter_layer = parts.sums.tolist()
            if not math.isfinite(loss):
                raise IlwpError(f"the loss became {loss}: lower the learning rate or lambda")
        bar.update()
    return loss / len(images.train), inter_layer / len(images.train)
