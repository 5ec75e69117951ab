"""Weight fixing and additive quantization with fine-tuning: bytes, accuracy, and what it costs.

    ILWP_DATA=... python benchmarks/neighbours_tuned.py    (`make bench-neighbours`; two hours on one core)

Every run can be stopped and goes on from checkpoints/neighbours; finished ones are only evaluated again. Weight fixing
is published with three epochs a step; how many it gets here is the last number of each run. Whole networks, batch
norms folded and of 8 bits as in the rows of networks.py. A network fine-tuned without being compressed is the control.
"""

import torch
from results import TRAINED, load, save

from ilwp import codebook_file, datasets
from ilwp.compression import compress_coded, structure_of
from ilwp.finetuned_methods import AdditiveQuantization, WeightFixing
from ilwp.finetuning import Method, Tuning, finetune
from ilwp.networks.tensors import arrays, load_tensors
from ilwp.paths import CHECKPOINTS
from ilwp.state_dicts import decoded
from ilwp.training import evaluate
from ilwp.weight_fixing import SHARES

VECTOR_BITS = 8
# network, method, its setting (delta, or books, bits and length), epochs in each step of weight fixing or in all
RUNS = [
    ("MobileNet", "weight fixing", 0.03, 0.5),
    ("MobileNet", "additive", (3, 8, 8), 2),
    ("MobileNet", "weight fixing", 0.06, 0.25),
    ("ShuffleNetV2", "weight fixing", 0.03, 0.25),
    ("MobileNet", "none", None, 1),
    ("MobileNet", "additive", (2, 8, 8), 2),
    ("ShuffleNetV2", "additive", (3, 8, 8), 1),
    ("MobileNet", "weight fixing", 0.015, 0.25),
]


def tuned(name: str, kind: str, setting: object, epochs: float) -> dict:
    """A row of the results."""
    tensors, network = load(name)
    _, graph, width = TRAINED[name]
    images = datasets.load("cifar10")
    network = network.to(memory_format=torch.channels_last)
    if kind == "weight fixing":
        method, tuning = WeightFixing(network, setting), Tuning(epochs, 2e-5)
    elif kind == "additive":
        method, tuning = AdditiveQuantization(network, epochs, *setting, shared=True), Tuning(1, 1e-3)
    else:
        method, tuning = Method(network, epochs), Tuning(1, 2e-5)
    history = finetune(method, tuning, images, CHECKPOINTS / "neighbours" / f"{name}-{kind}-{setting}".replace(" ", ""))
    row = {
        "network": name, "method": kind, "setting": str(setting or ""),
        "epochs": epochs * (len(SHARES) if kind == "weight fixing" else 1),
        "images": sum(done.images for done in history), "minutes": sum(done.seconds for done in history) / 60,
    }  # fmt: skip
    if kind == "none":
        size = 4 * sum(t.size for t in tensors.values() if t.ndim)
        return row | {"bytes": size, "accuracy": history[-1].accuracy}
    file = compress_coded(arrays(network), method.coded(), VECTOR_BITS, structure_of(graph, width, tensors)).content
    load_tensors(network, decoded(file))
    (books,) = codebook_file.read(file).sets
    return row | {
        "bytes": len(file), "accuracy": evaluate(network, images), "codewords": sum(map(len, books.books)),
        "entropy": books.entropy(), "beyond": sum(done.notes.get("beyond", 0) for done in history),
        "by_round": [done.accuracy for done in history], "fixed": [done.notes.get("fixed", 0.0) for done in history],
    }  # fmt: skip


def main() -> None:
    """All runs, the results written after each."""
    torch.set_num_threads(1)
    rows = []
    for run in RUNS:
        rows.append(tuned(*run))
        save("neighbours_tuned", rows)


if __name__ == "__main__":
    main()
