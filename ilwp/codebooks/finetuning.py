"""Fine-tuning of a trained network in rounds, resumable after each: what weight fixing and additive quantization share.

A `Method` says what happens before a round, which parameters are trained and how weights come about; here are the
batches, the optimizer (Adam, started anew in every round) and the checkpoints. The same settings end in the same bits,
however often the work was interrupted.
"""

import hashlib
import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import nn

from ilwp.common import locks
from ilwp.common.errors import IlwpError
from ilwp.common.files import delete_temporaries
from ilwp.common.numbers import check_finite
from ilwp.common.progress import progress_bar
from ilwp.networks.tensors import arrays
from ilwp.training import checkpoints, datasets
from ilwp.training.train import evaluate


@dataclass(frozen=True, config={"extra": "forbid"})
class Tuning:
    """How a network is fine-tuned."""

    epochs: Annotated[float, Field(gt=0, le=1000)]  # in every round; a fraction sees that part of the images
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    batch_size: Annotated[int, Field(ge=2, le=65_536)] = 128
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0


@dataclass(frozen=True)
class Round:
    """What one round did: its mean cross-entropy, accuracy on the test set in percent, and what the method notes."""

    loss: float
    accuracy: float
    images: int
    seconds: float
    notes: dict[str, float]


class FinetuningMethod:
    """Plain fine-tuning of all parameters; methods that compress too derive from it."""

    decays = True  # the learning rate falls along a line to zero, else it stays

    def __init__(self, network: nn.Module, rounds: int) -> None:
        self.network, self.rounds = network, rounds

    def settings(self) -> dict[str, Any]:
        """Plain values that tell one run of the method from another."""
        return {"method": type(self).__name__, "rounds": self.rounds}

    def start(self, number: int) -> dict[str, float]:
        """Do what comes before the round of this number, counted from 0, and say what is worth noting."""
        return {}

    def parameters(self) -> list[nn.Parameter]:
        """What the round trains."""
        return list(self.network.parameters())

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """The network's output for images (n, 3, h, w)."""
        found: torch.Tensor = self.network(x)
        return found

    def loss(self, cross_entropy: torch.Tensor) -> torch.Tensor:
        """The loss to minimise, from the cross-entropy."""
        return cross_entropy

    def before_step(self) -> None:
        """Change gradients before the optimizer uses them."""

    def after_step(self) -> None:
        """Change parameters after the optimizer has."""

    def settle(self) -> None:
        """Put the weights as they would be decoded into the network."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs besides the network."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""


def finetune(
    method: FinetuningMethod, tuning: Tuning, images: datasets.Images, folder: Path, progress: bool = True
) -> list[Round]:
    """Run all rounds, going on from the newest whole checkpoint in `folder`; the network is left in evaluation mode.

    Raises IlwpError if another process is at work there, the folder belongs to another run, a weight or the loss is
    not finite, or the network returns more than logits in training.
    """
    network = method.network
    where = next(network.parameters()).device
    config = asdict(tuning) | method.settings() | {"network": _digest(network), "images": _digest_of_images(images)}
    batches = max(1, round(tuning.epochs * math.ceil(len(images.train) / tuning.batch_size)))
    history: list[Round] = []
    with locks.held(folder):
        delete_temporaries(folder)
        if state := checkpoints.newest(folder, config, where):
            network.load_state_dict(state["network"])
            method.restore(state["method"])
            history = [Round(**done) for done in state["history"]]
        total = method.rounds * batches
        with progress_bar("fine-tuning", total, "batches", len(history) * batches, progress) as bar:
            for number in range(len(history), method.rounds):
                started = time.monotonic()
                notes = method.start(number)
                bar.set_description(f"round {number + 1}/{method.rounds}", refresh=False)
                with torch.random.fork_rng():
                    torch.manual_seed(tuning.seed * 1009 + number)  # a network may have dropout
                    loss, seen = _round(method, tuning, number, batches, images, bar)
                method.settle()
                accuracy = evaluate(network, images)
                history.append(Round(loss, accuracy, seen, time.monotonic() - started, notes))
                bar.set_postfix(loss=f"{loss:.3f}", accuracy=f"{accuracy:.2f} %", refresh=False)
                checkpoints.save(folder, len(history), {
                    "config": config, "history": [asdict(done) for done in history],
                    "network": network.state_dict(), "method": method.state(),
                })  # fmt: skip
    network.eval()
    return history


def _round(
    method: FinetuningMethod, tuning: Tuning, number: int, batches: int, images: datasets.Images, bar: Any
) -> tuple[float, int]:
    """Mean cross-entropy of one round, and how many images it saw."""
    network = method.network.train()
    where = next(network.parameters()).device
    optimizer = torch.optim.Adam(method.parameters(), tuning.learning_rate)
    total = torch.zeros((), device=where)
    seen = 0
    for step, (x, y) in enumerate(_shuffled(images, tuning, number, batches), start=number * batches):
        for group in optimizer.param_groups:
            group["lr"] = tuning.learning_rate * (1 - step / (method.rounds * batches) if method.decays else 1)
        x, y = images.normalise(x).to(where), y.to(where)
        logits = method.logits(x)
        if not isinstance(logits, torch.Tensor) or logits.ndim != 2:
            raise IlwpError("in training the network returns no logits (images, classes): let it return nothing else")
        cross_entropy = nn.functional.cross_entropy(logits, y)
        optimizer.zero_grad(set_to_none=True)
        method.loss(cross_entropy).backward()  # type: ignore[no-untyped-call]
        method.before_step()
        optimizer.step()
        method.after_step()
        if not math.isfinite(cross_entropy.item()):
            raise IlwpError(f"the loss became {cross_entropy.item()}: lower the learning rate")
        total += cross_entropy.detach() * len(y)
        seen += len(y)
        bar.update()
    return total.item() / seen, seen


def _shuffled(
    images: datasets.Images, tuning: Tuning, number: int, count: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """`count` batches, as many epochs as they take."""
    seeds = itertools.count((tuning.seed * 1009 + number) * 1009)
    epochs = (datasets.batches(images, tuning.batch_size, seed) for seed in seeds)
    return itertools.islice(itertools.chain.from_iterable(epochs), count)


def _digest(network: nn.Module) -> str:
    """Tells one network from another by its weights; raises IlwpError where one is no finite number."""
    tensors, digest = arrays(network), hashlib.sha256()
    check_finite(tensors)
    for name, tensor in tensors.items():
        digest.update(name.encode() + tensor.tobytes())
    return digest.hexdigest()


def _digest_of_images(images: datasets.Images) -> str:
    digest = hashlib.sha256(images.train.numpy().tobytes())
    digest.update(images.train_labels.numpy().tobytes())
    return digest.hexdigest()
