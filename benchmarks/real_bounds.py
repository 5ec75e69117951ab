"""How much smaller a file could be at most if the same levels were coded in another way; its outputs would not change.

    python benchmarks/real_bounds.py    (`make bench-peers`; 3 minutes)

Two ideas are tried on the levels of every large tensor, each tensor's better way counted, side information included:
a model for each kind of neighbourhood, as coders do that adapt (what its classes need to be told is left out, so
it is a bound), and classes of rows beside those of columns. Of the others the bytes are counted that they are about.
"""

import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from results import CREPE, IMAGENET, load, save
from torch import nn

from ilwp.door import compress_network
from ilwp.door.structure import Structure
from ilwp.door.writing import Compressed, structure_of_module
from ilwp.whole import segments
from ilwp.whole.archive import Archive
from ilwp.whole.columns import EDGES, column_classes
from ilwp.whole.container import CONTAINER_HEAD, LEVELS
from ilwp.whole.models import fit_code, fit_parts
from ilwp.whole.pieces import Levels
from ilwp.whole.plan import Plan

QUALITY, LARGE = 21.0, 1 << 12  # dB of outputs; levels of a tensor
NETWORKS = (IMAGENET, "MobileNet", CREPE)


def large_levels(archive: Archive) -> dict[str, tuple[np.ndarray, float]]:
    """Levels (rows, columns) of each large weight tensor by name, and the bits that they take."""
    found = {}
    for name in archive.segments():
        if (segment := archive.segment(name)).kind == LEVELS:
            pieces, bits = segments.unpack_segment(segment)
            for own, piece in pieces.items():
                if isinstance(piece, Levels) and piece.levels.ndim > 1 and piece.levels.size >= LARGE:
                    found[own] = piece.levels.reshape(len(piece.levels), -1), bits[own]
    return found


def by_neighbours(levels: np.ndarray) -> float:
    """Bits of levels with a model for each mean magnitude of the two levels before and the one above."""
    near = np.zeros(levels.shape)
    magnitudes = np.abs(levels)
    near[:, 1:] += magnitudes[:, :-1]
    near[:, 2:] += magnitudes[:, :-2]
    near[1:] += magnitudes[:-1]
    return fit_parts(_parted(levels, np.searchsorted(EDGES, near / 3)))[1]


def by_rows_too(levels: np.ndarray) -> float:
    """Bits of levels with a model for each pair of a row's class and a column's, and of these classes."""
    of_rows, of_columns = column_classes(np.ascontiguousarray(levels.T)), column_classes(levels)
    if of_rows is None:
        return math.inf
    columns = np.zeros(levels.shape[1], np.int32) if of_columns is None else of_columns
    pairs = of_rows[:, None] * (int(columns.max()) + 1) + columns
    told = sum(fit_code(classes[:, None])[1] for classes in (of_rows, columns))
    return fit_parts(_parted(levels, pairs))[1] + told


def _parted(levels: np.ndarray, classes: np.ndarray) -> list[np.ndarray]:
    return [levels[classes == one] for one in np.unique(classes)]


def bits_of_orders(network: nn.Module) -> float:
    """Bits that say in which order the channels of a residual stream come, a stream for each layer that narrows."""
    narrowing = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.out_channels < m.in_channels]
    return sum(math.lgamma(layer.out_channels + 1) for layer in narrowing) / math.log(2)


def bits_of_gains(structure: Structure, made: Compressed) -> float:
    """Bits of the gains behind depthwise layers, which a network of ReLUs could move into its next layer."""
    taken = {row.tensor: 8 * row.bytes for row in made.rows}
    layers = [m for m in structure.network.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    after = [norm for layer, norm in pairwise(layers) if getattr(layer, "groups", 1) > 1]
    names = {id(module): name for name, module in structure.network.named_modules()}
    return sum(taken[structure.names[f"{names[id(norm)]}.weight"]] for norm in after)


def savings(name: str) -> Mapping[str, float]:
    """Bits that each idea saves at most, and `file`, those of the file."""
    tensors, network = load(name)
    structure = structure_of_module(network, tensors)
    made = compress_network(tensors, Plan(method="multiset", quality=QUALITY), structure)
    content = made.content
    levels = large_levels(Archive(lambda start, length: content[start : start + length], len(content)))
    return {
        "file": 8.0 * len(content),
        "models by neighbours": sum(max(bits - by_neighbours(one), 0) for one, bits in levels.values()),
        "classes of rows": sum(max(bits - by_rows_too(one), 0) for one, bits in levels.values()),
        "order of skip channels": bits_of_orders(network),
        "gains of depthwise layers": bits_of_gains(structure, made),
        "names, types and shapes": 8.0 * CONTAINER_HEAD.unpack(content[: CONTAINER_HEAD.size])[2],
    }


def main() -> None:
    """All networks."""
    rows = []
    for name in NETWORKS:
        found = dict(savings(name))
        whole = found.pop("file")
        rows += [{"network": name, "idea": idea, "share": bits / whole} for idea, bits in found.items()]
        save("real_bounds", rows)


if __name__ == "__main__":
    main()
