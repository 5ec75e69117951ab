"""One step of training, called plainly or captured as a CUDA graph; everything that it touches lies on one device.

assemble(config, images, layout) -> Parts -> stepper(parts, sizes) -> call with rows of `datasets.draws`
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast, get_args

import torch
from torch import nn
from torch.nn.utils import parametrize

from ilwp.networks.build import build
from ilwp.networks.tensors import depthwise_names
from ilwp.paper.losses import Targets, inter_layer_loss, total_loss
from ilwp.training import CLASSES, datasets
from ilwp.training.recipe import Layout, TrainConfig, inter_layer_weight, loss_targets
from ilwp.training.tying import tie

MEMORY_FORMATS: dict[Layout, torch.memory_format] = {
    "channels last": torch.channels_last,
    "contiguous": torch.contiguous_format,
}
Step = Callable[[torch.Tensor], None]

WARM_UP = 3  # steps before a capture, in which libraries choose their algorithms and take their memory
TIMED = 50  # steps of a probe


@dataclass(frozen=True)
class Parts:
    """What a step reads and changes.

    `weight` is the factor of Eq. 2, `targets` what it compares layers with. `sums` (2,) float64 adds up, over the
    images since it was last zeroed, the total loss before each step and the inter-layer loss after it.
    """

    network: nn.Module
    layers: Sequence[nn.Conv2d]  # the depthwise ones
    optimizer: torch.optim.SGD
    images: datasets.Images
    weight: float
    targets: Targets
    layout: Layout
    sums: torch.Tensor


def assemble(config: TrainConfig, images: datasets.Images, layout: Layout) -> Parts:
    """A new network on the device of `images`, its optimizer, and where an infinite lambda asks for it, tied layers."""
    where = images.train.device
    network = build(config.network, CLASSES[config.dataset], config.width, config.seed)
    network = network.to(where).to(memory_format=MEMORY_FORMATS[layout])
    layers = [cast(nn.Conv2d, network.get_submodule(name.removesuffix(".weight"))) for name in depthwise_names(network)]
    tied = math.isinf(config.inter_layer)
    if tied:
        tie(layers)
    on_gpu = where.type == "cuda"
    optimizer = torch.optim.SGD(
        _groups(network, layers, config.depthwise_decay),
        # a graph reads its rate from the device, which of the three implementations only the fused one does
        lr=torch.tensor(config.learning_rate, device=where) if on_gpu else config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        nesterov=config.momentum > 0,
        fused=on_gpu or None,
    )
    weight = 0.0 if tied else inter_layer_weight(config, len(images.train))
    targets, sums = loss_targets(config, len(layers)), torch.zeros(2, dtype=torch.float64, device=where)
    return Parts(network, layers, optimizer, images, weight, targets, layout, sums)


def restore(parts: Parts, network: dict[str, torch.Tensor], optimizer: dict[str, Any]) -> None:
    """Put back the state dicts of a network and its optimizer, from whatever device and layout they were saved."""
    parts.network.load_state_dict(network)
    # its momenta alone: the other settings are this device's
    parts.optimizer.load_state_dict(parts.optimizer.state_dict() | {"state": optimizer["state"]})
    for weight, state in parts.optimizer.state.items():
        if (momentum := state.get("momentum_buffer")) is not None:
            state["momentum_buffer"] = torch.empty_like(weight).copy_(momentum)


def set_rate(optimizer: torch.optim.SGD, rate: float) -> None:
    """Let the steps from now on have this learning rate."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def step(parts: Parts, drawn: torch.Tensor) -> None:
    """Forward, losses, backward and SGD on one batch, given as rows of `datasets.draws` on the device."""
    where = drawn.device.type
    pixels, labels = datasets.batch(parts.images, drawn)
    x = parts.images.normalise(pixels).contiguous(memory_format=MEMORY_FORMATS[parts.layout])
    with parametrize.cached():  # tied layers are a chain, else read anew from its start by each of them
        # each weight is cast once a step anyway, and a graph must not hold on to a cast of an earlier one
        with torch.autocast(where, torch.bfloat16, enabled=where == "cuda", cache_enabled=False):
            logits = parts.network(x)
        loss = total_loss(logits.float(), labels, [layer.weight for layer in parts.layers], parts.weight, parts.targets)
    parts.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    parts.optimizer.step()
    with torch.no_grad(), parametrize.cached():
        inter_layer = inter_layer_loss([layer.weight for layer in parts.layers], parts.targets)
        parts.sums.add_(torch.stack([loss.detach(), inter_layer]).double() * len(drawn))


