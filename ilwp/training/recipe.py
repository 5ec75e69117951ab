"""What a run depends on: section 4's recipe, its schedule, and what stands for the paper's lambda in a shorter run."""

import math
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

NetworkName = Literal["mobilenet", "mobilenetv2", "shufflenet", "shufflenetv2"]
Layout = Literal["channels last", "contiguous"]  # of images and activations in memory
Reference = Literal["random", "first", "zero"]  # what a control's loss compares a layer with, see `loss_targets`

PAPER_EPOCHS = 200
PAPER_STEPS = math.ceil(50_000 / 256)  # an epoch
PAPER_RATE, PAPER_DECAY, PAPER_MOMENTUM = 0.1, 0.98, 0.9
RISE = 0.2  # of a one-cycle schedule


# infinity has no place in JSON but as a string
@dataclass(frozen=True, config={"extra": "forbid", "ser_json_inf_nan": "strings"})
class TrainConfig:
    """Everything a run depends on. The defaults are the paper's; what it leaves open is marked so.

    The last two fields are those of controls, and are written nowhere where they are None.
    """

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
    reference: Reference | None = None  # of the loss; None: the previous layer, as in Eq. 2
    # of all depthwise kernels but the first layer's; None: `weight_decay`, as for all other weights
    depthwise_decay: Annotated[float, Field(ge=0, lt=1)] | None = None

    @property
    def is_control(self) -> bool:
        """Whether it is trained otherwise than the paper proposes, to see what the inter-layer loss owes to what."""
        return self.reference is not None or self.depthwise_decay is not None

    @field_validator("reference", "depthwise_decay")
    @classmethod
    def _is_used(cls, value: float | str | None, info: ValidationInfo) -> float | str | None:
        inter_layer = info.data.get("inter_layer", 1.0)
        if value is not None and math.isinf(inter_layer):
            raise PydanticCustomError("tied", "tied layers have none: choose a finite lambda")
        if info.field_name == "reference" and value is not None and inter_layer == 0:
            raise PydanticCustomError("unused", "without the loss there is none: choose a lambda above 0")
        return value

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
    """What one epoch did: its last rate, its mean losses in training, accuracy on the test set in percent.

    The inter-layer loss is against what the run's loss compares layers with.
    """

    learning_rate: float
    loss: float
    inter_layer_loss: float
    accuracy: float
    seconds: float


def inter_layer_weight(config: TrainConfig, images: int) -> float:
    """The factor of Eq. 2 in a run over `images` images that stands for the paper's lambda.

    Each term of the loss pulls a weight by at most lambda / Z x sum(learning rates) / (1 - momentum) over a run. A
    shorter or narrower run multiplies lambda so that this bound is the paper's. It also multiplies it by `calibration`,
    for what the bound leaves out: in a short run weight decay shrinks weights less.
    """
    paper_sum = PAPER_STEPS * sum(PAPER_RATE * PAPER_DECAY**epoch for epoch in range(PAPER_EPOCHS))
    steps = math.ceil(images / config.batch_size)
    own_sum = sum(config.rate(step, steps) for step in range(config.epochs * steps))
    paper_pull = paper_sum / (1 - PAPER_MOMENTUM) / _predicted_weights(config.network, 1.0)
    own_pull = own_sum / (1 - config.momentum) / _predicted_weights(config.network, config.width)
    return config.inter_layer * config.calibration * paper_pull / own_pull


def loss_targets(config: TrainConfig, layers: int) -> list[int | None]:
    """For each of `layers` depthwise layers from the second on, the one that the loss compares it with, counted from 0.

    By `config.reference`, layer i, counted from 0, is compared with layer i - 1 (None), with layer 0 ("first"), with
    zeros ("zero", an L1 penalty: None in the list) or, "random", with a layer drawn once by the seed from those before
    layer i - 1, each as probable as the others. Layer 1 has layer 0 alone.
    """
    if config.reference == "first":
        return [0] * (layers - 1)
    if config.reference == "zero":
        return [None] * (layers - 1)
    if config.reference == "random":
        from numpy.random import default_rng  # a profile is read without NumPy

        drawing = default_rng(config.seed)
        return [0 if i == 1 else int(drawing.integers(i - 1)) for i in range(1, layers)]
    return list(range(layers - 1))


def _predicted_weights(network: str, width: float) -> int:
    """Z of Eq. 2: the weights of all depthwise layers but the first."""
    # a profile is read without torch, which takes seconds to import
    import torch

    from ilwp.networks.build import NETWORKS
    from ilwp.networks.tensors import depthwise_names

    with torch.device("meta"):
        module = NETWORKS[network](10, width)
    weights = [module.get_parameter(name).numel() for name in depthwise_names(module)]
    return sum(weights[1:])
