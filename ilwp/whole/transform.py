"""The cosine transform of depthwise kernels, along every axis, exact on every machine.

A kernel's taps resemble their neighbours, so most of its energy goes into few coefficients. The transform keeps
distances: an error in the coefficients is as large in the kernel.
"""

import math

import numpy as np


def basis(*size: int) -> np.ndarray:
    """Orthonormal kernels (taps, taps) float64 of any number of axes, flattened, one a row, lowest frequency first.

    Their entries are float32 values, so that no machine's cosine makes another file of the same network.
    """
    products, frequency = np.ones((1, 1)), np.zeros(1, np.int64)
    for axis in size:
        products = np.einsum("fi,gj->fgij", products, _cosines(axis)).reshape(len(products) * axis, -1)
        frequency = np.add.outer(frequency, np.arange(axis)).ravel()
    ordered: np.ndarray = products[np.argsort(frequency, kind="stable")].astype(np.float32).astype(np.float64)
    return ordered


def forward(kernels: np.ndarray, cosines: np.ndarray) -> np.ndarray:
    """Coefficients (c, d) float64 of flattened kernels (c, d)."""
    coefficients: np.ndarray = kernels.astype(np.float64) @ cosines.T
    return coefficients


def inverse(coefficients: np.ndarray, cosines: np.ndarray) -> np.ndarray:
    """Kernels (c, d) float64; added up in one order, which a matrix product does not promise."""
    kernels = np.zeros(coefficients.shape)
    for column, kernel in zip(coefficients.T, cosines, strict=True):
        kernels += column[:, None] * kernel
    return kernels


def _cosines(size: int) -> np.ndarray:
    angles = np.outer(np.arange(size), np.arange(size) + 0.5) * (math.pi / size)
    return np.cos(angles) * np.where(np.arange(size) == 0, math.sqrt(1 / size), math.sqrt(2 / size))[:, None]
