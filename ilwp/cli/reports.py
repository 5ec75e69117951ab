"""What the command line says of kernels, rates and the smoothly varying weight hypothesis."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from ilwp.cli.tables import table
from ilwp.codebooks import codebook_file
from ilwp.codebooks.codebooks import CodedNetwork
from ilwp.common.bytes import format_of
from ilwp.door import Compressed
from ilwp.paper import bitstream, codec
from ilwp.paper.codec import Coded
from ilwp.paper.hypothesis import best_sources, unit_length
from ilwp.paper.kernels import Kernels, depthwise_kernels
from ilwp.paper.settings import Rate
from ilwp.whole import container
from ilwp.whole.coding import KernelLevels, Levels, Piece, size


def described(kernels: Kernels) -> str:
    """How many kernels of what size in how many layers."""
    height, width = next(iter(kernels.values())).shape[1:]
    count = sum(len(k) for k in kernels.values())
    return f"{count:,} depthwise kernels of {height}x{width} in {len(kernels)} layers"


def rates(compressed: Compressed) -> str:
    """Where the bits of a file go that was just made."""
    coded, rate, length = compressed.coded, compressed.rate, len(compressed.content)
    if isinstance(coded, CodedNetwork):
        return codebook_table(coded, rate, length)
    if isinstance(coded, Coded):
        return rate_table(rate, coded.first.size + sum(levels.size for levels in coded.levels))
    return tensor_table(coded, rate, length)


def rate_table(rate: Rate, weights: int) -> str:
    """A file's parts in bytes, and what the depthwise kernels' `weights` weights take."""
    parts = {name: bits for name, bits in asdict(rate).items() if bits} | {"total": rate.total}
    depthwise = rate.total - rate.other
    rows = [{"part": part, "bytes": bits / 8} for part, bits in parts.items()]
    return (
        f"{table(rows, {'bytes': '{:,.2f}'.format})}\n"
        f"depthwise kernels: {depthwise / 8:,.0f} bytes, {depthwise / weights:.2f} bits a weight, "
        f"{32 * weights / depthwise:.1f} times smaller than float32"
    )


def tensor_table(pieces: Mapping[str, Piece], bits: Mapping[str, float], file_bytes: int) -> str:
    """A row a tensor: how it is stored, its weights, bytes and bits a weight; below them the file as a whole."""
    return _table(tensor_rows(pieces, bits), file_bytes)


def _table(rows: list[dict[str, Any]], file_bytes: int) -> str:
    weights = sum(row["weights"] for row in rows)
    total = {"tensor": "whole file", "stored": "", "weights": weights, "bytes": file_bytes}
    shown = [row | {"bits a weight": 8 * row["bytes"] / max(row["weights"], 1)} for row in [*rows, total]]
    lines = table(shown, {"bytes": "{:,.0f}".format, "bits a weight": "{:.2f}".format})
    return f"{lines}\n{4 * weights / file_bytes:.1f} times smaller than float32"


def tensor_rows(pieces: Mapping[str, Piece], bits: Mapping[str, float]) -> list[dict[str, Any]]:
    """How each tensor of a file of format 2 is stored, its weights and bytes."""
    return [
        {"tensor": name, "stored": _stored(piece), "weights": size(piece), "bytes": bits[name] / 8}
        for name, piece in pieces.items()
    ]


def codebook_table(network: CodedNetwork, rate: codebook_file.Rate, file_bytes: int) -> str:
    """The same of a file of format 3, and what codebooks it has."""
    sets = [
        f"codebooks {row['set']}: {' + '.join(map(str, row['codewords']))} codewords of {row['length']}, "
        f"{row['entropy']:.2f} bits a weight"
        for row in codebook_rows(network)
    ]
    return "\n".join([*sets, _table(coded_rows(network, rate), file_bytes)])


def codebook_rows(network: CodedNetwork) -> list[dict[str, Any]]:
    """Of each set: its tensors, codewords a codebook, weights a codeword, entropy of its codes in bits a weight."""
    return [
        {
            "set": i, "tensors": len(books.shapes), "codewords": [len(book) for book in books.books],
            "length": books.books[0].shape[1], "entropy": books.entropy(),
        }
        for i, books in enumerate(network.sets, start=1)
    ]  # fmt: skip


def coded_rows(network: CodedNetwork, rate: codebook_file.Rate) -> list[dict[str, Any]]:
    """How each tensor of a file of format 3 is stored, its weights and bytes, and the bytes of each set's codebooks."""
    rows: list[dict[str, Any]] = []
    for i, books in enumerate(network.sets, start=1):
        stored = f"codebooks {i}"
        rows.append({"tensor": f"({stored})", "stored": "", "weights": 0, "bytes": rate.books[i - 1] / 8})
        rows += [
            {"tensor": name, "stored": stored, "weights": math.prod(shape), "bytes": rate.codes[name] / 8}
            for name, shape in books.shapes.items()
        ]
    return rows + tensor_rows(network.rest, rate.rest)


