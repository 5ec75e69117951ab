"""Weight fixing and additive quantization beside our codec: bytes, accuracy, and what fine-tuning costs.

    ILWP_DATA=... python benchmarks/neighbours.py    (`make bench-neighbours`; two hours, most of them fine-tuning)

Fine-tuning is resumable: finished runs are read from checkpoints/neighbours, and each is written to the results as soon
as it is there. Weight fixing is published with three epochs a step; here it gets `STEP_EPOCHS`.
"""

from pathlib import Path

import torch
from results import TRAINED, load, save

from ilwp import datasets
from ilwp.finetuned_methods import AdditiveQuantization, WeightFixing
from ilwp.finetuning import Method, Round, Tuning, finetune
from ilwp.paths import CHECKPOINTS

STEP_EPOCHS = 0.5
FIXING = Tuning(epochs=STEP_EPOCHS, learning_rate=2e-5)
ADDITIVE = Tuning(epochs=1, learning_rate=1e-3)
RUNS = [
    ("MobileNet", "weight fixing", 0.03),
    ("MobileNet", "additive", (3, 8, 8, True)),
    ("MobileNet", "weight fixing", 0.06),
    ("MobileNet", "additive", (2, 8, 8, True)),
    ("MobileNet", "weight fixing", 0.015),
    ("MobileNet", "none", 3),
    ("ShuffleNetV2", "weight fixing", 0.06),
    ("ShuffleNetV2", "additive", (3, 8, 8, True)),
    ("MobileNet", "additive", (3, 8, 8, False)),
    ("ShuffleNetV2", "weight fixing", 0.03),
    ("ShuffleNetV2", "additive", (2, 8, 8, True)),
]


def tuned(name: str, method: str, setting: object) -> tuple[Method, list[Round]]:
    """A network fine-tuned with a method, and what every round did."""
    _, network = load(name)
    network = network.to(memory_format=torch.channels_last)
    if method == "weight fixing":
        chosen, tuning = WeightFixing(network, setting), FIXING
    elif method == "additive":
        books, bits, length, shared = setting
        chosen, tuning = AdditiveQuantization(network, 3, books, bits, length, shared), ADDITIVE
    else:
        chosen, tuning = Method(network, setting), Tuning(epochs=1, learning_rate=2e-5)
    folder = CHECKPOINTS / "neighbours" / f"{name}-{method}-{setting}".replace(" ", "")
    return chosen, finetune(chosen, tuning, datasets.load("cifar10"), folder)


def main() -> None:
    torch.set_num_threads(1)
    for run in RUNS:
        method, history = tuned(*run)
        print(run, history[-1], sum(r.seconds for r in history), flush=True)


if __name__ == "__main__":
    main()
