"""Our codec and its neighbours without any training: bytes of files against accuracy.

    ILWP_DATA=... python benchmarks/neighbours.py    (`make bench-neighbours`; 10 minutes, most of them evaluating)

Depthwise kernels alone, all else as trained or, where channels change places, of 16 bits; and whole networks, with
batch norms folded and of 8 bits. What networks.json and the runs' records hold is not measured again. Linear
quantization with Huffman codes has no file format for whole networks: its code words, tables and steps are counted,
names are not. ILL is of the network that was trained with the inter-layer loss. Weight fixing without training
takes its ten steps at once.
"""

from collections.abc import Iterator

import numpy as np
import torch
from results import TRAINED, load, save

from ilwp.codebooks import additive, weight_fixing
from ilwp.codebooks.codebooks import Codebooks, cut, ordered
from ilwp.codebooks.methods import WeightFixing
from ilwp.common.gamma_code import encode_lengths
from ilwp.door import compress_coded, compress_network, decoded, structure_of
from ilwp.door.structure import Structure
from ilwp.networks.tensors import load_tensors
from ilwp.paper.huffman import code_lengths
from ilwp.paper.huffman import encode_symbols as huffman_encode
from ilwp.paper.kernels import depthwise_kernels
from ilwp.paper.quantization import dequantize, of_range, quantize
from ilwp.training import datasets
from ilwp.training.train import evaluate
from ilwp.whole import segments
from ilwp.whole.batch_norms import folded
from ilwp.whole.coding import encode_tensors
from ilwp.whole.pieces import decode_pieces
from ilwp.whole.plan import Plan

VECTOR_BITS = 8
NETWORK = "MobileNet"
WITH_LOSS = "MobileNet, inter-layer loss"
PLANS = [(7.0, 6.0)]  # bits of kernels and of dense weights
HUFFMAN_BITS = [8, 6, 5]
KERNEL_BITS = [7, 6, 5]
DELTAS = [0.015, 0.03]
BOOKS = [(3, 8, 8)]  # codebooks, bits of a code, weights in a codeword
KERNEL_BOOKS = [(1, 8, 9), (2, 8, 9)]
Tensors = dict[str, np.ndarray]
Point = tuple[str, str, int, Tensors]  # method, setting, bytes, and the state dict that the file decodes to


def huffman(tensors: Tensors, bits: int) -> tuple[int, Tensors]:
    """Bytes of linear quantization, a range a tensor, with one Huffman table for weights and one for vectors."""
    total, back = 0, dict(tensors)
    for dense, depth in ((True, bits), (False, VECTOR_BITS)):
        names = [n for n, t in tensors.items() if t.dtype == np.float32 and (t.ndim > 1) == dense and np.ptp(t) > 0]
        steps = {n: of_range(float(tensors[n].min()), float(tensors[n].max()), depth, True) for n in names}
        levels = {n: quantize(tensors[n], steps[n]) for n in names}
        symbols = np.concatenate([v.ravel() for v in levels.values()]).astype(np.int64) + (1 << (depth - 1))
        lengths = code_lengths(np.bincount(symbols))
        total += (len(huffman_encode(symbols, lengths)) + len(encode_lengths(lengths))) // 8 + 4 * len(names)
        back |= {n: dequantize(levels[n], steps[n]).astype(np.float32) for n in names}
    return total, back


def fixed(tensors: Tensors, delta: float) -> Codebooks:
    """Weight fixing of all these tensors, the ten steps at once."""
    weights = cut(tensors, 1)[:, 0]
    mask = np.zeros(len(weights), bool)
    for step, share in enumerate(weight_fixing.SHARES, start=1):
        done = weight_fixing.fix(weights, mask, share, weight_fixing.step_tolerance(delta, step))
        weights, mask = done.weights, done.fixed
    values, codes = np.unique(weights, return_inverse=True)
    shapes = {name: t.shape for name, t in tensors.items()}
    return ordered(Codebooks(shapes, (values[:, None],), codes.reshape(-1, 1).astype(np.int32)))


