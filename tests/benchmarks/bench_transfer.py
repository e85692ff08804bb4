"""Transfer methods at full size against the public implementations, on synthetic tables: paired in one run, with as many threads on both sides.

    WORKBENCH_MERGEKIT=… python -m tests.benchmarks.bench_transfer [--rounds 3] [--only salt focus omp linear]

Prints one JSON row per measurement; the source's tables are bf16, as checkpoints have them, and where a row says so fp32. Limits: SALT for 22 500 new tokens
(9 400 shared, donor 768, source 2048, both tables, at most 64 shared tokens each) ≥ 8 times faster than tokensurgeon's least squares of one table with 64,
and ≤ 500 MB above the tables and imports; FOCUS ≥ 20 times faster than deepfocus's own loop; matching pursuit with 64 ≥ 8 times faster than tokensurgeon's;
SALT's cost linear in new tokens and in the source's width.
WORKBENCH_MERGEKIT names the Python of the environment that has mergekit; without it there is no ratio for what it measures. A peer is timed on the first
2 048 tokens and scaled to all (`scaled_from`); matching pursuit is timed on those on both sides.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .timing import seconds

SHARED, NEW, ROWS = 9_400, 22_500, 32_000
DONOR, WORDS, SOURCE = 768, 300, 2_048
K, TIMED = 64, 2_048
Pair = tuple[np.ndarray, np.ndarray]
SURGEON = Path(__file__).with_name("surgeon.py")


def points(new: int, width: int, seed: int) -> Pair:
    """(shared, width) and (new, width) fp32: 300 loose clusters in 64 dimensions and noise, so that sparsemax keeps about 25 of the shared."""
    rng, own = np.random.default_rng(seed), np.random.default_rng(0)
    turn = rng.standard_normal((64, width), dtype=np.float32) / 8
    centres = own.standard_normal((300, 64), dtype=np.float32)

    def rows(count: int) -> np.ndarray:
        inner = centres[own.integers(0, 300, count)] + 1.5 * own.standard_normal((count, 64), dtype=np.float32)
        made = inner @ turn
        for start in range(0, count, 8192):
            made[start : start + 8192] += 0.3 * rng.standard_normal(made[start : start + 8192].shape, dtype=np.float32)
        return made

    return rows(SHARED), rows(new)


def source(width: int = SOURCE, dtype: str = "bfloat16") -> tuple[torch.Tensor, np.ndarray]:
    """(rows, width) and the rows that are shared."""
    rng = np.random.default_rng(1)
    return torch.from_numpy(rng.standard_normal((ROWS, width), dtype=np.float32)).to(getattr(torch, dtype)), np.sort(rng.permutation(ROWS)[:SHARED])


def salt(
    donor: tuple[np.ndarray, np.ndarray], space: tuple[np.ndarray, np.ndarray], tables: list[torch.Tensor], ids: np.ndarray, temperature: float = 1.0
) -> Any:
    """Supports, coefficients, and every new table block by block, as they go to disk."""
    from workbench.transfer.combining import combine_rows
    from workbench.transfer.similar import sparsemax

    support = sparsemax(space[1], space[0], temperature, K)
    filled(support, combine_rows(donor[1], donor[0], support).coefficients, tables, ids)
    return support


def filled(support: Any, weights: np.ndarray, tables: list[torch.Tensor], ids: np.ndarray) -> None:
    from scipy.sparse import csr_array

    from workbench.transfer.blends import MIX, Blend

    n = len(support.sizes)
    mix = csr_array((weights, ids[support.anchors], support.ends), shape=(n, ROWS))
    blend = Blend(np.full(n, MIX, np.uint8), np.full(n, -1), mix)
    for table in tables:
        for _ in blend.blocks(table):
            pass


def surgeon(method: str, tokens: int, donor: Pair, table: torch.Tensor, ids: np.ndarray) -> Callable[[], float] | None:
    """Its seconds for the first `tokens`; None where it is not installed."""
    from safetensors.torch import load_file, save_file

    if not (python := os.environ.get("WORKBENCH_MERGEKIT")):
        return None

    def run() -> float:
        with tempfile.TemporaryDirectory() as place:
            given, out = Path(place) / "in.safetensors", Path(place) / "out.safetensors"
            save_file({"targets": torch.from_numpy(donor[1][:tokens]), "points": torch.from_numpy(donor[0]), "source": table[ids]}, given)
            subprocess.run([python, SURGEON, method, str(K), given, out], check=True)
            return float(load_file(out)["seconds"])

    return run


def against(ours: Callable[[], float], theirs: Callable[[], float] | None, rounds: int, scale: float = 1.0) -> dict[str, float]:
    """Medians of the seconds and of the ratio of a round; theirs times `scale`."""
    taken = [(ours(), (theirs() if theirs else float("nan")) * scale) for _ in range(rounds)]
    ratios = [b / a for a, b in taken]
    found = {"seconds": [a for a, _ in taken], **({"peer_seconds": [b for _, b in taken], "ratio": ratios} if theirs else {})}
    return {name: round(statistics.median(values), 3) for name, values in found.items()} | ({"ratio_low": round(min(ratios), 3)} if theirs else {})


def salts(rounds: int) -> Iterator[dict[str, object]]:
    donor, words = points(NEW, DONOR, 2), points(NEW, WORDS, 3)
    kinds = ("vectors of 300", "bfloat16"), ("vectors of 300", "float32"), ("the donor's", "bfloat16"), ("the donor's, 64 each", "bfloat16")
    for name, dtype in kinds:
        table, ids = source(SOURCE, dtype)
        peer = surgeon("least_squares", TIMED, donor, table, ids)
        work = partial(salt, donor, words if name.startswith("vectors") else donor, [table, table.flip(0)], ids, temperature(name))
        sizes = work().sizes
        about = {"benchmark": "salt", "new": NEW, "source": dtype, "compared_in": name, "k_median": int(np.median(sizes)), "k_most": int(sizes.max())}
        memory = json.loads(subprocess.run([sys.executable, "-m", __spec__.name, "--memory", name, dtype], check=True, capture_output=True, text=True).stdout)
        yield about | against(lambda work=work: seconds(work), peer, rounds, NEW / TIMED) | {"scaled_from": TIMED} | memory


def temperature(name: str) -> float:
    return 4.0 if name.endswith("each") else 1.0


def memory(name: str, dtype: str) -> dict[str, float]:
    """The most memory above the loaded tables and imports, in MB: in a process of its own."""
    donor = points(NEW, DONOR, 2)
    space = points(NEW, WORDS, 3) if name.startswith("vectors") else donor
    table, ids = source(SOURCE, dtype)
    tables = [table, table.flip(0)]
    few = donor[0], donor[1][:64]
    salt(few, (space[0][:500], space[1][:64]), tables, ids)

    def now(key: str) -> float:
        line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
        return int(line.split()[1]) / 1e3

    before = now("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew from here
    salt(donor, space, tables, ids, temperature(name))
    return {"peak_mb": round(now("VmHWM") - before, 1)}


def focus(rounds: int) -> Iterator[dict[str, object]]:
    from workbench.transfer.similar import sparsemax

    old, new = points(NEW, WORDS, 3)

    def ours() -> None:
        support = sparsemax(new, old)
        filled(support, support.sparsemax(), [table], ids)

    def theirs(tokens: int = TIMED) -> None:
        from deepfocus.focus import focus_additional_token_initialization
        from deepfocus.vocab_helper import NewToken, OverlappingToken, TokenClass

        def token(i: int) -> TokenClass:
            return TokenClass(str(i), i, str(i), str(i), str(i), str(i), True)

        rows = table[ids]
        overlap = {str(i): OverlappingToken([token(i)], token(i), rows[i], old[i]) for i in range(SHARED)}
        wanted = {f"n{i}": NewToken(token(i), new[i]) for i in range(tokens)}
        focus_additional_token_initialization(overlap, wanted, torch.zeros(tokens, SOURCE), device="cpu")

    for dtype in ("bfloat16", "float32"):
        table, ids = source(SOURCE, dtype)
        theirs(2)  # it is compiled on first use
        about = {"benchmark": "focus", "new": NEW, "source": dtype, "tables": 1}
        yield about | against(lambda: seconds(ours), lambda: seconds(theirs), rounds, NEW / TIMED) | {"scaled_from": TIMED}


def omp(rounds: int) -> Iterator[dict[str, object]]:
    from workbench.transfer.combining import combine_rows
    from workbench.transfer.pursuit import pursue

    (old, new), (table, ids) = points(TIMED, DONOR, 2), source()

    def ours() -> None:
        support = pursue(new, old, K)
        filled(support, combine_rows(new, old, support).coefficients, [table], ids)

    yield {"benchmark": "omp", "new": TIMED, "k": K} | against(lambda: seconds(ours), surgeon("omp", TIMED, (old, new), table, ids), rounds)


def linear(rounds: int) -> Iterator[dict[str, object]]:
    grid = [(tokens, SOURCE) for tokens in (8_000, 16_000, 32_000, 64_000, 128_000)] + [(8_000, width) for width in (512, 1_024, 4_096)]
    for new, width in grid:
        donor, words, (table, ids) = points(new, DONOR, 2), points(new, WORDS, 3), source(width)
        taken = statistics.median(seconds(lambda d=donor, w=words, t=table, i=ids: salt(d, w, [t, t], i)) for _ in range(1 if new > 32_000 else rounds))
        yield {"benchmark": "linear", "new": new, "source": width, "seconds": round(taken, 3), "per_1000": round(taken / new * 1e3, 4)}


def main() -> None:
    kinds = {"salt": salts, "focus": focus, "omp": omp, "linear": linear}
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=kinds, default=list(kinds))
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.memory:
        print(json.dumps(memory(*given.memory)))
        return
    for kind in given.only:
        for row in kinds[kind](given.rounds):
            print(json.dumps(row | {"load": round(os.getloadavg()[0], 1)}), flush=True)


if __name__ == "__main__":
    main()
