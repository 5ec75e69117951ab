"""What else was tried on a real network: bytes and outputs of files with one idea more.

    ILWP_DATA=... python benchmarks/real_tried.py    (`make bench-peers`; 20 minutes)

Each idea changes how `ilwp compress --graph` rounds or codes dense weights, and nothing else. Biases are corrected
behind all of them. Files without any idea are in `real_networks.json`. With images an idea takes the place of error
feedback. CERWU's rule extends that; it is written anew from the equations of arXiv 2505.18758, and runs on our coder.
Rows are saved one by one, and an unfinished run goes on where it stopped.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from real_networks import WITH_GRAPH, Subject, subject_of
from results import IMAGENET, kept_rows, save, timed
from trellis import quantize as trellis
from trellis import size as trellis_bytes
from trellis import values as trellis_values

from ilwp.door import attempts, compress_network, decoded
from ilwp.networks.sensitivity import inputs_for
from ilwp.whole import coding, error_feedback
from ilwp.whole.error_feedback import DAMPINGS, ErrorFeedback
from ilwp.whole.pieces import Exact, Levels
from ilwp.whole.plan import Plan
from ilwp.whole.roles import roles
from ilwp.whole.rounding import given_levels

NAME = "real_tried"
QUALITIES = (21, 14)  # dB
PATH, HEAD = 256, 16  # levels on a path through the trellis, and bytes that a tensor of them takes beside its models
SLOPES = (0.05, 0.1, 0.2)  # squared steps that a bit may cost; at high rates it takes 0.12 off the error
PASSES = 3  # each prices levels by how often the one before used them
Rounded = Levels | Exact
Changed = AbstractContextManager[Any]


class Dependent:
    """Dependent quantization in place of `levels_of`; `bytes_` are those of the levels and their models."""

    def __init__(self, slope: float) -> None:
        self.slope, self.bytes_ = slope, 0.0

    def __call__(self, tensor: np.ndarray, step: float) -> Rounded:
        """Levels of half a step, which stand for the same values."""
        piece = LEVELS_OF(tensor, step)
        if tensor.ndim < 2 or isinstance(piece, Exact):
            return piece
        x = np.pad(tensor.ravel() / (step / 2), (0, -tensor.size % PATH)).reshape(-1, PATH)
        levels = trellis(x.astype(np.float64), self.slope, alike=True)
        self.bytes_ += trellis_bytes(levels, alike=True) + HEAD
        found = trellis_values(levels).ravel()[: tensor.size].reshape(tensor.shape)
        return Levels(found.astype(np.int32), step / 2, tensor.dtype)


LEVELS_OF = coding.levels_of


def prices(levels: np.ndarray, reach: int) -> np.ndarray:
    """Bits of the levels from -reach to reach, by how often each is used."""
    counts = np.bincount(levels.astype(np.int64).ravel().clip(-reach, reach) + reach, minlength=2 * reach + 1) + 0.5
    found: np.ndarray = -np.log2(counts / counts.sum())
    return found


def rate_aware(tensor: np.ndarray, step: float, slope: float) -> Rounded:
    """In place of `levels_of`: of the two levels beside a weight and zero, the one of least error and rate."""
    if tensor.ndim < 2:
        return LEVELS_OF(tensor, step)
    x = tensor.astype(np.float64) / step
    levels = np.rint(x)
    reach = int(np.abs(levels).max(initial=0)) + 1
    for _ in range(PASSES):
        price = prices(levels, reach)
        options = np.stack([np.floor(x), np.ceil(x), 0 * x])
        cost = np.square(options - x) + slope * price[options.astype(np.int64) + reach]
        levels = np.take_along_axis(options, cost.argmin(0)[None], 0)[0]
    return given_levels(levels, step, tensor)


def cerwu(weights: torch.Tensor, root: torch.Tensor, step: float, slope: float) -> torch.Tensor:
    """In place of `error_feedback._rounded`: CERWU's rule.

    The rate of a weight w is taken as b w^2 with the b of a Gaussian. Added to the squared error of the outputs, whose
    matrix is H, it moves the weights to (H + l b)^-1 H w and makes the matrix H + l b. Then each level is chosen by its
    error and by what its rate is more than the square says.
    """
    inverse = root.T @ root
    matrix = torch.linalg.inv(inverse)
    price_per_bit = slope * step**2 * float(torch.exp(-2 * root.diagonal().log().mean()))
    square = 0.5 / (float(weights.square().mean()) * np.log(2))  # bits of a squared weight
    stiffer = matrix + price_per_bit * square * torch.eye(len(matrix), dtype=matrix.dtype)
    left = torch.linalg.solve(stiffer, matrix @ weights.T).T.contiguous()
    root = torch.linalg.cholesky(torch.linalg.inv(stiffer), upper=True)
    reach = int(torch.ceil(left.abs().max() * 4 / step)) + 1
    price = torch.from_numpy(prices(torch.round(left / step).numpy(), reach))
    price = price - square * (torch.arange(-reach, reach + 1) * step).square()
    levels = torch.zeros_like(left)
    for j in range(len(root)):
        x = left[:, j] / step
        options = torch.stack([x.floor(), x.ceil(), x.trunc() - x.sign(), torch.zeros_like(x)]).clamp(-reach, reach)
        cost = ((options - x) * step / root[j, j]).square() + price_per_bit * price[(options + reach).long()]
        levels[:, j] = options.gather(0, cost.argmin(0)[None])[0]
        error = (left[:, j] - levels[:, j] * step) / root[j, j]
        left[:, j + 1 :] -= torch.outer(error, root[j, j + 1 :])
    return levels


def by_synthetic_inputs() -> Changed:
    """Error feedback from the moments of synthetic inputs."""
    plain = attempts._coded

    def coded(task: Any, ready: Any, rounding: Any) -> Any:
        network = task.structure.network
        inputs = inputs_for(network, task.structure.input_shape)
        feedback = ErrorFeedback(network, ready.tensors | ready.kernels, inputs)
        return plain(task, ready, lambda name, step, tensor: feedback(name, step, tensor, max(DAMPINGS)))

    return patch("ilwp.door.attempts._coded", coded)


def ideas() -> Iterator[tuple[str, bool, Callable[[], tuple[Changed, Dependent | None]]]]:
    """Each idea, whether images teach, and what is changed meanwhile."""
    for slope in SLOPES:
        yield f"dependent quantization, {slope:g}", False, partial(_dependent, slope)
    for slope in SLOPES:
        yield f"rate-aware rounding, {slope:g}", False, partial(_rate_aware, slope)
    yield "error feedback from synthetic inputs", False, lambda: (by_synthetic_inputs(), None)
    for slope in SLOPES:
        yield f"CERWU's rule, ours, {slope:g}", True, partial(_cerwu, slope)


def _rate_aware(slope: float) -> tuple[Changed, None]:
    return patch("ilwp.whole.coding.levels_of", partial(rate_aware, slope=slope)), None


def _cerwu(slope: float) -> tuple[Changed, None]:
    return patch.object(error_feedback, "_rounded", partial(cerwu, slope=slope)), None


def _dependent(slope: float) -> tuple[Changed, Dependent]:
    rounding = Dependent(slope)
    return patch("ilwp.whole.coding.levels_of", rounding), rounding


def measured(
    subject: Subject, quality: float, images: np.ndarray | None, changed: Changed, dependent: Dependent | None
) -> dict[str, Any]:
    """Bytes and outputs of a file, and seconds to make it; what is proven of the graph is known before."""
    with changed:
        plan = Plan(method=WITH_GRAPH.method, quality=quality)
        made, seconds = timed(lambda: compress_network(subject.tensors, plan, subject.structure, images), 1)
    bytes_ = float(len(made.content))
    if dependent:
        dense = roles(subject.tensors, subject.structure.known).dense
        bytes_ += dependent.bytes_ - sum(row.bytes for row in made.rows if row.tensor in dense and row.snr != np.inf)
    return {"bytes": round(bytes_), "encode_s": seconds, **subject.judge.compare(decoded(made.content))}


def main() -> None:
    """All rows that are not there yet; from the beginning where all are."""
    torch.set_num_threads(1)
    plan = [(idea, images, quality, change) for idea, images, change in ideas() for quality in QUALITIES]
    rows = kept if len(kept := kept_rows(NAME)) < len(plan) else []
    subject = subject_of(IMAGENET)
    for idea, taught, quality, change in plan:
        about = {"network": IMAGENET, "idea": idea, "images": len(subject.images) * taught, "quality": quality}
        if any(about.items() <= row.items() for row in rows):
            continue
        rows.append(about | measured(subject, quality, subject.images if taught else None, *change()))
        save(NAME, rows)


if __name__ == "__main__":
    main()
