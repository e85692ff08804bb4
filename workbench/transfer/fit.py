"""Least-squares maps between embedding tables from their Gram matrices, in one pass over chunks of rows.

min ‖A·X − B‖² is solved for Y = X − I, which fits C = B − A: of A and C it needs only AᵀA, AᵀC and ‖C‖², so tables of any
length are read once. An instruct table lies close to its base's, so the rounding of the products falls on a small C; and where both are
equal Y is exactly zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# Above this condition of AᵀA, fp64 Cholesky has lost about ten of its sixteen digits: the eigenvectors are used instead.
ILL = 1e10
# Products in fp32 move E·D by 1e-6 where AᵀA has condition 1, by 1e-5 at 1e4 and by 2e-4 at 1e6: a tenth of what rounding to bf16 does (1.7e-3).
FINE = 1e6
# AᵀA is symmetric: of its SPLIT² blocks only those on and below the diagonal are multiplied, 10/16 of the work.
SPLIT = 4
# Rows to a product: the sums of shorter ones round less. At condition 1e4 of A (20 000 × 1 024, fp64) X is off by 1.5e-9, and by 1.1e-8 with all rows in one.
ROWS = 2048


@dataclass(frozen=True)
class Gram:
    """Sufficient statistics of pairs of rows (a, b) of width d, summed in fp64; c = b − a."""

    aa: torch.Tensor  # (d, d) Σ aᵀa
    ac: torch.Tensor  # (d, d) Σ aᵀc
    cc: float  # Σ ‖c‖²
    bb: float  # Σ ‖b‖²
    rows: int

    @classmethod
    def of(cls, pairs: Iterable[tuple[torch.Tensor, torch.Tensor]], width: int) -> Gram:
        """Sum over chunks (k, d), (k, d). Products are taken in the dtype of the chunks, fp32 or fp64, and summed in fp64."""
        import torch

        aa, ac = torch.zeros(width, width, dtype=torch.float64), torch.zeros(width, width, dtype=torch.float64)
        cc = bb = 0.0
        rows, step = 0, -(-width // SPLIT)
        room = None
        for a, b in ((a, b) for whole in pairs for a, b in zip(*(part.split(ROWS) for part in whole), strict=True)):
            c = b - a
            # One buffer for all products: fresh ones cost as much again in page faults.
            room = torch.empty(step * width, dtype=a.dtype) if room is None else room
            for low in range(0, width, step):
                high = min(low + step, width)
                left = a[:, low:high].T
                aa[low:high, :high] += torch.mm(left, a[:, :high], out=room[: (high - low) * high].view(high - low, high))
                ac[low:high] += torch.mm(left, c, out=room[: (high - low) * width].view(high - low, width))
            cc += _squares(c)
            bb += _squares(b)
            rows += len(a)
        # In place, so that no third matrix stands beside the two: the part above the diagonal is copied from below, block by block.
        for low in range(0, width, step):
            high = min(low + step, width)
            block = aa[low:high, low:high]
            block.copy_(block.tril() + block.tril(-1).T)
            aa[:low, low:high] = aa[low:high, :low].T
        return cls(aa, ac, cc, bb, rows)

    def __add__(self, other: Gram) -> Gram:
        return Gram(self.aa + other.aa, self.ac + other.ac, self.cc + other.cc, self.bb + other.bb, self.rows + other.rows)

    def error(self, y: torch.Tensor) -> float:
        """‖A·(I + Y) − B‖² of these rows."""
        return max(float(((self.aa @ y - 2 * self.ac) * y).sum()) + self.cc, 0.0)


def _squares(x: torch.Tensor) -> float:
    import torch

    return float(torch.linalg.vector_norm(x, dim=1).double().square().sum())


@dataclass(frozen=True)
class Map:
    """A fitted map X = I + Y and what is known of the fit; Y is (d, d) in fp64."""

    y: torch.Tensor
    report: dict[str, Any]

    @property
    def x(self) -> torch.Tensor:
        import torch

        return self.y + torch.eye(len(self.y), dtype=self.y.dtype)


def solve(gram: Gram, ridge: float = 0.0, min_norm: bool = False) -> Map:
    """X of least squares; where A is rank-deficient or ill-conditioned, the one nearest to the identity.

    X = I + A⁺(B − A); with full column rank this is the least-squares X itself, by Cholesky of AᵀA. Elsewhere (the factor fails, or
    the condition of AᵀA is above 1e10) the eigenvectors of AᵀA give A⁺. `ridge` λ > 0 gives X = I + (AᵀA + λI)⁻¹Aᵀ(B − A);
    `min_norm` the literal A⁺B. The report states the condition and rank of AᵀA without λ.

    With products in fp32 rounding can leave AᵀA + λI with an eigenvalue below zero; then λ is added to the eigenvalues, those below zero taken as zero.
    """
    import torch

    width = len(gram.aa)
    factor, failed = torch.linalg.cholesky_ex(gram.aa)
    condition = float("inf") if failed else estimated_condition(gram.aa, factor)
    about = {"rank": width, "width": width, "rows": gram.rows, "condition": condition, "ridge": ridge}
    if condition <= ILL and not ridge:
        return Map(torch.cholesky_solve(gram.ac, factor), about | {"solver": "cholesky"})
    if condition <= ILL and (y := _ridge(gram, ridge)) is not None:
        return Map(y, about | {"solver": "ridge"})
    values, vectors = torch.linalg.eigh(gram.aa)
    values = values.clamp(min=0)
    top = float(values[-1])
    # Squared singular values of A: below this, rounding of the sums and of eigh hides whether they are zero.
    kept = values > max(width, 256) * torch.finfo(torch.float64).eps * top
    about |= {"rank": int(kept.sum()), "condition": float(top / values[0]) if values[0] > 0 else float("inf")}
    if ridge:
        y = _ridge(gram, ridge)
        return Map(vectors @ ((vectors.T @ gram.ac) / (values[:, None] + ridge)) if y is None else y, about | {"solver": "ridge"})
    inverse = torch.where(kept, 1 / values.clamp(min=torch.finfo(torch.float64).tiny), torch.zeros_like(values))
    y = vectors @ (inverse[:, None] * (vectors.T @ gram.ac))
    if not min_norm:
        return Map(y, about | {"solver": "nearest to the identity"})
    # A⁺B = A⁺C + A⁺A, and A⁺A projects on the row space of A: Y differs by that projection less the identity.
    lost = vectors[:, ~kept]
    return Map(y - lost @ lost.T, about | {"solver": "minimum norm"})


def _ridge(gram: Gram, ridge: float) -> torch.Tensor | None:
    """Y of a λ > 0; None where rounding of the products exceeds it, so that there is no Cholesky factor."""
    import torch

    shrunk = gram.aa.clone()
    shrunk.diagonal().add_(ridge)
    factor, failed = torch.linalg.cholesky_ex(shrunk)
    return None if failed else torch.cholesky_solve(gram.ac, factor)


def estimated_condition(aa: torch.Tensor, factor: torch.Tensor) -> float:
    """λ_max/λ_min of AᵀA from below, within a few per cent: block power steps on it and, through its Cholesky factor, on its inverse.

    The exact value would cost an eigen-decomposition, some twenty times the Cholesky solve at width 4096.
    """
    import torch

    start = torch.randn(len(aa), min(8, len(aa)), dtype=aa.dtype, generator=torch.Generator().manual_seed(0))
    largest = 1.0
    for apply in (lambda v: aa @ v, lambda v: torch.cholesky_solve(v, factor)):
        v = start
        for _ in range(12):
            v = torch.linalg.qr(apply(v))[0]
        found = float(torch.linalg.eigvalsh(v.T @ apply(v))[-1])
        if not found > 0:
            return float("inf")
        largest *= found
    return largest


def choose_ridge(train: Gram, choose: Gram) -> float:
    """The λ, of a grid scaled by the mean eigenvalue, with the least error on the rows `choose`, which `train` lacks.

    A λ that rounding of the products exceeds is out of the question: where products in fp32 make one so, the condition asks for fp64 anyway.
    """
    scale = float(train.aa.diagonal().mean())

    def error(ridge: float) -> float:
        y = _ridge(train, ridge) if ridge else solve(train).y
        return float("inf") if y is None else choose.error(y)

    return min([0.0, *(scale * 10.0**power for power in range(-6, 4))], key=error)


def predicting(train: Gram, ridge: float = 0.0, min_norm: bool = False, well: bool = False) -> torch.Tensor:
    """Y of `train` as `solve` has it, without its report; `well` says that Cholesky is known to do."""
    import torch

    if ridge:
        y = _ridge(train, ridge)
        return solve(train, ridge).y if y is None else y
    if well:
        factor, failed = torch.linalg.cholesky_ex(train.aa)
        if not failed:
            return torch.cholesky_solve(train.ac, factor)
    return solve(train, 0.0, min_norm).y


def held_out_fit(y: torch.Tensor, judge: Gram) -> dict[str, float]:
    """How well the map I + Y predicts rows that had no part in it, beside leaving them as they are (swap).

    R² is 1 − ‖A·X − B‖²/‖B‖²: 1 is exact, 0 no better than nothing.
    """
    total = max(judge.bb, 1e-300)
    return {"r2_map": 1 - judge.error(y) / total, "r2_swap": 1 - judge.cc / total, "held_out_rows": judge.rows}
