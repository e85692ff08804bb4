"""Least squares from Gram matrices: against LAPACK, in both precisions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.transfer.fit import FINE, Gram, choose_ridge, estimated_condition, held_out_fit, predicting, solve


def pairs(rows: int, width: int, seed: int, rank: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    a = torch.randn(rows, width, generator=generator, dtype=torch.float64)
    if rank is not None:
        a = a[:, :rank] @ torch.randn(rank, width, generator=generator, dtype=torch.float64)
    return a, a @ torch.randn(width, width, generator=generator, dtype=torch.float64) + 0.1 * torch.randn(rows, width, generator=generator, dtype=torch.float64)


@settings(deadline=None, max_examples=25)
@given(st.integers(20, 60), st.integers(2, 12), st.integers(0, 10**6), st.integers(1, 60))
def test_the_map_is_the_least_squares_map_whatever_the_chunks(rows: int, width: int, seed: int, chunk: int) -> None:
    a, b = pairs(rows, width, seed)
    gram = Gram.of(((a[s : s + chunk], b[s : s + chunk]) for s in range(0, rows, chunk)), width)
    wanted = torch.linalg.lstsq(a, b, driver="gelsd").solution
    assert torch.allclose(solve(gram).x, wanted, rtol=1e-7, atol=1e-9)
    assert gram.error(wanted - torch.eye(width, dtype=torch.float64)) == pytest.approx(float(((a @ wanted - b) ** 2).sum()), rel=1e-6)


@settings(deadline=None, max_examples=25)
@given(st.integers(3, 12), st.integers(0, 10**6))
def test_a_rank_deficient_fit_is_the_solution_nearest_to_the_identity(width: int, seed: int) -> None:
    a, b = pairs(40, width, seed, rank=width - 1)
    gram = Gram.of([(a, b)], width)
    fitted = solve(gram)
    assert fitted.report["rank"] == width - 1
    eye = torch.eye(width, dtype=torch.float64)
    wanted = eye + torch.linalg.pinv(a, rtol=1e-9) @ (b - a)
    assert torch.allclose(fitted.x, wanted, rtol=1e-5, atol=1e-6)
    literal = solve(gram, min_norm=True).x
    assert torch.allclose(literal, torch.linalg.pinv(a, rtol=1e-9) @ b, rtol=1e-5, atol=1e-6)
    assert (fitted.x - eye).norm() <= (literal - eye).norm() + 1e-6


def test_ridge_goes_from_least_squares_to_the_identity_and_helps_when_rows_are_few() -> None:
    a, _ = pairs(200, 40, 1)
    few = a + 3 * torch.randn(200, 40, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    train, choose, judge = (Gram.of([(a[part], few[part])], 40) for part in (slice(45), slice(45, 120), slice(120, None)))
    ridge = choose_ridge(train, choose)
    assert ridge > 0
    assert held_out_fit(solve(train, ridge).y, judge)["r2_map"] > held_out_fit(solve(train).y, judge)["r2_map"]
    eye = torch.eye(40, dtype=torch.float64)
    assert torch.allclose(solve(train, 1e12).x, eye, atol=1e-6)
    assert torch.allclose(solve(train, 1e-9).x, solve(train).x, rtol=1e-4, atol=1e-4)


def test_equal_tables_give_exactly_the_identity() -> None:
    a, _ = pairs(60, 10, 3)
    fitted = solve(Gram.of([(a, a)], 10))
    assert torch.equal(fitted.x, torch.eye(10, dtype=torch.float64))
    assert held_out_fit(fitted.y, Gram.of([(a, a)], 10)) == {"r2_map": 1.0, "r2_swap": 1.0, "held_out_rows": 60}


def conditioned(rows: int, width: int, power: float) -> tuple[torch.Tensor, torch.Tensor]:
    """(a, b) in fp64 with the singular values of a spread over 10^power."""
    generator = torch.Generator().manual_seed(4)
    noise = torch.randn(rows, width, generator=generator, dtype=torch.float64)
    a = torch.linalg.qr(noise)[0] * torch.logspace(0, -power, width, dtype=torch.float64) @ torch.linalg.qr(noise[:width])[0]
    b = a + 0.1 * a @ torch.randn(width, width, generator=generator, dtype=torch.float64)
    return a, b + 1e-3 * b.std() * torch.randn(rows, width, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("power", [0, 2, 4])
def test_up_to_condition_1e4_the_answer_is_that_of_qr_to_1e_8(power: int) -> None:
    a, b = conditioned(2000, 64, power)
    wanted = torch.linalg.lstsq(a, b, driver="gelsy").solution
    fitted = solve(Gram.of([(a, b)], 64))
    assert fitted.report["solver"] == "cholesky"
    assert float((fitted.x - wanted).norm() / wanted.norm()) < 1e-8
    assert fitted.report["condition"] == pytest.approx(10 ** (2 * power), rel=0.05)


def test_the_condition_is_estimated_from_below_within_a_few_per_cent() -> None:
    for seed in range(5):
        a, _ = pairs(80, 60, seed)
        values = torch.linalg.eigvalsh(a.T @ a)
        found = estimated_condition(a.T @ a, torch.linalg.cholesky(a.T @ a)) / float(values[-1] / values[0])
        assert 0.9 < found <= 1 + 1e-6


@pytest.mark.parametrize("power", [0, 1, 2, 3])
def test_products_in_fp32_are_exact_enough_for_tables_of_16_bits(power: int) -> None:
    """What they change of E·D is a small part of the rounding to bf16, up to the condition at which fp64 takes over."""
    a, b = (x.bfloat16() for x in conditioned(6000, 64, power))
    single, double = (solve(Gram.of(((a[s : s + 512].to(t), b[s : s + 512].to(t)) for s in range(0, 6000, 512)), 64)) for t in (torch.float32, torch.float64))
    assert single.report["condition"] <= FINE * 1.5
    e = a.double()
    wanted = e @ double.x
    rounding = (wanted.bfloat16().double() - wanted).norm()
    assert (e @ single.x - wanted).norm() < 0.2 * rounding
    if power == 0:
        assert (single.x - double.x).norm() / double.x.norm() < 1e-6


def test_a_ridge_that_rounding_exceeds_is_not_chosen_and_still_solves() -> None:
    generator = torch.Generator().manual_seed(0)
    a = (torch.randn(300, 256, generator=generator) + torch.randn(256, generator=generator)).bfloat16()[:200]
    b = (a.float() + 0.05 * torch.randn(a.shape, generator=generator)).bfloat16()
    train, choose = (Gram.of([(a[part].float(), b[part].float())], 256) for part in (slice(160), slice(160, 200)))
    # What products in fp32 do to the smallest eigenvalue, made plain: it lies below zero by more than the least λ.
    train.aa.diagonal().sub_(1e-5 * float(train.aa.diagonal().mean()))
    assert choose_ridge(train, choose) > 0
    lost = 1e-6 * float(train.aa.diagonal().mean())
    fitted = solve(train, lost)
    values, vectors = torch.linalg.eigh(train.aa)
    assert values[0] < -lost
    shrunk = vectors * (values.clamp(min=0) + lost) @ vectors.T
    assert torch.allclose(fitted.y, torch.linalg.solve(shrunk, train.ac), rtol=1e-6, atol=1e-9)
    assert torch.equal(predicting(train, lost), fitted.y)