def stepper(parts: Parts, sizes: Iterable[int]) -> Step:
    """`step` on these parts: on a GPU one graph for each of the batch `sizes`, elsewhere the plain call."""
    if parts.sums.device.type != "cuda":
        return partial(step, parts)
    graphs = {size: captured(parts, size) for size in sizes}
    return lambda drawn: graphs[len(drawn)](drawn)


def captured(parts: Parts, size: int) -> Step:
    """`step` for batches of `size`, captured once and then replayed; the parts stay as they are until it is called."""
    rows = torch.zeros((size, 4), dtype=torch.int64, device=parts.sums.device)
    call = partial(step, parts, rows)
    with torch.backends.cudnn.flags(enabled=True, benchmark=True):
        _rehearse(parts, call)
        replay = _graph(call)

    def run(drawn: torch.Tensor) -> None:
        rows.copy_(drawn, non_blocking=True)
        replay()

    return run


def layout_speeds(config: TrainConfig, images: datasets.Images, seconds: float = 15) -> dict[Layout, float]:
    """Images a second of the step in both layouts, each measured for at most so many seconds, on a network of its own.

    Depthwise convolutions are faster in one layout on some devices and in the other on others.
    """
    speeds = {}
    for layout in get_args(Layout):
        parts = assemble(config, images, layout)
        size = min(config.batch_size, len(images.train))
        run = stepper(parts, [size])
        rows = datasets.draws(images, size, seed=0)[:size].to(parts.sums.device)
        run(rows)
        parts.sums.tolist()  # waits for the device
        started, done = time.perf_counter(), 0
        while not done or (done < TIMED and time.perf_counter() - started < seconds):
            run(rows)
            parts.sums.tolist()
            done += 1
        speeds[layout] = done * size / (time.perf_counter() - started)
    return speeds


def _groups(network: nn.Module, layers: Sequence[nn.Conv2d], depthwise_decay: float | None) -> list[dict[str, Any]]:
    """What SGD is to train, in groups by their weight decay; without one of their own, depthwise kernels are as others.

    The first layer, which no file quantizes, decays as other weights do.
    """
    trained = [p for p in network.parameters() if p.requires_grad]
    if depthwise_decay is None:
        return [{"params": trained}]
    own = [layer.weight for layer in layers[1:]]
    others = [p for p in trained if not any(p is weight for weight in own)]
    return [{"params": others}, {"params": own, "weight_decay": depthwise_decay}]


def _rehearse(parts: Parts, call: Callable[[], None]) -> None:
    """Call a step a few times, then put back all that it changed."""
    state = [*parts.network.state_dict().values(), parts.sums, *_momenta(parts.optimizer)]
    fresh = not _momenta(parts.optimizer)
    before = [tensor.clone() for tensor in state]
    with _side_stream():
        for _ in range(WARM_UP):
            call()
    with torch.no_grad():
        for tensor, old in zip(state, before, strict=True):
            tensor.copy_(old)
        if fresh:  # the first step makes them, and zeros act as none do
            for momentum in _momenta(parts.optimizer):
                momentum.zero_()


@contextmanager
def _side_stream() -> Iterator[None]:
    """Work on a stream of its own, so that nothing that is captured later belongs to the default stream."""
    if not torch.cuda.is_available():
        yield
        return
    main, side = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(main)
    with torch.cuda.stream(side):
        yield
    main.wait_stream(side)


def _momenta(optimizer: torch.optim.SGD) -> list[torch.Tensor]:
    found = [state.get("momentum_buffer") for state in optimizer.state.values()]
    return [momentum for momentum in found if momentum is not None]


def _graph(call: Callable[[], None]) -> Callable[[], None]:
    """What a call does on the GPU, to be done again."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay
