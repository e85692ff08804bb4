"""Muon for hidden matrices (arXiv:2502.16982), its orthogonalisation in the number format of the weights.

`torch.optim.Muon` iterates in bf16, which processors without AVX-512 BF16 emulate: a 2.5 M parameter model then trains a
third slower than with AdamW. Here matrices of one shape are also orthogonalised together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrices: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """The nearest semi-orthogonal matrices, roughly: (n, rows, columns) with singular values between 0.7 and 1.2."""
    a, b, c = COEFFICIENTS
    wide = matrices.size(-2) <= matrices.size(-1)
    x = matrices if wide else matrices.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else x.mT


class Muon(torch.optim.Optimizer):
    """Orthogonalised momentum for `hidden`, AdamW for `others`. One learning rate fits both: an update of a matrix is scaled to
    the size that AdamW's has (0.2 · √max(rows, columns))."""

    def __init__(
        self, hidden: Iterable[torch.nn.Parameter], others: Iterable[torch.nn.Parameter], lr: float = 1e-3, momentum: float = 0.95, weight_decay: float = 0.1
    ) -> None:
        groups = [{"params": list(hidden), "adam": False}, {"params": list(others), "adam": True}]
        super().__init__([g for g in groups if g["params"]], {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "betas": (0.9, 0.95)})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            given = [p for p in group["params"] if p.grad is not None]
            self._adam(given, group) if group["adam"] else self._muon(given, group)

    def _muon(self, params: list[torch.nn.Parameter], group: dict[str, Any]) -> None:
        shapes = defaultdict(list)
        for p in params:
            shapes[p.shape].append(p)
        for shape, same in shapes.items():
            updates = orthogonalise(torch.stack([self._momentum(p, group["momentum"]) for p in same]))
            size = 0.2 * max(shape) ** 0.5
            for p, update in zip(same, updates, strict=True):
                p.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-group["lr"] * size)

    def _momentum(self, p: torch.nn.Parameter, momentum: float) -> torch.Tensor:
        state = self.state[p]
        moving = state["momentum"] = state.get("momentum", torch.zeros_like(p)).lerp_(p.grad, 1 - momentum)
        return p.grad.lerp(moving, momentum)

    def _adam(self, params: list[torch.nn.Parameter], group: dict[str, Any]) -> None:
        first, second = group["betas"]
        for p in params:
            state = self.state[p]
            n = state["step"] = state.get("step", 0) + 1
            mean = state["mean"] = state.get("mean", torch.zeros_like(p)).lerp_(p.grad, 1 - first)
            square = state["square"] = state.get("square", torch.zeros_like(p)).mul_(second).addcmul_(p.grad, p.grad, value=1 - second)
            scale = (square / (1 - second**n)).sqrt_().add_(1e-8)
            if p.ndim > 1:
                p.mul_(1 - group["lr"] * group["weight_decay"])
            p.addcdiv_(mean, scale, value=-group["lr"] / (1 - first**n))
