"""Weight fixing and additive quantization with fine-tuning: bytes, accuracy, and what it costs.

    ILWP_DATA=... python benchmarks/neighbours_tuned.py    (`make bench-neighbours`; 20 minutes of a free core)

Every run can be stopped and goes on from checkpoints/neighbours; finished ones are only evaluated again. Weight fixing
is published with three epochs a step; how many it gets here is the last number of each run. Whole networks, batch
norms folded and of 8 bits as in the rows of networks.py. "held_bytes" is what codes of a whole number of bits and
float16 codebooks take while the network runs. Minutes are those of a core that had other work too.
"""

import math

import torch
from results import TRAINED, load, save

from ilwp.codebooks.finetuning import Tuning, finetune
from ilwp.codebooks.methods import AdditiveQuantization, WeightFixing
from ilwp.codebooks.weight_fixing import SHARES
from ilwp.common.paths import CHECKPOINTS
from ilwp.door import compress_coded, decoded, structure_of
from ilwp.networks.tensors import arrays, load_tensors
from ilwp.training import datasets
from ilwp.training.train import evaluate

VECTOR_BITS = 8
# network, method, its setting (delta, or books, bits and length), epochs in each step of weight fixing or in all
RUNS = [("MobileNet", "weight fixing", 0.03, 0.5), ("MobileNet", "additive", (3, 8, 8), 2)]


def tuned(name: str, kind: str, setting: object, epochs: float) -> dict:
    """A row of the results."""
    tensors, network = load(name)
    structure = structure_of(*TRAINED[name][1:], tensors)
    images = datasets.load("cifar10")
    network = network.to(memory_format=torch.channels_last)
    if kind == "weight fixing":
        method, tuning = WeightFixing(network, setting), Tuning(epochs, 2e-5)
    else:
        method, tuning = AdditiveQuantization(network, epochs, *setting, shared=True), Tuning(1, 1e-3)
    history = finetune(method, tuning, images, CHECKPOINTS / "neighbours" / f"{name}-{kind}-{setting}".replace(" ", ""))
    file = compress_coded(arrays(network), method.coded(), VECTOR_BITS, structure).content
    load_tensors(network, decoded(file))
    (books,) = method.coded()
    code_bits = sum(math.ceil(math.log2(len(book))) for book in books.books)
    return {
        "network": name, "method": kind, "setting": str(setting), "bytes": len(file),
        "accuracy": evaluate(network, images), "epochs": epochs * (len(SHARES) if kind == "weight fixing" else 1),
        "images": sum(done.images for done in history), "minutes": sum(done.seconds for done in history) / 60,
        "codewords": sum(map(len, books.books)), "entropy": books.entropy(),
        "held_bytes": len(books.codes) * code_bits // 8 + 2 * sum(book.size for book in books.books),
        "beyond": sum(done.notes.get("beyond", 0) for done in history),
        "by_round": [done.accuracy for done in history],
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
