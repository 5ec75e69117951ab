"""What else was tried on a real network: bytes and outputs of files with one idea more.

    ILWP_DATA=... python benchmarks/real_tried.py    (`make bench-peers`; 20 minutes)

Each idea changes how `ilwp compress --graph` rounds or codes dense weights, and nothing else. Biases are corrected
behind all of them. Files without any idea are in `real_networks.json`. With images an idea takes the place of error
feedback, or extends it. Rows are saved one by one, and an unfinished run goes on where it stopped.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from ideas import Idea, by_column, cerwu, dependent, rate_aware, synthetic_feedback
from real_networks import WITH_GRAPH, Subject, subject_of
from results import IMAGENET, kept_rows, save, timed

from ilwp.door import compress_network, decoded
from ilwp.whole.plan import Plan
from ilwp.whole.roles import roles

NAME = "real_tried"
QUALITIES = (21, 14)  # dB
SLOPES = (0.05, 0.1, 0.2)  # squared steps that a bit may cost; at high rates it takes 0.12 off the error
POWERS = (0.5, 1.0)


def ideas() -> Iterator[tuple[str, bool, Callable[[], Idea]]]:
    """Each idea, and whether images teach."""
    for slope in SLOPES:
        yield f"dependent quantization, {slope:g}", False, partial(dependent, slope)
    for slope in SLOPES:
        yield f"rate-aware rounding, {slope:g}", False, partial(rate_aware, slope)
    for power in POWERS:
        yield f"steps by column, {power:g}", False, partial(by_column, power)
    yield "error feedback from synthetic inputs", False, synthetic_feedback
    for slope in SLOPES:
        yield f"CERWU's rule, ours, {slope:g}", True, partial(cerwu, slope)


def measured(subject: Subject, quality: float, images: np.ndarray | None, idea: Idea) -> dict[str, Any]:
    """Bytes and outputs of a file, and seconds to make it; what is proven of the graph is known before."""
    with idea.changed:
        plan = Plan(method=WITH_GRAPH.method, quality=quality)
        made, seconds = timed(lambda: compress_network(subject.tensors, plan, subject.structure, images), 1)
    more = idea.more_bytes(made, roles(subject.tensors, subject.structure.known).dense)
    outputs = subject.judge.compare(idea.values(decoded(made.content)))
    return {"bytes": round(len(made.content) + more), "encode_s": seconds, **outputs}


def main() -> None:
    """All rows that are not there yet; from the beginning where all are."""
    torch.set_num_threads(1)
    plan = [(name, taught, quality, idea) for name, taught, idea in ideas() for quality in QUALITIES]
    rows = kept if len(kept := kept_rows(NAME)) < len(plan) else []
    subject = subject_of(IMAGENET)
    for name, taught, quality, idea in plan:
        about = {"network": IMAGENET, "idea": name, "images": len(subject.images) * taught, "quality": quality}
        if any(about.items() <= row.items() for row in rows):
            continue
        rows.append(about | measured(subject, quality, subject.images if taught else None, idea()))
        save(NAME, rows)


if __name__ == "__main__":
    main()
