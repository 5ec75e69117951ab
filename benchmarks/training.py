"""Images a second in training: the plain loop beside ours, for the four networks, and several runs side by side.

    ILWP_DATA=... python benchmarks/training.py --width 0.5 1 [--side-by-side 1 2 3 4]    (`make bench-training`)

The plain loop is a textbook's: a DataLoader over single images with torchvision's transforms, float32, eager, no
memory format asked for, the loss read after every batch. Ours is `ilwp.training.step`, as a run takes it. Both train
on cross-entropy. They take turns, `ROUNDS` times each, and a ratio is the median over the rounds. On a CPU, which
other programs may share, one thread's processor time counts; on a GPU, the clock.

Some ten minutes on a CPU, three on a GPU. Several runs side by side, which a GPU may or may not gain from, are
processes that each take our step of MobileNet for `SECONDS`; their rates, by the clock, add up. Besides torchvision it
imports nothing that a machine which only trains need not have.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from ilwp.common.files import atomic_write
from ilwp.common.paths import EVIDENCE
from ilwp.networks.build import NETWORKS, build
from ilwp.training import datasets
from ilwp.training.devices import device, single_threaded
from ilwp.training.recipe import TrainConfig
from ilwp.training.step import Layout, assemble, layout_speeds, stepper

ROUNDS = 5
SECONDS = 20
ON_GPU = device().type == "cuda"
# a CPU's speed hardly depends on the size of a batch, and small ones let the loops take turns more often
BATCH, BATCHES, WORKERS = (256, 50, 8) if ON_GPU else (64, 1, 0)
Loop = Callable[[], None]


class Pictures(Dataset):
    """Single images as a textbook prepares them."""

    def __init__(self, images: datasets.Images) -> None:
        from torchvision import transforms

        self.pixels, self.labels = images.train.permute(0, 2, 3, 1).numpy(), images.train_labels.tolist()
        mean, deviation = (t.flatten().tolist() for t in (images.mean / 255, images.deviation / 255))
        self.prepare = transforms.Compose([
            transforms.ToPILImage(), transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(),
            transforms.ToTensor(), transforms.Normalize(mean, deviation),
        ])  # fmt: skip

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        return self.prepare(self.pixels[i]), self.labels[i]


def plain_loop(name: str, width: float, images: datasets.Images) -> Loop:
    """`BATCHES` steps of a textbook's loop a call."""
    network = build(name, 10, width).to(device()).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, nesterov=True)
    criterion = nn.CrossEntropyLoss()

    def forever() -> Iterator[Any]:
        while True:
            yield from DataLoader(
                Pictures(images), batch_size=BATCH, shuffle=True, drop_last=True, num_workers=WORKERS, pin_memory=ON_GPU
            )

    loader = forever()

    def loop() -> None:
        running_loss = 0.0
        for _ in range(BATCHES):
            inputs, labels = next(loader)
            inputs, labels = inputs.to(device()), labels.to(device())
            optimizer.zero_grad()
            loss = criterion(network(inputs), labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()

    return loop


def our_loop(name: str, width: float, images: datasets.Images) -> tuple[Loop, Layout]:
    """`BATCHES` of our steps a call, and the layout that a run would choose."""
    config = TrainConfig("cifar10", name, width=width, batch_size=BATCH, learning_rate=0.01)
    images = images.to(device())
    speeds = layout_speeds(config, images) if ON_GPU else {"channels last": 1.0}
    layout = max(speeds, key=lambda tried: speeds[tried])
    parts = assemble(config, images, layout)
    run = stepper(parts, [BATCH])

    def forever() -> Iterator[torch.Tensor]:
        epoch = 0
        while True:
            rows = datasets.draws(images, BATCH, seed=epoch).to(device())
            yield from (batch for batch in rows.split(BATCH) if len(batch) == BATCH)
            epoch += 1

    batches = forever()

    def loop() -> None:
        for _ in range(BATCHES):
            run(next(batches))
        parts.sums.tolist()

    return loop, layout


def seconds(loop: Loop) -> float:
    """On a GPU, by the clock; on a CPU, of processor time."""
    clock = time.perf_counter if ON_GPU else time.process_time
    started = clock()
    loop()
    return clock() - started


def compared(name: str, width: float, images: datasets.Images) -> dict[str, Any]:
    """One row: both loops of one network."""
    plain = plain_loop(name, width, images)
    ours, layout = our_loop(name, width, images)
    plain(), ours()
    rounds = [(seconds(plain), seconds(ours)) for _ in range(ROUNDS)]
    count = BATCH * BATCHES
    return {
        "network": name, "width": width, "batch": BATCH, "layout": layout,
        "plain_images_s": count / statistics.median(p for p, _ in rounds),
        "ours_images_s": count / statistics.median(o for _, o in rounds),
        "ratio": statistics.median(p / o for p, o in rounds),
        "least_ratio": min(p / o for p, o in rounds), "greatest_ratio": max(p / o for p, o in rounds),
    }  # fmt: skip


def alone(width: float, images: datasets.Images) -> None:
    """Our step of MobileNet, once `SECONDS` have a beginning on standard input; prints images per second."""
    loop, _ = our_loop("mobilenet", width, images)
    loop()
    print("ready", flush=True)
    sys.stdin.readline()
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        loop()
        count += BATCH * BATCHES
    print(count / (time.perf_counter() - started), flush=True)


def side_by_side(runs: int, width: float) -> dict[str, Any]:
    """One row: so many processes at once."""
    command = [sys.executable, __file__, "--alone", "--width", str(width)]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(runs)]
    for process in processes:
        if process.stdout.readline() != "ready\n":
            raise SystemExit(f"one of {runs} runs did not begin: try fewer")
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    rates = [float(process.stdout.readline()) for process in processes]
    for process in processes:
        process.wait()
    return {"network": "mobilenet", "width": width, "batch": BATCH, "runs": runs, "images_s": sum(rates)}


def main() -> None:
    """All networks, then several runs at once."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--width", type=float, nargs="+", default=[1.0])
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--side-by-side", type=int, nargs="*", default=[1, 2, 3, 4] if ON_GPU else [])
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    single_threaded()
    images = datasets.load("cifar10")
    if chosen.alone:
        alone(chosen.width[0], images)
        return
    rows, together = [], []
    for width in chosen.width:
        for name in chosen.networks:
            rows.append(compared(name, width, images))
            print(rows[-1], flush=True)
    for runs in chosen.side_by_side:
        together.append(side_by_side(runs, chosen.width[0]))
        print(together[-1], flush=True)
    name = torch.cuda.get_device_name() if ON_GPU else f"CPU, {platform.machine()}, one thread"
    content = {
        "made by": "benchmarks/training.py",
        "software": {"python": platform.python_version(), "torch": torch.__version__},
        "device": name,
        "clock": "wall clock" if ON_GPU else "processor time",
        "processes_at_work": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
        "rounds": ROUNDS,
        "rows": rows,
        "side_by_side": together,
    }
    path = EVIDENCE / "benchmarks" / f"training{'-gpu' if ON_GPU else ''}.json"
    atomic_write(path, (json.dumps(content, indent=1) + "\n").encode())
    print(path)


if __name__ == "__main__":
    main()
