"""Training with or without the inter-layer loss, resumable at every epoch; section 4's recipe.

    TrainConfig -> train(...) -> network, history -> evaluate(...)

On a CPU a run is single-threaded, and nothing in it depends on the clock, on the process or on how
often it was interrupted: the same configuration ends in the same bits.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal, NoReturn, cast

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import nn
from torch.nn.utils import parametrize
from tqdm import tqdm

from ilwp.common import locks
from ilwp.common.errors import IlwpError
from ilwp.common.files import sweep
from ilwp.common.progress import progress_bar
from ilwp.networks.build import NETWORKS, build
from ilwp.paper.kernels import depthwise_names
from ilwp.paper.losses import inter_layer_loss, tie, total_loss
from ilwp.training import checkpoints, datasets

NetworkName = Literal["mobilenet", "mobilenetv2", "shufflenet", "shufflenetv2"]

PAPER_EPOCHS = 200
PAPER_STEPS = math.ceil(50_000 / 256)  # an epoch
PAPER_RATE, PAPER_DECAY, PAPER_MOMENTUM = 0.1, 0.98, 0.9
RISE = 0.2  # of a one-cycle schedule


# infinity has no place in JSON but as a string
@dataclass(frozen=True, config={"extra": "forbid", "ser_json_inf_nan": "strings"})
class TrainConfig:
    """Everything a run depends on. The defaults are the paper's; what it leaves open is marked so."""

    dataset: Literal["cifar10", "cifar100", "digits"]
    network: NetworkName
    inter_layer: Annotated[float, Field(ge=0)] = 0.0  # lambda of Eq. 3 in the paper's schedule; inf ties the layers
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    width: Annotated[float, Field(gt=0, le=4)] = 1.0
    epochs: Annotated[int, Field(ge=1, le=10_000)] = PAPER_EPOCHS
    batch_size: Annotated[int, Field(ge=2, le=65_536)] = 256
    learning_rate: Annotated[float, Field(gt=0, le=10)] = PAPER_RATE
    momentum: Annotated[float, Field(ge=0, lt=1)] = PAPER_MOMENTUM
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = 5e-4  # left open
    schedule: Literal["exponential", "one-cycle"] = "exponential"
    calibration: Annotated[float, Field(gt=0)] = 1.0  # see `inter_layer_weight`

    def rate(self, step: int, steps: int) -> float:
        """Learning rate at a step counted from 0, of `steps` an epoch.

        Exponential: x 0.98 an epoch of 200, so a shorter run decays as far. One-cycle: linearly up over the first
        fifth, then along a cosine to zero, for runs too short to settle at the paper's last rates.
        """
        if self.schedule == "exponential":
            return self.learning_rate * float(PAPER_DECAY ** (step // steps * PAPER_EPOCHS / self.epochs))
        done = (step + 0.5) / (self.epochs * steps)
        return self.learning_rate * min(done / RISE, 0.5 + 0.5 * math.cos(math.pi * max(0, done - RISE) / (1 - RISE)))


@dataclass(frozen=True, config={"extra": "forbid"})
class Epoch:
    """What one epoch did: its last rate, its mean losses in training, accuracy on the test set in percent."""

    learning_rate: float
    loss: float
    inter_layer_loss: float
    accuracy: float
    seconds: float


def inter_layer_weight(config: TrainConfig, images: int) -> float:
    """The factor of Eq. 2 in a run over `images` images that stands for the paper's lambda.

    Each term of the loss pulls a weight by at most lambda / Z x sum(learning rates) / (1 - momentum) over a run. A
    shorter or narrower run multiplies lambda so that this bound is the paper's, and then by
    `calibration`, since the bound is not the whole truth (weight decay also forgets less in a short run).
    """
    paper_sum = PAPER_STEPS * sum(PAPER_RATE * PAPER_DECAY**epoch for epoch in range(PAPER_EPOCHS))
    steps = math.ceil(images / config.batch_size)
    own_sum = sum(config.rate(step, steps) for step in range(config.epochs * steps))
    paper_pull = paper_sum / (1 - PAPER_MOMENTUM) / _predicted_weights(config.network, 1.0)
    own_pull = own_sum / (1 - config.momentum) / _predicted_weights(config.network, config.width)
    return config.inter_layer * config.calibration * paper_pull / own_pull


def train(
    config: TrainConfig, images: datasets.Images, folder: Path, progress: bool = True
) -> tuple[nn.Module, list[Epoch]]:
    """Train to the last epoch, from the newest whole checkpoint in `folder` if there is one.

    Returns the network (on its device, in evaluation mode) and one `Epoch` an epoch. Raises IlwpError if
    another process trains there, the folder belongs to another configuration, or the loss stops being finite.
    """
    with locks.held(folder):
        sweep(folder)
        return _train(config, images, folder, progress)


def evaluate(network: nn.Module, images: datasets.Images) -> float:
    """Top-1 accuracy on the test set in percent."""
    device = next(network.parameters()).device
    network.eval()
    correct = 0
    with torch.inference_mode():
        for x, y in zip(torch.split(images.test, 500), torch.split(images.test_labels, 500), strict=True):
            correct += int((network(images.normalise(x).to(device)).argmax(1) == y.to(device)).sum())
    return 100 * correct / len(images.test)


def device() -> torch.device:
    """A GPU where there is one, else one thread of the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    torch.set_num_threads(1)
    return torch.device("cpu")


def _train(config: TrainConfig, images: datasets.Images, folder: Path, progress: bool) -> tuple[nn.Module, list[Epoch]]:
    where = device()
    network = build(config.network, datasets.CLASSES[config.dataset], config.width, config.seed)
    network = network.to(where).to(memory_format=torch.channels_last)
    layers = [cast(nn.Conv2d, network.get_submodule(name.removesuffix(".weight"))) for name in depthwise_names(network)]
    tied = math.isinf(config.inter_layer)
    if tied:
        tie(layers)
    weight = 0.0 if tied else inter_layer_weight(config, len(images.train))
    optimizer = torch.optim.SGD(
        [p for p in network.parameters() if p.requires_grad],
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        nesterov=config.momentum > 0,
    )
    history: list[Epoch] = []
    if state := checkpoints.newest(folder, asdict(config), where):
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        history = [Epoch(**epoch) for epoch in state["history"]]
    steps = math.ceil(len(images.train) / config.batch_size)
    with progress_bar("training", config.epochs * steps, "batches", len(history) * steps, progress) as bar:
        for epoch in range(len(history), config.epochs):
            started = time.monotonic()
            bar.set_description(f"epoch {epoch + 1}/{config.epochs}", refresh=False)
            loss, inter_layer = _epoch(config, epoch, network, layers, optimizer, images, weight, bar)
            rate = optimizer.param_groups[0]["lr"]
            accuracy = evaluate(network, images)
            history.append(Epoch(rate, loss, inter_layer, accuracy, time.monotonic() - started))
            bar.set_postfix(loss=f"{loss:.3f}", accuracy=f"{accuracy:.2f} %", refresh=False)
            checkpoints.save(folder, len(history), {
                "config": asdict(config), "history": [asdict(e) for e in history],
                "network": network.state_dict(), "optimizer": optimizer.state_dict(),
            })  # fmt: skip
    if tied:
        for layer in layers[1:]:
            parametrize.remove_parametrizations(layer, "weight")
    return network.eval(), history


def _epoch(
    config: TrainConfig, epoch: int, network: nn.Module, layers: Sequence[nn.Conv2d],
    optimizer: torch.optim.Optimizer, images: datasets.Images, weight: float, bar: "tqdm[NoReturn]",
) -> tuple[float, float]:  # fmt: skip
    """Mean total loss and mean inter-layer loss over one epoch of training."""
    where = next(network.parameters()).device
    network.train()
    loss_sum = inter_layer_sum = 0.0
    steps = math.ceil(len(images.train) / config.batch_size)
    shuffled = datasets.batches(images, config.batch_size, seed=config.seed * 100_003 + epoch)
    for step, (x, y) in enumerate(shuffled, start=epoch * steps):
        for group in optimizer.param_groups:
            group["lr"] = config.rate(step, steps)
        x, y = images.normalise(x).to(where, non_blocking=True), y.to(where, non_blocking=True)
        with parametrize.cached():  # tied layers are a chain, else read anew from its start by each of them
            with torch.autocast(where.type, torch.bfloat16, enabled=where.type == "cuda"):
                logits = network(x)
            loss = total_loss(logits.float(), y, [layer.weight for layer in layers], weight)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if not math.isfinite(loss.item()):
            raise IlwpError(f"the loss became {loss.item()}: lower the learning rate or lambda")
        loss_sum += loss.item() * len(y)
        with parametrize.cached():
            inter_layer_sum += inter_layer_loss([layer.weight.detach() for layer in layers]).item() * len(y)
        bar.update()
    return loss_sum / len(images.train), inter_layer_sum / len(images.train)


def _predicted_weights(network: str, width: float) -> int:
    """Z of Eq. 2: the weights of all depthwise layers but the first."""
    with torch.device("meta"):
        module = NETWORKS[network](10, width)
    weights = [module.get_parameter(name).numel() for name in depthwise_names(module)]
    return sum(weights[1:])
