"""Least-squares maps between embedding tables from their Gram matrices, in fp64 and in chunks of rows.

min ‖A·X − B‖² needs of A and B only AᵀA, AᵀB and ‖B‖², so tables of any length are read once, chunk by chunk.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# Above this condition of AᵀA, fp64 Cholesky has lost about ten of its sixteen digits: the eigenvectors are used instead.
ILL = 1e10


@dataclass(frozen=True)
class Gram:
    """Sufficient statistics of pairs of rows (a, b) of width d; fp64."""

    aa: torch.Tensor  # (d, d) Σ aᵀa
    ab: torch.Tensor  # (d, d) Σ aᵀb
    bb: float  # Σ ‖b‖²
    rows: int

    @classmethod
    def of(cls, pairs: Iterable[tuple[torch.Tensor, torch.Tensor]], width: int) -> Gram:
        """Sum over chunks (k, d), (k, d)."""
        import torch

        aa, ab = torch.zeros(width, width, dtype=torch.float64), torch.zeros(width, width, dtype=torch.float64)
        bb, rows = 0.0, 0
        for a, b in pairs:
            a, b = a.double(), b.double()
            aa.addmm_(a.T, a)
            ab.addmm_(a.T, b)
            bb += float((b * b).sum())
            rows += len(a)
        return cls(aa, ab, bb, rows)

    def __add__(self, other: Gram) -> Gram:
        return Gram(self.aa + other.aa, self.ab + other.ab, self.bb + other.bb, self.rows + other.rows)

    def error(self, x: torch.Tensor) -> float:
        """‖A·X − B‖² of these rows."""
        return max(float((x * (self.aa @ x)).sum() - 2 * (x * self.ab).sum()) + self.bb, 0.0)


@dataclass(frozen=True)
class Map:
    """A fitted map X (d, d) and what is known of the fit."""

    x: torch.Tensor
    report: dict[str, Any]


def solve(gram: Gram, ridge: float = 0.0, min_norm: bool = False) -> Map:
    """X of least squares; where A is rank-deficient or ill-conditioned, the one nearest to the identity.

    X = I + A⁺(B − A), from the eigenvectors of AᵀA; with full column rank this is the least-squares X itself. `ridge` λ > 0
    gives X = I + (AᵀA + λI)⁻¹Aᵀ(B − A); `min_norm` the literal A⁺B.
    """
    import torch

    width = len(gram.aa)
    eye = torch.eye(width, dtype=torch.float64)
    values, vectors = torch.linalg.eigh(gram.aa)
    values = values.clamp(min=0)
    top = float(values[-1])
    # Squared singular values: rank is counted at the square of the usual fp64 cut-off for A itself, floored by what eigh resolves.
    kept = values > max(gram.rows, width) * torch.finfo(torch.float64).eps * top
    rank = int(kept.sum())
    condition = float(top / values[0]) if values[0] > 0 else float("inf")
    about = {"rank": rank, "width": width, "rows": gram.rows, "condition": condition, "ridge": ridge}
    if ridge > 0:
        return Map(eye + torch.linalg.solve(gram.aa + ridge * eye, gram.ab - gram.aa), about | {"solver": "ridge"})
    if rank == width and condition <= ILL:
        factor = torch.linalg.cholesky(gram.aa)
        x = torch.cholesky_solve(gram.ab, factor)
        # One step of refinement on the normal equations wins back the digits that Cholesky loses near the limit.
        return Map(x + torch.cholesky_solve(gram.ab - gram.aa @ x, factor), about | {"solver": "cholesky"})
    inverse = torch.where(kept, 1 / values.clamp(min=torch.finfo(torch.float64).tiny), torch.zeros_like(values))
    pseudo = (vectors * inverse) @ vectors.T
    x = pseudo @ gram.ab if min_norm else eye + pseudo @ (gram.ab - gram.aa)
    return Map(x, about | {"solver": "minimum norm" if min_norm else "nearest to the identity"})


def choose_ridge(train: Gram, held_out: Gram) -> float:
    """The λ, of a grid scaled by the mean eigenvalue, with the least error on held-out rows."""
    scale = float(train.aa.diagonal().mean())
    grid = [0.0, *(scale * 10.0**power for power in range(-6, 4))]
    return min(grid, key=lambda ridge: held_out.error(solve(train, ridge).x))


def held_out_fit(train: Gram, held_out: Gram, ridge: float = 0.0, min_norm: bool = False) -> dict[str, float]:
    """How well a map fitted on `train` predicts held-out rows, beside leaving the rows as they are (swap).

    R² is 1 − ‖A·X − B‖²/‖B‖²: 1 is exact, 0 no better than nothing.
    """
    import torch

    eye = torch.eye(len(train.aa), dtype=torch.float64)
    total = max(held_out.bb, 1e-300)
    return {"r2_map": 1 - held_out.error(solve(train, ridge, min_norm).x) / total, "r2_swap": 1 - held_out.error(eye) / total, "held_out_rows": held_out.rows}
