"""What a network computes, as the list of torch's functions that it calls, and runs with other tensors in its place.

    network, inputs -> traced -> list[Call]

The network runs once on tensors without numbers (torch's "meta" device). Where its path depends on numbers, torch
raises an error, and the network's graph counts as unknown.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from ilwp.common.errors import IlwpError, one_line

ExampleInputs = tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class TracedCall:
    """One call of a torch function: its name without underscores at the ends, and what went in and came out."""

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    result: Any

    def argument(self, place: int, name: str, default: Any = None) -> Any:
        """An argument that may be given by place or by name."""
        return self.args[place] if len(self.args) > place else self.kwargs.get(name, default)

    @property
    def reads(self) -> list[torch.Tensor]:
        """The tensors that went in; one that went in twice is listed twice."""
        return list(tensors_in([self.args, self.kwargs]))


@dataclass(frozen=True)
class Trace:
    """A network's calls, its outputs, and the tensor without content that stood for each parameter and buffer."""

    calls: list[TracedCall]
    result: Any
    named: dict[str, torch.Tensor]


def traced(network: nn.Module, inputs: ExampleInputs) -> Trace:
    """The calls of one evaluation; raises IlwpError where the network cannot run without knowing numbers."""
    if any(map(is_lazy, (*network.parameters(), *network.buffers()))):
        raise IlwpError("the network has a lazy layer, whose size is not known yet: use a layer of a given size")
    recorder = _Recorder()
    own = named_tensors(network)
    try:
        empty = {id(t): torch.empty_like(t, device="meta", requires_grad=False) for t in own.values()}
        kind = next((t.dtype for t in own.values() if t.is_floating_point()), torch.float32)
        with torch.no_grad(), torch.device("meta"), swapped(network, empty), recorder:
            result = network(*(x.to("meta", kind if x.is_floating_point() else x.dtype) for x in inputs))
    except Exception as error:  # whatever the network's code raises when it sees no numbers
        raise IlwpError(f"the network's graph cannot be traced ({one_line(error)})") from error
    return Trace(recorder.calls, result, {name: empty[id(t)] for name, t in own.items()})


def outputs(network: nn.Module, state: Mapping[str, torch.Tensor], inputs: ExampleInputs) -> list[torch.Tensor]:
    """All tensors in what a network gives for `inputs` with copies of `state` in place of its own tensors.

    What the network changes in evaluation is lost. Raises whatever the network's code does.
    """
    fresh = {id(t): state[name].clone() for name, t in named_tensors(network).items()}
    with torch.no_grad(), swapped(network, fresh):
        return list(tensors_in(network(*inputs)))


def named_tensors(network: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and buffers by every name they have, in the order of registration."""
    found: dict[str, torch.Tensor] = dict(network.named_parameters(remove_duplicate=False))
    return found | dict(network.named_buffers(remove_duplicate=False))


@contextmanager
def swapped(network: nn.Module, others: Mapping[int, torch.Tensor]) -> Iterator[None]:
    """Let a network hold, in place of each of its tensors, the one that `others` has for its `id`."""
    stores: list[Any] = []
    for module in network.modules():
        stores += [module._parameters, module._buffers]
    second = [(module, module._flat_weights) for module in network.modules() if isinstance(module, nn.RNNBase)]
    stores += [weights for _, weights in second]
    slots = [
        (store, key, tensor)
        for store in stores
        for key, tensor in (store.items() if isinstance(store, dict) else enumerate(store))
        if tensor is not None
    ]
    try:
        for store, key, tensor in slots:
            store[key] = others[id(tensor)]
        yield
    finally:
        for store, key, tensor in slots:
            store[key] = tensor
        for module, weights in second:  # where it has noticed the others, it has another list now
            module._flat_weights = weights


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """The tensors in nested mappings, sequences and data classes, in their order."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from tensors_in(part)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for part in value:
            yield from tensors_in(part)
    elif is_dataclass(value):
        for field in fields(value):
            yield from tensors_in(getattr(value, field.name))


def floating(value: Any) -> list[torch.Tensor]:
    """The tensors of floating point among those of `tensors_in`."""
    return [tensor for tensor in tensors_in(value) if tensor.is_floating_point()]


class _Recorder(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[TracedCall] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        # a question about a tensor, such as its shape, reads no numbers; what returns nothing may have written some
        if result is None or any(True for _ in tensors_in(result)):
            name = getattr(func, "__name__", "?").strip("_")
            self.calls.append(TracedCall(name, func, tuple(args), dict(kwargs or {}), result))
        return result