def of_kernels(tensors: Tensors, structure: Structure) -> Iterator[Point]:
    """Files of depthwise kernels alone, beyond those of which runs have records."""
    kernels = {n: tensors[n] for n in depthwise_kernels(tensors)}
    for method in ("aligned", "multiset"):
        for bits in KERNEL_BITS:
            pieces = encode_tensors(
                tensors, Plan(method=method, bits=bits, range="network", dense_bits=16), structure.symmetries
            )
            file = segments.write_pieces({n: pieces[n] for n in kernels})
            yield method, f"{bits} bits", len(file), decode_pieces(pieces)
    for delta in DELTAS:
        yield coded("weight fixing", f"{delta:g}", [fixed(kernels, delta)], tensors)
    for shared in (True, False):
        for books, bits, length in KERNEL_BOOKS:
            sets = additive.quantize_additive(kernels, books, bits, length, shared)
            yield coded(f"additive{'' if shared else ', own codebooks'}", str((books, bits, length)), sets, tensors)


def of_networks(tensors: Tensors, structure: Structure) -> Iterator[Point]:
    """Files of whole networks."""
    small = folded(tensors, structure.foldable_norms)
    for bits in HUFFMAN_BITS:
        yield "linear + Huffman", f"{bits} bits", *huffman(small, bits)
    for method in ("baseline", "fss", "lss", "aligned"):
        yield from planned(method, tensors, structure)
    pooled = {name: tensors[name] for name in WeightFixing(structure.network, DELTAS[0]).pool}
    for delta in DELTAS:
        file = compress_coded(tensors, [fixed(pooled, delta)], VECTOR_BITS, structure).content
        yield "weight fixing", f"{delta:g}", len(file), decoded(file)
    for shared in (True, False):
        for chosen in BOOKS:
            sets = additive.quantize_additive(tensors, *chosen, shared)
            file = compress_coded(tensors, sets, VECTOR_BITS, structure).content
            yield f"additive{'' if shared else ', own codebooks'}", str(chosen), len(file), decoded(file)


def planned(method: str, tensors: Tensors, structure: Structure) -> Iterator[Point]:
    """Files of format 2 of whole networks."""
    for bits, dense_bits in PLANS:
        plan = Plan(method=method, bits=bits, range="network", dense_bits=dense_bits, vector_bits=VECTOR_BITS)
        file = compress_network(tensors, plan, structure).content
        yield f"ILWP {method}", f"{bits:g} and {dense_bits:g} bits", len(file), decoded(file)


def coded(method: str, setting: str, sets: list[Codebooks], tensors: Tensors) -> Point:
    """A file of sets and nothing else."""
    found = {name: tensor for one in sets for name, tensor in one.tensors().items()}
    return method, setting, len(compress_coded(found, sets).content), tensors | found


def main() -> None:
    """MobileNet, and for ILL the one trained with the loss."""
    torch.set_num_threads(1)
    images = datasets.load("cifar10")
    rows = []

    def measure(module: torch.nn.Module, scope: str, points: Iterator[Point]) -> None:
        for method, setting, size, tensors in points:
            load_tensors(module, tensors)
            found = {"network": NETWORK, "scope": scope, "method": method, "setting": setting, "bytes": size,
                     "accuracy": evaluate(module, images)}  # fmt: skip
            print(found, flush=True)
            rows.append(found)

    tensors, module = load(NETWORK)
    structure = structure_of(*TRAINED[NETWORK][1:], tensors)
    measure(module, "kernels", of_kernels(tensors, structure))
    measure(module, "whole", of_networks(tensors, structure))
    tensors, module = load(WITH_LOSS)
    structure = structure_of(*TRAINED[WITH_LOSS][1:], tensors)
    measure(module, "whole", planned("ill", tensors, structure))
    save("neighbours", rows)


if __name__ == "__main__":
    main()
