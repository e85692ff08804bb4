"""Evaluation: bits per byte against a bare batched forward of the same windows.

    python -m tests.benchmarks.bench_evaluation [--rounds 5] [--only short long]

Prints one JSON row per case. The bare work is the model's forward pass, logits of every position included, over the same windows in batches of the same
size in the order of the documents; encoding is in neither. Limit: ≥ 0.9 times its throughput, in bytes of text a second.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import asdict, dataclass
from typing import Any

from .timing import paired


@dataclass(frozen=True)
class Case:
    """A Llama with random weights, and documents of so many words."""

    name: str
    width: int
    layers: int
    vocabulary: int
    words: tuple[int, int]  # of a document, the fewest and the most
    documents: int
    context: int = 256
    batch: int = 8


CASES = (
    Case("short documents, a demo's model", 160, 4, 1_536, (8, 60), 200),
    Case("short documents", 512, 8, 32_000, (20, 120), 24),
    Case("long documents in sliding windows", 512, 8, 32_000, (900, 1_100), 2),
)


class Words:
    """A tokenizer of one token a word, so that encoding takes no time worth measuring."""

    bos_token_id, eos_token_id = 1, 2

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": [int(word) % self.size for word in text.split()]}


def llama(case: Case) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    heads = max(case.width // 64, 2)
    config = LlamaConfig(
        vocab_size=case.vocabulary, hidden_size=case.width, intermediate_size=case.width * 8 // 3, num_hidden_layers=case.layers, num_attention_heads=heads,
        num_key_value_heads=heads, max_position_embeddings=case.context,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def bare(model: Any, windows: list[list[int]], batch: int) -> None:
    """The model's own forward over the windows, filled up on the right."""
    import torch

    with torch.inference_mode():
        for start in range(0, len(windows), batch):
            part = windows[start : start + batch]
            length = max(map(len, part))
            ids = torch.tensor([[*row, *[0] * (length - len(row))] for row in part])
            mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in part])
            model(input_ids=ids, attention_mask=mask, use_cache=False)


def measured(case: Case, rounds: int) -> dict[str, Any]:
    from workbench.evaluation.bits import by_document, cut, framed

    rng, model, tokenizer = random.Random(0), llama(case), Words(case.vocabulary)
    texts = [" ".join(str(rng.randrange(10_000)) for _ in range(rng.randint(*case.words))) for _ in range(case.documents)]
    windows = [window[:-1] for text in texts for window, _ in cut(framed(tokenizer, text)[0], case.context, case.context // 2)]
    work = {
        "bits_per_byte": lambda: by_document(model, tokenizer, texts, context=case.context, batch_size=case.batch),
        "bare": lambda: bare(model, windows, case.batch),
    }
    found = paired(work, rounds)
    # The same bytes in both: bare seconds over ours are our throughput over the bare one.
    return {"measure": "bits per byte against a bare forward", **asdict(case), "windows": len(windows), "throughput_ratio": found.pop("ratio"), **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=["short", "long"])
    given = parser.parse_args()
    for case in CASES:
        if case.name.split()[0] in given.only:
            print(json.dumps(measured(case, given.rounds)), flush=True)


if __name__ == "__main__":
    main()
