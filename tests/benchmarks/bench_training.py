"""Training: embeddings only against all of a model, Trainer's loop against a bare one, estimates against what was taken.

    python -m tests.benchmarks.bench_training [--rounds 3] [--only embeddings loop estimate]

Prints one JSON row per measurement. Limits: embeddings and head only, on a Llama of width 768, 12 layers and 8 000 tokens (the head does under 7 % of the
multiply-adds, the tables hold under 13 % of the parameters) ≥ 1.3 times the tokens per second of full training, at ≤ 0.6 times its peak memory; `fit` ≥ 0.9
times a bare PyTorch loop that does the same; memory estimates within 30 % of the peaks. A peak is of a process of its own, above what it held before the
model was made.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .timing import paired


@dataclass(frozen=True)
class Case:
    """A Llama, what of it is trained, and on how much at a time."""

    width: int
    layers: int
    vocabulary: int
    batch: int
    block: int
    part: str = "all"
    tied: bool = False


LARGE = Case(768, 12, 8_000, 1, 128)
SMALL = Case(256, 4, 4_000, 8, 128)
ESTIMATED = (
    Case(256, 6, 8_000, 16, 256), Case(512, 8, 32_000, 2, 256, "tables"), Case(512, 8, 32_000, 8, 256), LARGE, Case(768, 12, 8_000, 1, 128, "tables"),
)  # fmt: skip


def llama(case: Case) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from workbench.training.fitting import frozen_body

    torch.manual_seed(0)
    heads = case.width // 64
    config = LlamaConfig(
        vocab_size=case.vocabulary, hidden_size=case.width, intermediate_size=case.width * 8 // 3, num_hidden_layers=case.layers, num_attention_heads=heads,
        num_key_value_heads=heads, max_position_embeddings=1024, tie_word_embeddings=case.tied,
    )  # fmt: skip
    made = LlamaForCausalLM(config)
    return frozen_body(made) if case.part == "tables" else made


def blocks(case: Case) -> Any:
    from workbench.training.data import stream

    def endless() -> Iterator[dict[str, list[int]]]:
        rng = random.Random(0)
        while True:
            ids = rng.choices(range(case.vocabulary), k=case.block)
            yield {"input_ids": ids, "labels": ids, "position_ids": list(range(case.block))}

    return stream(endless)


def settings(case: Case, steps: int) -> Any:
    from workbench.training.fitting import Settings

    return Settings(steps, batch_size=case.batch, learning_rate=1e-4, schedule="constant", device="cpu", dtype="fp32", log_every=10)


def embeddings(rounds: int) -> dict[str, Any]:
    from workbench.training.fitting import fit

    models = {part: llama(Case(**asdict(LARGE) | {"part": part})) for part in ("tables", "all")}
    found = paired({part: (lambda part=part: fit(models[part], blocks(LARGE), settings(LARGE, 4))) for part in models}, rounds)
    peaks = {part: measured(Case(**asdict(LARGE) | {"part": part}))["peak_mib"] for part in models}
    return {
        "measure": "embeddings only against full training", **asdict(LARGE), "tokens_per_second_ratio": found.pop("ratio"), **found,
        **{f"{part}_peak_mib": peak for part, peak in peaks.items()}, "peak_ratio": round(peaks["tables"] / peaks["all"], 3),
    }  # fmt: skip


def loop(rounds: int) -> dict[str, Any]:
    from workbench.training.fitting import fit

    model, steps = llama(SMALL), 60  # a Trainer is set up once: with 20 steps that is 5 % of the time
    found = paired({"fit": lambda: fit(model, blocks(SMALL), settings(SMALL, steps)), "bare": lambda: bare(model, SMALL, steps)}, rounds)
    return {"measure": "fit against a bare loop", **asdict(SMALL), "steps": steps, **found}


def bare(model: Any, case: Case, steps: int) -> None:
    """The same steps by hand: AdamW, a constant rate after a warm-up, gradients clipped, the loss read now and then."""
    import torch

    from workbench.training.data import collate

    source = iter(torch.utils.data.DataLoader(blocks(case), case.batch, collate_fn=collate))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min((step + 1) / 20, 1.0))
    model.train()
    for step in range(steps):
        loss = model(**next(source), use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 10 == 0:
            loss.item()


def estimated(case: Case) -> dict[str, Any]:
    from workbench.training.estimating import Shape, estimate

    found = measured(case)
    guess = estimate(Shape.of(llama(case).config.to_dict()), case.part, settings(case, 3), case.block, device="cpu")
    parts = {name: round(getattr(guess, name) / 2**20) for name in ("weights", "gradients", "optimizer", "activations", "logits")}
    return {
        "measure": "estimate", **asdict(case), **found, "estimate_mib": round(guess.peak / 2**20), "ratio": round(guess.peak / 2**20 / found["peak_mib"], 3),
        "seconds_estimate": round(guess.seconds, 1), **parts,
    }  # fmt: skip


def measured(case: Case) -> dict[str, float]:
    """Peak memory and seconds of three steps in a process of their own."""
    # Freed blocks go back to the system at once, so that the peak is of what was used and not of how the allocator kept it.
    code = [sys.executable, "-m", "tests.benchmarks.bench_training", "--case", json.dumps(asdict(case))]
    return json.loads(subprocess.run(code, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}).stdout)


def measure(case: Case) -> dict[str, float]:
    from workbench.training.fitting import fit

    tiny = Case(64, 1, 100, 1, 8)
    fit(llama(tiny), blocks(tiny), settings(tiny, 2))  # what libraries take for themselves
    before = memory("VmRSS")
    done = fit(llama(case), blocks(case), settings(case, 3))
    return {"peak_mib": round(memory("VmHWM") - before), "seconds": done.seconds}


def memory(entry: str) -> float:
    """MiB of this process: VmRSS now, VmHWM at its peak (getrusage's peak starts with that of the parent). Linux only."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(entry))
    return int(line.split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=["embeddings", "loop", "estimate"])
    parser.add_argument("--case", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        print(json.dumps(measure(Case(**json.loads(given.case)))))
        return
    with tempfile.TemporaryDirectory() as home:
        os.environ["WORKBENCH_HOME"] = home
        if "loop" in given.only:
            print(json.dumps(loop(given.rounds)), flush=True)
        for case in ESTIMATED if "estimate" in given.only else ():
            print(json.dumps(estimated(case)), flush=True)
        if "embeddings" in given.only:
            print(json.dumps(embeddings(given.rounds)), flush=True)


if __name__ == "__main__":
    main()
