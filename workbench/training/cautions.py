"""What is worth a warning before or while a stage trains, though it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from ..checkpoint import Checkpoint

LOST = 1.1  # bits per byte of source text against those before: more than a tenth is above what the order of a text or a seed makes
# The highest learning rate that each kind of training still takes at width 512 or less; wider models take less (muP, arXiv:2203.03466: in proportion).
HIGHEST = {"tables": 5e-2, "lora": 2e-2, "full": 5e-3}
LOWEST = 1e-7
PADDING = 0.1  # share of rows without a token: more than any padding leaves


def of_rate(kind: str, name: str, rate: float, width: int) -> str | None:
    """A sentence about a learning rate that is absurd for tables, LoRA or full training of a model of this width."""
    high = HIGHEST[kind] * min(512 / width, 1.0)
    if LOWEST <= rate <= high:
        return None
    far = "far above" if rate > high else "far below"
    what = {"tables": "tables", "lora": "adapters", "full": "all layers"}[kind]
    return f"{name}={rate:g} is {far} what trains {what} of a model of width {width} ({LOWEST:g} to {high:.2g}); expect it to diverge or to learn nothing."


def of_tokenizer(source: Checkpoint, tokenizer: PreTrainedTokenizerFast) -> Iterator[str]:
    """Sentences about a tokenizer that may not be the model's own."""
    rows, ids = source.shape[0], max(tokenizer.get_vocab().values()) + 1
    if ids < (1 - PADDING) * rows:
        yield f"The tokenizer has {ids} ids but the model {rows} rows; make sure that it is the one the model was trained with."
    config = source.config.get("text_config") or source.config
    for role in ("bos", "eos"):
        mine, theirs = getattr(tokenizer, f"{role}_token_id"), config.get(f"{role}_token_id")
        known = theirs if isinstance(theirs, list) else [theirs]
        if mine is not None and theirs is not None and mine not in known:
            yield f"The tokenizer's {role} token is {mine} but the model's config says {theirs}; make sure that the tokenizer is the model's own."


def of_loss(name: str, before: float, now: float) -> str | None:
    """A sentence where the source language is being lost."""
    if not name.startswith("source") or now <= LOST * before:
        return None
    what = "replies" if name.endswith("replies") else "text"
    return (
        f"The source language is being lost: bits per byte of its {what} rose from {before:.3f} to {now:.3f}; "
        "mix in more of it (--source-share) or lower the learning rate."
    )
