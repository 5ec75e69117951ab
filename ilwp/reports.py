"""What the command line says of kernels, rates and the smoothly varying weight hypothesis."""

from dataclasses import asdict
from typing import Any

import pandas as pd

from ilwp.analysis import best_sources, unit_length
from ilwp.codec import Rate
from ilwp.kernels import Kernels


def described(kernels: Kernels) -> str:
    """How many kernels of what size in how many layers."""
    height, width = next(iter(kernels.values())).shape[1:]
    count = sum(len(k) for k in kernels.values())
    return f"{count:,} depthwise kernels of {height}x{width} in {len(kernels)} layers"


def rate_table(rate: Rate, weights: int) -> str:
    """A file's parts in bytes, and what the depthwise kernels' `weights` weights take."""
    parts = {name: bits for name, bits in asdict(rate).items() if bits} | {"total": rate.total}
    depthwise = rate.total - rate.other
    table = pd.DataFrame({"part": list(parts), "bytes": [bits / 8 for bits in parts.values()]})
    return (
        f"{table.to_string(index=False, float_format='{:,.2f}'.format)}\n"
        f"depthwise kernels: {depthwise / 8:,.0f} bytes, {depthwise / weights:.2f} bits a weight, "
        f"{32 * weights / depthwise:.1f} times smaller than float32"
    )


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
    table = pd.DataFrame(summary["layers"])
    table["lift"] = table["previous_share"] / table["chance"]
    low, high = summary["lift_interval"]
    return (
        f"{table.to_string(index=False, float_format='{:.3f}'.format)}\n"
        f"all layers: share {summary['previous_share']:.3f}, "
        f"lift {summary['lift']:.2f} (95 % interval {low:.2f} to {high:.2f}), "
        f"{summary['lift_of_unit_kernels']:.2f} with every kernel scaled to unit length"
    )
