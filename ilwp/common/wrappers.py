"""The state dict in a checkpoint, beside which an optimizer, an epoch and other things may stand.

A checkpoint is a mapping, and a state dict in it a mapping of names to tensors, at most three levels down. Of several
the one that is no running average is taken; where that leaves more than one, the caller has to choose.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ilwp.common.errors import IlwpError, printable
from ilwp.common.numbers import FROM_FLOAT

DEPTH = 3
AVERAGES = {"ema", "swa", "avg", "average", "averaged"}


@dataclass(frozen=True)
class Found:
    """A state dict, the key it stood under (empty where it was the whole file), and the keys of others."""

    state_dict: Mapping[Any, Any]
    key: str
    others: tuple[str, ...]


def state_dict_in(content: object, tensor: type, key: str | None = None) -> Found:
    """The state dict under `key`, or the one to take without; raises IlwpError where there is none, or no single one.

    `tensor` is the class of tensors. Keys of mappings in mappings are joined by dots.
    """
    if _is_of_tensors(content, tensor):
        if key is not None:
            raise IlwpError(f"it is a state dict itself, in which there is nothing to choose as {printable(key)!r}")
        return Found(content, "", ())  # type: ignore[arg-type]
    found = _state_dicts(content, tensor, DEPTH) if isinstance(content, Mapping) else {}
    if not found:
        raise IlwpError(_obstacle(content, tensor))
    if key is None:
        chosen = list(found) if len(found) == 1 else [name for name in found if not _is_average(name)]
    else:
        chosen = [name for name in found if name == key or name.startswith(f"{key}.")]
    names = _listed(chosen or list(found))
    if len(chosen) > 1 or (not chosen and key is None):
        raise IlwpError(f"it holds several networks, {names}: choose one with --key")
    if not chosen:
        raise IlwpError(f"nothing in it is called {printable(str(key))!r}: choose {names} with --key")
    return Found(found[chosen[0]], chosen[0], tuple(name for name in found if name != chosen[0]))


def _state_dicts(content: Mapping[Any, Any], tensor: type, depth: int) -> dict[str, Mapping[Any, Any]]:
    found: dict[str, Mapping[Any, Any]] = {}
    for name, value in content.items():
        if _is_state_dict(value, tensor):
            found[str(name)] = value
        elif isinstance(value, Mapping) and depth > 1 and "param_groups" not in value:  # which an optimizer has
            found |= {f"{name}.{inner}": d for inner, d in _state_dicts(value, tensor, depth - 1).items()}
    return found


def _is_of_tensors(value: object, tensor: type) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(t, tensor) for t in value.values())


def _is_state_dict(value: Any, tensor: type) -> bool:
    """Whether it maps to tensors, of which one is more than a number, such as a loss."""
    return _is_of_tensors(value, tensor) and any(t.ndim for t in value.values())


def _is_average(name: str) -> bool:
    return not AVERAGES.isdisjoint(re.split(r"[^a-z]+", name.lower()))


def _obstacle(content: object, tensor: type) -> str:
    """Why there is no state dict, by what is no tensor in the mapping that has most tensors."""
    mappings = _mappings(content, DEPTH)
    nearest = max(mappings, key=lambda mapping: sum(isinstance(v, tensor) for v in mapping.values()), default={})
    others = [(printable(str(n))[:60], v) for n, v in nearest.items() if not isinstance(v, tensor | Mapping)]
    why = f" ({others[0][0]} is of type {type(others[0][1]).__name__})" if others else ""
    if any("_packed_params" in name for name, _ in others):
        return f"it holds a quantized network{why}: {FROM_FLOAT}"
    return f"not a mapping from names to tensors{why}: save network.state_dict()"


def _mappings(content: object, depth: int) -> list[Mapping[Any, Any]]:
    if not isinstance(content, Mapping) or not depth:
        return []
    return [content, *(inner for value in content.values() for inner in _mappings(value, depth - 1))]


def _listed(names: list[str]) -> str:
    return " or ".join(repr(printable(name)) for name in names[:4]) + (" or others" if len(names) > 4 else "")
