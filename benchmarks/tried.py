"""What was tried on the codec and left out: bits per weight that each idea would save at one distortion.

    python benchmarks/tried.py    (`make bench-peers`; 2 minutes)

Ideal code lengths of aligned kernels, not files: an idea and what it would replace are priced alike, with one
geometric model a coefficient. Prediction is from original kernels.
"""

import numpy as np
from results import IMAGENET, load, save
from scipy.optimize import nnls

from ilwp.networks.symmetries import symmetries
from ilwp.paper.kernels import depthwise_kernels
from ilwp.whole.alignment import align
from ilwp.whole.models import fit_code
from ilwp.whole.transform import basis, forward

NETWORKS = (IMAGENET, "MobileNet", "MobileNet, inter-layer loss")
WANTED = 24.1  # dB
REACH = 1200
LEVELS = np.arange(-REACH, REACH + 1)


def prices(levels: np.ndarray) -> np.ndarray:
    """Bits of each of LEVELS under the geometric model, with a share of zeros of its own, that fits `levels` best."""
    others = np.abs(levels[levels != 0])
    zero = (np.sum(levels == 0) + 0.5) / (levels.size + 1)
    ratio = max(1 - 1 / max(others.mean(), 1.0001), 0.01) if len(others) else 0.01
    shares = (1 - zero) / 2 * (1 - ratio) * ratio ** (np.abs(LEVELS) - 1.0)
    return -np.log2(np.maximum(np.where(LEVELS == 0, zero, shares), 1e-12))


def rounded(x: np.ndarray, step: float, slope: float) -> tuple[float, float]:
    """Bits a weight and mean square error of levels chosen by rate and distortion; slope 0 rounds to the nearest."""
    levels = np.rint(x / step).astype(int)
    for _ in range(6):
        price = np.stack([prices(column) for column in levels.T])
        toward = np.trunc(x / step).astype(int)
        options = np.stack([toward, toward + np.sign(x).astype(int), 0 * toward])
        rates = np.stack([price[t, options[:, :, t] + REACH] for t in range(x.shape[1])], axis=2)
        chosen = ((x / step - options) ** 2 + slope * rates).argmin(axis=0)
        levels = np.take_along_axis(options, chosen[None], 0)[0]
    bits = np.mean([prices(column)[column + REACH].mean() for column in levels.T])
    return float(bits), float(np.square(levels * step - x).mean())


def at_wanted(x: np.ndarray, quantize) -> float:
    """Bits a weight at WANTED, the step found by bisection."""
    error = np.square(x).mean() / 10 ** (WANTED / 10)
    low, high = np.sqrt(12 * error) * np.array([0.3, 3])
    for _ in range(9):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if quantize(x, middle)[1] < error else (low, middle)
    return quantize(x, np.sqrt(low * high))[0]


def context(layers: list[np.ndarray]) -> float:
    """Bits a weight saved if a coefficient's scale is a sum of its layer's mean and of magnitudes before it."""
    x = np.concatenate(layers)
    step = np.sqrt(12 * np.square(x).mean() / 10 ** (WANTED / 10))
    sizes = [np.abs(np.rint(layer / step)) for layer in layers]
    size, usual = np.concatenate(sizes), np.concatenate([np.tile(s.mean(axis=0), (len(s), 1)) for s in sizes])

    def length(values: np.ndarray, mean: np.ndarray) -> float:
        ratio = ((np.sqrt(1 + mean**2) - 1) / np.maximum(mean, 1e-3)).clip(1e-3, 0.999)
        return float(-(np.log2((1 - ratio) / (1 + ratio)) + values * np.log2(ratio)).sum())

    saved = 0.0
    for t in range(1, x.shape[1]):
        seen = np.column_stack([usual[:, t], size[:, :t]])
        mean = usual[:, t]
        for _ in range(4):
            weight = 1 / (mean + 0.3)
            mean = seen @ nnls(seen * weight[:, None], size[:, t] * weight)[0]
        saved += length(size[:, t], usual[:, t]) - length(size[:, t], mean)
    return saved / x.size


def anywhere(layers: list[np.ndarray]) -> float:
    """Bits a weight saved if any layer before may predict, or none, and not only the previous one, or none."""
    step = np.sqrt(12 * np.mean(np.square(np.concatenate(layers))) / 10 ** (WANTED / 10))

    def bits(residual: np.ndarray) -> float:
        return fit_code(np.rint(residual / step).astype(int))[1]

    plain = chosen = 0.0
    for i, layer in enumerate(layers[1:], start=1):
        beside = [layers[u][np.arange(len(layer)) % len(layers[u])] for u in range(i)]
        alone = bits(layer)
        plain += min(alone, bits(layer - beside[-1]))
        chosen += min(alone, *(bits(layer - reference) for reference in beside))
    return (plain - chosen) / sum(layer.size for layer in layers)


def main() -> None:
    """All networks."""
    rows = []
    for network in NETWORKS:
        tensors, module = load(network)
        aligned = align(tensors, symmetries(module))
        names = list(depthwise_kernels(tensors))
        cosines = basis(*tensors[names[0]].shape[2:])
        layers = [forward(aligned[name].reshape(len(aligned[name]), -1), cosines) for name in names]
        x = np.concatenate(layers)
        nearest = at_wanted(x, lambda x, step: rounded(x, step, 0.0))
        ideas = {
            "a coefficient's scale from those before it": context(layers),
            "rounding by rate and distortion": nearest - at_wanted(x, lambda x, step: rounded(x, step, 0.08)),
            "any earlier layer as reference": anywhere(layers),
        }
        rows += [{"network": network, "idea": idea, "saved": saved} for idea, saved in ideas.items()]
    save("tried", rows)


if __name__ == "__main__":
    main()
