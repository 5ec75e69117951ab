"""Weight fixing and additive quantization with fine-tuning: bytes, accuracy, and what it costs.

    ILWP_DATA=... python benchmarks/neighbours_tuned.py    (`make bench-neighbours`; two hours on one core)

Every run can be stopped and goes on from checkpoints/neighbours; finished ones are only evaluated again. Weight fixing
is published with three epochs a step; how many it gets here is the last number of each run. Whole networks, batch
norms folded and of 8 bits as in the rows of networks.py. "held_bytes" is what codes of a whole number of bits and
float16 codebooks take while the network runs. A network that is fine-tuned without being compressed, and compressed by
our codec afterwards, is the control. Minutes are those of a core that had other work too.
"""

import math

import torch
from results import TRAINED, load, save

from ilwp import codebook_file, datasets
from ilwp.compression import compress_coded, compress_network, structure_of
from ilwp.finetuned_methods import AdditiveQuantization, WeightFixing
from ilwp.finetuning import Method, Tuning, finetune
from ilwp.network_codec import Plan
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
    ("MobileNet", "none", None, 1),
    ("MobileNet", "weight fixing", 0.06, 0.25),
    ("ShuffleNetV2", "weight fixing", 0.03, 0.25),
    ("MobileNet", "additive", (2, 8, 8), 2),
    ("ShuffleNetV2", "additive", (3, 8, 8), 1),
    ("MobileNet", "weight fixing", 0.015, 0.25),
]


def tuned(name: str, kind: str, setting: object, epochs: float) -> list[dict]:
    """Rows of one run."""
    tensors, network = load(name)
    structure = structure_of(*TRAINED[name][1:], tensors)
    images = datasets.load("cifar10")
    network = network.to(memory_format=torch.channels_last)
    if kind == "weight fixing":
        method, tuning = WeightFixing(network, setting), Tuning(epochs, 2e-5)
    elif kind == "additive":
        method, tuning = AdditiveQuantization(network, epochs, *setting, shared=True), Tuning(1, 1e-3)
    else:
        method, tuning = Method(network, epochs), Tuning(1, 2e-5)
    history = finetune(method, tuning, images, CHECKPOINTS / "neighbours" / f"{name}-{kind}-{setting}".replace(" ", ""))
    cost = {
        "epochs": epochs * (len(SHARES) if kind == "weight fixing" else 1),
        "images": sum(done.images for done in history), "minutes": sum(done.seconds for done in history) / 60,
    }  # fmt: skip
    weights = arrays(network)
    if kind == "none":
        size = 4 * sum(t.size for t in weights.values() if t.ndim)
        rows = [{"method": "float32", "setting": "", "bytes": size, "accuracy": history[-1].accuracy}]
        for bits, dense_bits in ((7.5, 7.0), (7.0, 6.0)):
            for codec, looked_at in (("ilwp", None), ("ilwp, images", "cifar10")):
                plan = Plan("multiset", bits, "network", dense_bits=dense_bits, vector_bits=VECTOR_BITS)
                file = compress_network(weights, plan, structure, looked_at).content
                setting = f"{bits:g} and {dense_bits:g} bits"
                rows.append({"method": codec, "setting": setting, **measured(file, network, images)})
        return [{"network": name, **cost, **row} for row in rows]
    file = compress_coded(weights, method.coded(), VECTOR_BITS, structure).content
    (books,) = codebook_file.read(file).sets
    code_bits = sum(math.ceil(math.log2(len(book))) for book in books.books)
    return [
        {
            "network": name, "method": kind, "setting": str(setting), **measured(file, network, images), **cost,
            "codewords": sum(map(len, books.books)), "entropy": books.entropy(),
            "held_bytes": len(books.codes) * code_bits // 8 + 2 * sum(book.size for book in books.books),
            "beyond": sum(done.notes.get("beyond", 0) for done in history),
            "by_round": [done.accuracy for done in history],
        }
    ]  # fmt: skip


def measured(file: bytes, network: torch.nn.Module, images: datasets.Images) -> dict:
    """Bytes of a file, and accuracy of what it decodes to."""
    load_tensors(network, decoded(file))
    return {"bytes": len(file), "accuracy": evaluate(network, images)}


def main() -> None:
    """All runs, the results written after each."""
    torch.set_num_threads(1)
    rows = []
    for run in RUNS:
        rows += tuned(*run)
        save("neighbours_tuned", rows)


if __name__ == "__main__":
    main()
