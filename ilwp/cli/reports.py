"""What the command line says of kernels, rates and the smoothly varying weight hypothesis."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ilwp.cli.tables import table
from ilwp.common.bytes import format_of
from ilwp.common.numbers import FROM_FLOAT
from ilwp.door import Compressed, OpenFile, Row
from ilwp.paper import bitstream
from ilwp.paper.kernels import Kernels
from ilwp.paper.settings import Rate

SPOILT = "the network may not work any more"
POOR, HIDDEN = 20.0, -6.0  # dB of outputs, and of what differs between synthetic inputs, which are much alike


def described(kernels: Kernels) -> str:
    """How many kernels (c, *size) of what sizes in how many layers."""
    sizes: dict[tuple[int, ...], list[int]] = {}
    for layer in kernels.values():
        sizes.setdefault(layer.shape[1:], []).append(len(layer))
    return " and ".join(
        f"{sum(counts):,} depthwise kernels of {'x'.join(map(str, size))} in {len(counts)} layers"
        for size, counts in sizes.items()
    )


def rates(compressed: Compressed) -> str:
    """Where the bits of a file go that was just made, and what its weights lost, the worst first."""
    if compressed.rate:
        return rate_table(compressed.rate, compressed.weights)
    shown = tensor_table(sorted(compressed.rows, key=lambda row: row.snr or math.inf), len(compressed.content))
    if compressed.outputs_snr is None:
        return shown
    snr = "exact" if math.isinf(compressed.outputs_snr) else f"SNR {compressed.outputs_snr:.1f} dB"
    said = f"{shown}\nthe network's outputs for synthetic inputs: {snr}"
    if compressed.held_out_snr is None:
        return said
    return f"{said}\nthe same for images that taught nothing: {compressed.held_out_snr:.1f} dB"


def warning(compressed: Compressed) -> str | None:
    """A line about outputs, or where they are not known about weights, that are badly hit, if any are."""
    snr = compressed.outputs_snr if compressed.held_out_snr is None else compressed.held_out_snr
    if snr is not None and snr < POOR:
        return f"the outputs' SNR is below {POOR} dB: {SPOILT}; choose a higher quality"
    if compressed.varying_snr is not None and compressed.varying_snr < HIDDEN:
        return f"the outputs' error is far larger than what differs between inputs: {SPOILT}; choose a higher quality"
    if snr is not None:
        return None
    hit = [row for row in compressed.rows if row.snr is not None and row.snr < POOR]
    if not hit:
        return None
    worst = min(hit, key=lambda row: row.snr or 0.0)
    return (
        f"{len(hit)} of {len(compressed.rows)} tensors have an SNR below {POOR} dB, {worst.tensor} one "
        f"of {worst.snr:.1f}: {SPOILT}; choose a higher quality or more bits"
    )


def integer_warning(tensors: Mapping[str, np.ndarray]) -> str | None:
    """A line about a network whose weights are integers, if most bytes of tensors (any shape) are."""
    matrices = [t for t in tensors.values() if t.ndim > 1 and t.dtype.kind in "iu"]
    if 2 * sum(t.nbytes for t in matrices) <= sum(t.nbytes for t in tensors.values()):
        return None
    return (
        f"{len(matrices)} of {len(tensors)} tensors are integers and kept exactly, whatever the quality: if they are a "
        f"quantized network's, {FROM_FLOAT}"
    )


def rate_table(rate: Rate, weights: int) -> str:
    """A file's parts in bytes, and what the depthwise kernels' `weights` weights take."""
    parts = {name: bits for name, bits in asdict(rate).items() if bits} | {"total": rate.total}
    depthwise = rate.total - rate.other
    rows = [{"part": part, "bytes": bits / 8} for part, bits in parts.items()]
    return (
        f"{table(rows, {'bytes': '{:,.2f}'.format})}\n"
        f"depthwise kernels: {depthwise / 8:,.0f} bytes, {depthwise / weights:.2f} bits per weight, "
        f"{_times_smaller(32 * weights, depthwise)} float32"
    )


def tensor_table(rows: Sequence[Row], file_bytes: int) -> str:
    """One row per tensor: how it is stored, its weights, bytes, bits per weight and, where it is known, its SNR in dB.

    Below them stands the file as a whole.
    """
    raw = sum(row.raw for row in rows)
    whole = Row("whole file", "", sum(row.weights for row in rows), file_bytes, raw)
    shown: list[dict[str, Any]] = []
    for row in [*rows, whole]:
        bits = 8 * row.bytes / row.weights if row.weights else None
        cells = {"tensor": row.tensor, "stored": row.stored, "weights": row.weights, "bytes": row.bytes}
        snr = None if row.snr is None or math.isinf(row.snr) else row.snr
        shown.append(cells | {"bits/weight": bits} | ({"SNR, dB": snr} if any(r.snr is not None for r in rows) else {}))
    formats = {
        "weights": "{:,}".format,
        "bytes": "{:,.0f}".format,
        "bits/weight": "{:.2f}".format,
        "SNR, dB": "{:.1f}".format,
    }
    return f"{table(shown, formats)}\n{_times_smaller(raw, file_bytes)} its tensors"


def _times_smaller(before: float, after: float) -> str:
    if not before:
        return "larger than"
    return f"{before / after:.1f} times smaller than" if before >= after else f"{after / before:.1f} times as large as"


def inspected(content: bytes) -> tuple[dict[str, Any], str]:
    """What is in an `.ilwp` file, as plain values and as text; raises IlwpError as reading it does."""
    if format_of(content) == bitstream.VERSION:
        return _kernels_inspected(content)
    with OpenFile(content) as file:
        rows, metadata = file.rows(), file.metadata()
    plain = [{"tensor": r.tensor, "stored": r.stored, "weights": r.weights, "bytes": r.bytes} for r in rows]
    text = "".join(f"{key}: {value}\n" for key, value in metadata.items()) + tensor_table(rows, len(content))
    return {"format": 2, "metadata": metadata, "tensors": plain}, text


def _kernels_inspected(content: bytes) -> tuple[dict[str, Any], str]:
    """The same of a file of format 1."""
    from ilwp.paper import codec

    coded, other, rate = bitstream.read_kernel_file(content)
    kernels = codec.decode_kernels(coded)
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


def listed_tensors(tensors: Mapping[str, np.ndarray]) -> tuple[dict[str, Any], str]:
    """What `compress` takes each tensor of a state dict for, as plain values and as text.

    Raises IlwpError for weights that are NaN or infinite.
    """
    from ilwp.whole.roles import roles

    found = roles(tensors)
    taken = dict.fromkeys(found.dense, "weights") | dict.fromkeys(found.kernels, "depthwise kernels")
    taken |= dict.fromkeys(found.vectors, "vector") | {
        name: f"shared with {first}" for name, first in found.shared.items()
    }
    kernels = {name: tensors[name][:, 0] for name in found.kernels}
    rows: list[dict[str, Any]] = [
        {
            "tensor": name,
            "is": taken.get(name, "exact"),
            "shape": list(t.shape),
            "type": str(t.dtype),
            "bytes": t.nbytes,
        }
        for name, t in tensors.items()
    ]
    layers = [{"layer": name, "kernels": len(layer)} for name, layer in kernels.items()]
    other = len(tensors) - len(kernels)
    shown = [row | {"shape": "x".join(map(str, row["shape"])) or "-"} for row in rows]
    whole = f"{described(kernels) or 'no depthwise kernels'} and {other} other tensors"
    return {"other_tensors": other, "layers": layers, "tensors": rows}, (
        f"{table(shown, {'bytes': '{:,}'.format})}\n{whole}"
    )


def svwh_summary(kernels: Kernels) -> dict[str, Any]:
    """Eq. 1 against chance, as plain numbers: over all layers, and for each from the third on."""
    from ilwp.experiments.chance import lift_interval, unit_length
    from ilwp.paper.hypothesis import best_sources

    sources = best_sources(kernels)
    return {
        "previous_share": sources.previous_share,
        "lift": sources.lift,
        "lift_interval": list(lift_interval(sources)),
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
