"""Weight fixing and additive quantization as methods of fine-tuning, each leaving tensors with codebooks."""

import functools
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.func import functional_call

from ilwp.codebooks import additive, weight_fixing
from ilwp.codebooks.codebooks import Codebooks, joined, ordered
from ilwp.codebooks.finetuning import FinetuningMethod
from ilwp.networks.tensors import arrays

GRADIENT_NORM = 0.5  # at most, in weight fixing


class WeightFixing(FinetuningMethod):
    """A round for each step of `weight_fixing`: fix a share of all weights, train the others and the batch norms.

    All weights and biases of convolutions and linear layers are pooled. After the last step only batch norms are left
    to train.
    """

    decays = False

    def __init__(self, network: nn.Module, delta: float) -> None:
        super().__init__(network, len(weight_fixing.SHARES))
        self.delta = delta
        layers = [(n, m) for n, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        self.pool = {f"{name}.{own}": p for name, module in layers for own, p in module.named_parameters(recurse=False)}
        self.fixed = {name: torch.zeros_like(p, dtype=torch.bool) for name, p in self.pool.items()}
        self.values = {name: p.detach().clone() for name, p in self.pool.items()}
        self.centroids = torch.zeros(0)

    def settings(self) -> dict[str, Any]:
        """Plain values that tell one run of the method from another."""
        return super().settings() | {"delta": self.delta}

    def start(self, number: int) -> dict[str, float]:
        """Fix weights; notes the share that is fixed, the order, and how many were fixed beyond the tolerance."""
        tolerance = weight_fixing.step_tolerance(self.delta, number + 1)
        weights, fixed = _flat(self.pool), _flat(self.fixed)
        done = weight_fixing.fix(weights, fixed, weight_fixing.SHARES[number], tolerance)
        known = weight_fixing.candidate_centroids(tolerance, done.order, float(np.abs(weights).max(initial=0)))
        where = next(iter(self.pool.values())).device
        self.centroids = torch.from_numpy(known).to(where)
        shapes = {name: tuple(p.shape) for name, p in self.pool.items()}
        self.values = joined(torch.from_numpy(done.weights[:, None]).to(where), shapes)
        self.fixed = joined(torch.from_numpy(done.fixed[:, None]).to(where), shapes)
        self.after_step()
        return {
            "fixed": float(done.fixed.mean()), "order": done.order, "beyond": done.beyond,
            "values": len(np.unique(done.weights[done.fixed])),
        }  # fmt: skip

    def loss(self, cross_entropy: torch.Tensor) -> torch.Tensor:
        """Cross-entropy, and the regularization of what is not fixed at `ALPHA` of its size."""
        free = torch.cat([p[~self.fixed[name]] for name, p in self.pool.items()])
        if not len(free):
            return cross_entropy
        distance = weight_fixing.regularization(free, self.centroids)
        return cross_entropy + weight_fixing.ALPHA * (cross_entropy / distance.clamp(min=1e-12)).detach() * distance

    def before_step(self) -> None:
        """Set the gradient of fixed weights to zero, and limit the norm of the whole gradient."""
        for name, p in self.pool.items():
            if p.grad is not None:
                p.grad[self.fixed[name]] = 0
        nn.utils.clip_grad_norm_(self.parameters(), GRADIENT_NORM)

    @torch.no_grad()
    def after_step(self) -> None:
        """Put fixed weights back, which the optimizer's momentum may have moved."""
        for name, p in self.pool.items():
            p.copy_(torch.where(self.fixed[name], self.values[name], p))

    def state(self) -> dict[str, Any]:
        """Which weights are fixed."""
        return {"fixed": self.fixed}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave, and the values from the network."""
        self.fixed = state["fixed"]
        self.values = {name: p.detach().clone() for name, p in self.pool.items()}

    def coded(self) -> list[Codebooks]:
        """All weights that are fixed, in one set with one codebook of values."""
        values, codes = np.unique(_flat(self.pool), return_inverse=True)
        shapes = {name: tuple(p.shape) for name, p in self.pool.items()}
        return [ordered(Codebooks(shapes, (values[:, None],), codes.reshape(-1, 1).astype(np.int32)))]


class AdditiveQuantization(FinetuningMethod):
    """Codebooks are learned from the trained weights, then trained themselves; codes stay as they are.

    Weights with two axes or more are coded; batch norms and biases are trained along.
    """

    def __init__(self, network: nn.Module, rounds: int, books: int, bits: int, length: int, shared: bool) -> None:
        super().__init__(network, rounds)
        self.options = {"books": books, "bits": bits, "length": length}
        self.shared = shared
        self.sets: list[Codebooks] = []
        self.books: list[list[nn.Parameter]] = []

    def settings(self) -> dict[str, Any]:
        """Plain values that tell one run of the method from another."""
        return super().settings() | self.options | {"shared": self.shared}

    def start(self, number: int) -> dict[str, float]:
        """Before the first round, learn the codebooks."""
        if not self.sets:
            trained = dict(self.network.named_parameters())
            weights = {name: t for name, t in arrays(self.network).items() if name in trained}
            self.take(additive.quantize_additive(weights, **self.options, shared=self.shared))
        return {}

    def take(self, sets: list[Codebooks]) -> None:
        """Train these from now on."""
        where = next(self.network.parameters()).device
        self.sets = sets
        self.books = [[nn.Parameter(torch.from_numpy(b).to(where)) for b in s.books] for s in sets]
        self.codes = [[torch.from_numpy(column.astype(np.int64)).to(where) for column in s.codes.T] for s in sets]

    def parameters(self) -> list[nn.Parameter]:
        """Codebooks, and what is not coded."""
        coded = {name for s in self.sets for name in s.shapes}
        free = [p for name, p in self.network.named_parameters() if name not in coded]
        return [book for books in self.books for book in books] + free

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """The output of the network with weights read from the codebooks."""
        found: torch.Tensor = functional_call(self.network, self._weights(), (x,))
        return found

    @torch.no_grad()
    def settle(self) -> None:
        """Put the weights as they would be decoded into the network."""
        for name, tensor in ((n, t) for s in self.coded() for n, t in s.tensors().items()):
            self.network.get_parameter(name).copy_(torch.from_numpy(tensor))

    def state(self) -> dict[str, Any]:
        """Codebooks, codes and scales."""
        return {
            "books": [[b.detach() for b in books] for books in self.books], "codes": self.codes,
            "scales": [dict(s.scales or {}) for s in self.sets], "shapes": [dict(s.shapes) for s in self.sets],
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        parts = zip(state["shapes"], state["books"], state["codes"], state["scales"], strict=True)
        self.take([
            Codebooks(shapes, tuple(b.cpu().numpy() for b in books), torch.stack(codes, 1).cpu().numpy(), scales)
            for shapes, books, codes, scales in parts
        ])  # fmt: skip

    def coded(self) -> list[Codebooks]:
        """The sets with their codebooks as trained, rounded to float16."""
        return [
            ordered(
                Codebooks(s.shapes, tuple(additive.half(b.detach().cpu().numpy()) for b in books), s.codes, s.scales)
            )
            for s, books in zip(self.sets, self.books, strict=True)
        ]

    def _weights(self) -> dict[str, torch.Tensor]:
        weights: dict[str, torch.Tensor] = {}
        for s, books, codes in zip(self.sets, self.books, self.codes, strict=True):
            chosen = [nn.functional.embedding(c, b) for c, b in zip(codes, books, strict=True)]
            for name, tensor in joined(functools.reduce(torch.add, chosen), s.shapes).items():
                weights[name] = tensor * s.scales[name] if s.scales else tensor
        return weights


def _flat(tensors: Any) -> np.ndarray:
    """All values of tensors (n,), in order."""
    found: np.ndarray = np.concatenate([t.detach().cpu().contiguous().numpy().ravel() for t in tensors.values()])
    return found