def inspected(content: bytes) -> tuple[dict[str, Any], str]:
    """What is in an `.ilwp` file, as plain values and as text; raises IlwpError as reading it does."""
    if format_of(content) == container.VERSION:
        pieces = container.read(content)
        _, bits = container.write(pieces)
        return {"format": 2, "tensors": tensor_rows(pieces, bits)}, tensor_table(pieces, bits, len(content))
    if format_of(content) == codebook_file.VERSION:
        network = codebook_file.read(content)
        _, shares = codebook_file.write(network)
        summary = {"format": 3, "sets": codebook_rows(network), "tensors": coded_rows(network, shares)}
        return summary, codebook_table(network, shares, len(content))
    coded, other = bitstream.read(content)
    kernels = codec.decode(coded)
    _, rate = bitstream.write(coded, other)
    steps = [None, *(q.step for q in coded.quantizers)]
    layers = [
        {"layer": name, "kernels": len(layer), "step": step}
        for (name, layer), step in zip(kernels.items(), steps, strict=True)
    ]
    summary = {
        "format": 1, "settings": asdict(coded.settings), "rate_bits": asdict(rate), "other_tensors": len(other),
        "layers": layers,
    }  # fmt: skip
    text = [
        f"{described(kernels)} and {len(other)} other tensors",
        ", ".join(f"{key} {value}" for key, value in asdict(coded.settings).items()),
        table(layers, {"step": "{:.6g}".format}),
        rate_table(rate, sum(k.size for k in kernels.values())),
    ]
    return summary, "\n".join(text)


def listed(tensors: Mapping[str, np.ndarray]) -> tuple[dict[str, Any], str]:
    """The depthwise kernels of a state dict, as plain values and as text; raises IlwpError where it has none."""
    kernels = depthwise_kernels(tensors)
    other = len(tensors) - len(kernels)
    layers = [{"layer": name, "kernels": len(layer)} for name, layer in kernels.items()]
    text = f"{described(kernels)} and {other} other tensors\n{table(layers)}"
    return {"other_tensors": other, "layers": layers}, text


def svwh(kernels: Kernels) -> dict[str, Any]:
    """Eq. 1 against chance, as plain numbers: over all layers, and for each from the third on."""
    sources = best_sources(kernels)
    return {
        "previous_share": sources.previous_share,
        "lift": sources.lift,
        "lift_interval": list(sources.lift_interval()),
        "lift_of_unit_kernels": best_sources(unit_length(kernels)).lift,
        "layers": [
            {"layer": name, "previous_share": sources.share[i, i - 1], "chance": sources.chance[i, i - 1]}
            for i, name in enumerate(kernels)
            if i > 1
        ],
    }


def svwh_text(summary: dict[str, Any]) -> str:
    """The same as a table with a line of totals under it."""
    rows = [layer | {"lift": layer["previous_share"] / layer["chance"]} for layer in summary["layers"]]
    formats = dict.fromkeys(("previous_share", "chance", "lift"), "{:.3f}".format)
    low, high = summary["lift_interval"]
    return (
        f"{table(rows, formats)}\n"
        f"all layers: share {summary['previous_share']:.3f}, "
        f"lift {summary['lift']:.2f} (95 % interval {low:.2f} to {high:.2f}), "
        f"{summary['lift_of_unit_kernels']:.2f} with every kernel scaled to unit length"
    )


def _stored(piece: Piece) -> str:
    if isinstance(piece, KernelLevels):
        return "kernels, a set" if piece.cells is not None else f"kernels, {piece.method}"
    return "levels" if isinstance(piece, Levels) else "exact"
