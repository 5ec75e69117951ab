"""What each ingredient brings on a real network: a file without it, and what its outputs keep.

    ILWP_DATA=... python benchmarks/real_ablation.py    (`make bench-peers`; 5 minutes)

One ingredient at a time is left out of `ilwp compress --graph`. Where that changes the outputs, the file is to be held
against a whole one of equal outputs, which `real_networks.json` has.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from ablation import with_basis
from real_networks import WITH_GRAPH, Subject, subject_of
from results import CREPE, IMAGENET, save

from ilwp.door import compress_network, decoded
from ilwp.whole import models
from ilwp.whole.models import Code
from ilwp.whole.plan import Plan
from ilwp.whole.roles import roles

# dB: of outputs, and of weights that give about as good ones
QUALITIES = {IMAGENET: (21.0, 27.0), CREPE: (21.0, 4.0)}
TAPS = 9  # of all depthwise kernels of MobileNetV2


def one_histogram(histograms: list[np.ndarray], reach: int) -> tuple[Code, float]:
    """In place of `models._cheapest`: a tensor has one table and nothing else."""
    code = Code(reach, models.KINDS.index("table"), tuple(models._table(h) for h in histograms))
    return code, models._cost(histograms, code) if len(histograms) == 1 else np.inf


def variants(
    network: str, subject: Subject
) -> Iterator[tuple[str, Plan, dict[str, float], AbstractContextManager[Any]]]:
    """What is left out, the plan, the steps, and what is changed meanwhile."""
    quality, of_weights = QUALITIES[network]
    structure = subject.structure
    found = roles(subject.tensors, structure.known)
    weights, vectors = (*found.dense, *found.kernels), found.vectors
    steps = structure.steps((*weights, *vectors), found.factors, quality)
    with patch("ilwp.door.structure.halfway_to_spread", lambda steps, _: dict(steps)):
        by_sensitivity = structure.steps((*weights, *vectors), found.factors, quality)
    plan = Plan(method=WITH_GRAPH.method, quality=quality)
    yield "nothing", plan, steps, nullcontext()
    yield "corrected biases", plan, steps, patch("ilwp.door.trial.corrections", lambda *_: {})
    yield "steps by sensitivity", Plan(method=WITH_GRAPH.method, quality=of_weights), {}, nullcontext()
    yield "the weights' spread in steps", plan, by_sensitivity, nullcontext()
    yield "quantized vectors", plan, steps | dict.fromkeys(vectors, 0.0), nullcontext()
    if found.kernels:
        yield "sets: the order is stored", Plan(method="baseline", quality=quality), steps, nullcontext()
        yield "cosine transform", plan, steps, with_basis(np.eye(TAPS))
    yield "choice of models: a histogram each", plan, steps, patch("ilwp.whole.models._cheapest", one_histogram)
    yield "classes of columns", plan, steps, patch("ilwp.whole.level_segments.columned", lambda *_: None)


def main() -> None:
    """All variants."""
    torch.set_num_threads(1)
    rows = []
    for network in QUALITIES:
        subject = subject_of(network)
        for name, plan, steps, changed in variants(network, subject):
            with changed:
                content = compress_network(subject.tensors, plan, subject.structure, steps=steps).content
                back = decoded(content)
            row = {"network": network, "left out": name, "bytes": len(content)}
            rows.append(row | subject.judge.compare(back))
            save("real_ablation", rows)


if __name__ == "__main__":
    main()
