"""Batch norms with half as many numbers: gain and offset of each channel, mean and variance made trivial.

In evaluation a batch norm is (x - mean) / sqrt(variance + eps) x weight + bias, four numbers a channel where two would
do. With mean 0 and variance 1 throughout the other two take it all, and constant tensors take no room in a file.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from ilwp.common.errors import IlwpError

PARTS = ("weight", "bias", "running_mean", "running_var")


def check_trained(tensors: Mapping[str, np.ndarray], batch_norms: Iterable[str]) -> None:
    """Raise IlwpError where the variance of one of these batch norms is negative, or any number of it not finite."""
    for name in batch_norms:
        parts = [tensors[f"{name}.{part}"].astype(np.float64) for part in PARTS]
        if not all(np.isfinite(part).all() for part in parts) or (parts[-1] < 0).any():
            raise IlwpError(f"batch norm {name} holds a negative variance, NaN or infinity: the network did not train")


def folded(tensors: Mapping[str, np.ndarray], batch_norms: Mapping[str, float]) -> dict[str, np.ndarray]:
    """A state dict of the same function in evaluation, up to rounding to the tensors' own types.

    `batch_norms` holds the names of batch norms with weights, biases and running statistics, and their eps. Errors are
    those of `check_trained`.
    """
    check_trained(tensors, batch_norms)
    changed = dict(tensors)
    for name, eps in batch_norms.items():
        weight, bias, mean, variance = (tensors[f"{name}.{part}"].astype(np.float64) for part in PARTS)
        gain = weight / np.sqrt(variance + eps)
        changed[f"{name}.weight"] = (gain * np.sqrt(1 + eps)).astype(tensors[f"{name}.weight"].dtype)
        changed[f"{name}.bias"] = (bias - mean * gain).astype(tensors[f"{name}.bias"].dtype)
        changed[f"{name}.running_mean"] = np.zeros_like(tensors[f"{name}.running_mean"])
        changed[f"{name}.running_var"] = np.ones_like(tensors[f"{name}.running_var"])
    return changed
