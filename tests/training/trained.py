"""What the tests of `fit` share: endless blocks of counting, quick settings, a model's weights."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tiny
import torch
from transformers import AutoModelForCausalLM

from workbench.training.data import Block, stream
from workbench.training.fitting import Settings


def counting(seed: int = 0, block: int = 16) -> torch.utils.data.IterableDataset:
    def blocks() -> Iterator[Block]:
        rng = random.Random(seed)
        while True:
            start = rng.randrange(100)
            ids = [start + i for i in range(block)]
            yield {"input_ids": ids, "labels": ids, "position_ids": list(range(block))}

    return stream(blocks)


def quick(**values: object) -> Settings:
    return Settings(**{"steps": 6, "batch_size": 4, "learning_rate": 0.01, "warmup_steps": 1, "log_every": 1, "device": "cpu", "dtype": "fp32", **values})


def state(model: Any) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in model.state_dict().items()}


def fresh(folder: Path, lora: bool = False, **kind: object) -> Any:
    """A tiny model of always the same weights; with `lora`, adapters with dropout, which draws random numbers at every step."""
    model = AutoModelForCausalLM.from_pretrained(folder if (folder / "config.json").is_file() else tiny.folder(folder, **kind))
    if not lora:
        return model
    from peft import LoraConfig, get_peft_model

    with torch.random.fork_rng():
        torch.manual_seed(0)
        return get_peft_model(model, LoraConfig(r=2, lora_dropout=0.2, target_modules=["q_proj", "v_proj"]))


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return set(one) == set(other) and all(torch.equal(one[k], other[k]) for k in one)
