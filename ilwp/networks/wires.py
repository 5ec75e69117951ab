"""Which channels of a network go together, found by following them through what it computes.

    trace -> wiring -> Wiring

A wire is a channel that one layer makes. Functions that treat all channels alike hand it on, wherever they move it;
what adds or multiplies two channels ties their wires together; a parameter with a number for each channel follows.
Wire 0 stands for what may not move: the inputs, the outputs, and all that goes through a function not listed here.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch.utils._pytree import tree_map

from ilwp.networks.known_functions import CONVOLUTIONS, MOVES, POINTWISE, REDUCTIONS, SPATIAL
from ilwp.networks.trace import Trace, TracedCall, tensors_in
from ilwp.networks.wire_labels import compact_labels, simplified_labels, spread_labels
from ilwp.networks.wire_places import BatchNorm, WirePlace, Wiring


def wiring(trace: Trace, touchable: set[str]) -> Wiring:
    """The wiring of a traced network, of whose tensors only the `touchable` may follow a channel."""
    follower = _Follower(trace, touchable)
    for call in trace.calls:
        follower.follow(call)
    for tensor in tensors_in(trace.result):
        follower.pin(tensor)
    return follower.finished()


class _Follower:
    """What is known of wires so far; `labels` has the wire of every number of every tensor that was met."""

    def __init__(self, trace: Trace, touchable: set[str]) -> None:
        self.reads = Counter(id(t) for call in trace.calls for t in call.reads)
        self.reads.update(id(t) for t in tensors_in(trace.result))
        self.names = {
            id(t): name for name, t in trace.named.items() if name in touchable and self.reads[id(t)] == 1
        }  # with a second reader, what follows in one place would have to follow in the other
        self.labels: dict[int, torch.Tensor] = {}
        self.ties: list[np.ndarray] = []
        self.wires = 1
        self.found = Wiring()
        self.filtered: dict[int, tuple[str, str | None]] = {}  # results of depthwise layers -> weight and bias

    def follow(self, call: TracedCall) -> None:
        """Give labels to what a call results in."""
        labels = self._labels(call)
        results = list(tensors_in(call.result))
        if labels is None or [tuple(part.shape) for part in labels] != [tuple(t.shape) for t in results]:
            for tensor in call.reads:
                self.pin(tensor)
            labels = [torch.zeros((), dtype=torch.int64).expand(t.shape) for t in results]
        self.labels |= {id(t): part for t, part in zip(results, labels, strict=True)}

    def pin(self, tensor: torch.Tensor) -> None:
        """Let nothing move that a tensor holds."""
        labels = np.unique(compact_labels(self._of(tensor)).numpy())
        self.ties.append(np.stack([labels, np.zeros_like(labels)]))

    def finished(self) -> Wiring:
        """The wiring with its ties made up."""
        one, other = np.concatenate([np.zeros((2, 0), np.int64), *self.ties], axis=1)
        graph = coo_array((np.ones(len(one), np.int8), (one, other)), shape=(self.wires, self.wires))
        self.found.component = connected_components(graph, directed=False)[1].astype(np.int64)
        return self.found

    def _labels(self, call: TracedCall) -> list[torch.Tensor] | None:
        """What the results' labels are, None where that is not known."""
        results = list(tensors_in(call.result))
        if call.name in MOVES:
            return self._moved(call)
        if len(results) != 1 or not call.reads:
            return None
        shape, x = results[0].shape, call.argument(0, "input")
        if call.name in POINTWISE:
            return self._tied(call.reads, shape)
        if not isinstance(x, torch.Tensor):
            return None
        if call.name in REDUCTIONS:
            labels, where = self._of(x), (call.argument(1, "dim", ()), call.argument(2, "keepdim", False))
            highest = labels.amax(*where)
            return [highest] if torch.equal(highest, labels.amin(*where)) else None
        wires, axis = None, 1
        if call.name.startswith(SPATIAL) and x.ndim > 2 and x.shape[:2] == shape[:2]:
            wires = self._vector(x, 1)
        elif call.name in CONVOLUTIONS and x.ndim == cast(torch.Tensor, call.argument(1, "weight")).ndim:
            wires = self._weighted(call, x, 1, call.argument(6, "groups", 1))
        elif call.name == "linear":
            axis = x.ndim - 1
            wires = self._weighted(call, x, axis, 1)
        elif call.function is torch.nn.functional.batch_norm and x.ndim > 1:
            wires = self._normed(call, x)
        elif call.name in ("layer_norm", "rms_norm") and len(call.argument(1, "normalized_shape")) == 1:
            axis = x.ndim - 1
            wires = self._along(
                x, axis, [call.argument(2, "weight"), call.argument(3, "bias")][: 2 - ("rms" in call.name)]
            )
        return None if wires is None else [spread_labels(wires, shape, axis)]

    def _weighted(self, call: TracedCall, x: torch.Tensor, axis: int, groups: int) -> torch.Tensor | None:
        """Wires out of a convolution or linear layer with wires of `x` along `axis` coming in."""
        weight, bias = cast(torch.Tensor, call.argument(1, "weight")), call.argument(2, "bias")
        name, wires = self.names.get(id(weight)), self._vector(x, axis)
        if name is None or wires is None:
            return None
        own = self._name(bias)
        depthwise = groups == len(wires) > 1
        if depthwise and len(weight) == groups:
            rows = wires
            if bias is not None and own is None:
                return None
        else:
            self._place(name, 1, groups, wires)
            fixed = bias is not None and own is None
            rows = torch.zeros(len(weight), dtype=torch.int64) if fixed else self._fresh(len(weight))
        self._place(name, 0, 1 if rows is wires else groups, rows)
        if own is not None:
            self._place(own, 0, 1, rows)
        if depthwise:
            self.found.depthwise[name] = rows.numpy()
            self.filtered[id(call.result)] = (name, own)
        return rows

    def _normed(self, call: TracedCall, x: torch.Tensor) -> torch.Tensor | None:
        """Wires out of a batch norm, which is noted."""
        mean, variance, weight, bias = (
            call.argument(place, name)
            for place, name in enumerate(("running_mean", "running_var", "weight", "bias"), start=1)
        )
        names = [self._name(part) for part in (weight, bias, mean, variance)]
        if not call.argument(5, "training", False) and None not in names:
            gain, offset, moving, spread = cast(list[str], names)
            norm = BatchNorm(gain, offset, moving, spread, eps=call.argument(7, "eps", 1e-5))
            self.found.batch_norms.append(norm)
            layer, own = self.filtered.get(id(x), (None, None))
            if layer is not None and self.reads[id(x)] == 1:
                self.found.signed[layer] = (norm.weight, norm.mean, *([own] if own else []))
        return self._along(x, 1, [weight, bias, mean, variance])

    def _along(self, x: torch.Tensor, axis: int, followers: Sequence[torch.Tensor | None]) -> torch.Tensor | None:
        """The wires of `x` along an axis, which `followers` (c,) follow; None where they cannot."""
        wires, names = self._vector(x, axis), [self._name(part) for part in followers if part is not None]
        if wires is None or None in names:
            return None
        for name in names:
            self._place(cast(str, name), 0, 1, wires)
        return wires

    def _moved(self, call: TracedCall) -> list[torch.Tensor] | None:
        """Labels moved as the call moves numbers."""
        for contiguous in (False, True):  # a view may need numbers that lie side by side
            args, kwargs = tree_map(partial(self._moving, contiguous=contiguous), (call.args, dict(call.kwargs)))
            try:
                return [simplified_labels(part) for part in tensors_in(call.function(*args, **kwargs))]
            except Exception:  # such as an index whose numbers are not known
                continue
        return None

    def _moving(self, part: Any, contiguous: bool) -> Any:
        """The labels in place of a tensor among a call's arguments."""
        if not isinstance(part, torch.Tensor):
            return part
        return self._of(part).contiguous() if contiguous else self._of(part)

    def _tied(self, operands: Sequence[torch.Tensor], shape: torch.Size) -> list[torch.Tensor] | None:
        """Labels of a function of numbers at the same place, of which one operand has the result's shape."""
        whole = [t for t in operands if t.shape == shape]
        if not whole:
            return None
        main = self._of(next((t for t in whole if id(t) in self.labels), whole[0]))
        vary = {axis for axis in range(len(shape)) if main.stride(axis) and shape[axis] > 1}
        for operand in operands:
            sizes = (1,) * (len(shape) - operand.ndim) + tuple(operand.shape)
            if any(sizes[axis] == 1 for axis in vary):
                self.pin(operand)  # it does the same to every channel, and is no channel of its own
            else:
                pair = np.broadcast_arrays(
                    compact_labels(main).numpy(), compact_labels(self._of(operand).reshape(sizes)).numpy()
                )
                self.ties.append(np.unique(np.stack([part.ravel() for part in pair]), axis=1))
        return [main]

    def _vector(self, tensor: torch.Tensor, axis: int) -> torch.Tensor | None:
        """The wires along an axis (c,), None where they are not the same everywhere else."""
        labels = compact_labels(self._of(tensor), keep=axis).movedim(axis, -1)
        first = labels.reshape(-1, labels.shape[-1])[0]
        return first.contiguous() if bool((labels == first).all()) else None

    def _of(self, tensor: torch.Tensor) -> torch.Tensor:
        """A tensor's labels; a parameter that is met as an operand has a wire a row."""
        if id(tensor) not in self.labels:
            name = self.names.get(id(tensor))
            if name is None or tensor.ndim == 0 or len(tensor) < 2:
                return torch.zeros((), dtype=torch.int64).expand(tensor.shape)
            rows = self._fresh(len(tensor))
            self._place(name, 0, 1, rows)
            self.labels[id(tensor)] = spread_labels(rows, tensor.shape, 0)
        return self.labels[id(tensor)]

    def _fresh(self, count: int) -> torch.Tensor:
        self.wires += count
        return torch.arange(self.wires - count, self.wires)

    def _place(self, name: str, axis: int, groups: int, wires: torch.Tensor) -> None:
        self.found.places.append(WirePlace(name, axis, groups, wires.numpy()))

    def _name(self, tensor: Any) -> str | None:
        return self.names.get(id(tensor))
