"""Checkpoints of long work, numbered in a folder: whole or not there, the last two kept, each with its SHA-256."""

import hashlib
import io
import warnings
from pathlib import Path
from typing import Any

import torch

from ilwp.common.errors import IlwpError
from ilwp.common.files import atomic_write


def save(folder: Path, number: int, state: dict[str, Any]) -> None:
    """Write a checkpoint beside the one before, then drop all others.

    `state` holds tensors and plain values, under "config" what `newest` compares.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    path = folder / f"epoch-{number:05}.pt"
    atomic_write(path, hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue())
    # later ones are damaged, or else work would have gone on from them
    kept = [saved for saved in _saved(folder) if saved <= path][-2:]
    for old in set(_saved(folder)) - set(kept):
        old.unlink()


def newest(folder: Path, config: dict[str, Any], device: torch.device) -> dict[str, Any] | None:
    """The state of the newest whole checkpoint; raises IlwpError where it was saved with another configuration."""
    for path in reversed(_saved(folder)):
        content = path.read_bytes()
        if hashlib.sha256(content[32:]).digest() != content[:32]:
            warnings.warn(f"{path} is damaged: going back to the checkpoint before it", stacklevel=2)
            continue
        state: dict[str, Any] = torch.load(io.BytesIO(content[32:]), weights_only=True, map_location=device)
        if state["config"] != config:
            raise IlwpError(f"{folder} holds a run with other settings: delete it or train in another folder")
        return state
    return None


def last(folder: Path) -> int:
    """The number of the last checkpoint in `folder`, 0 where there is none."""
    return max((int(path.stem.removeprefix("epoch-")) for path in _saved(folder)), default=0)


def forget(folder: Path) -> None:
    """Delete the checkpoints in `folder`, so that work there starts over."""
    for path in _saved(folder):
        path.unlink()


def _saved(folder: Path) -> list[Path]:
    """Oldest first."""
    return sorted(folder.glob("epoch-" + 5 * "[0-9]" + ".pt"))
