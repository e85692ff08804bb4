"""Bits per byte: how many bits a model needs for one byte of text, whatever its tokenizer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import WorkbenchError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

LONGEST = 1024  # tokens of context, where the model allows more and nothing is asked for
RESAMPLES = 1000


@dataclass(frozen=True)
class Bits:
    """The measure over `n` documents, with a 95 % interval by bootstrap over them.

    Attributes:
        bits_per_byte: Σ −log2 p(token | text before it) / UTF-8 bytes.
        low, high: the interval.
        bits, bytes, tokens: what was summed.
        n: documents.
    """

    bits_per_byte: float
    low: float
    high: float
    bits: float
    bytes: int
    tokens: int
    n: int


@dataclass(frozen=True)
class _Window:
    document: int
    ids: list[int]
    first: int  # the first position of `ids` whose token is scored here


def bits_per_byte(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Iterable[str],
    *,
    context: int | None = None,
    stride: int | None = None,
    batch_size: int = 8,
) -> Bits:
    """Measure a model on documents, each on its own.

    A document begins with the tokenizer's BOS; with its EOS where there is no BOS (as GPT-2 was trained); with neither, its first
    token is predicted from nothing, so that token and its bytes are left out. Every other token is scored once, the end mark never.
    A document longer than `context` tokens is read in windows that move by `stride` (half of it, unless told), so that every token
    beyond the first window has at least `context` - `stride` tokens before it.

    Raises WorkbenchError if there is nothing to score, or `stride` does not fit `context`.
    """
    context = context or min(getattr(model.config.get_text_config(), "max_position_embeddings", LONGEST) or LONGEST, LONGEST)
    stride = stride or max(context // 2, 1)
    if context < 2 or not 1 <= stride < context:
        raise WorkbenchError(f"context={context} and stride={stride} do not fit; give a context of at least 2 tokens and a stride below it.")
    sizes: list[int] = []
    windows: list[_Window] = []
    for number, text in enumerate(texts):
        ids, size = _framed(tokenizer, text)
        sizes.append(size)
        windows += (_Window(number, *w) for w in cut(ids, context, stride))
    if not sum(sizes):
        raise WorkbenchError("There is no text to measure; give at least one document with something in it.")
    bits = np.zeros(len(sizes))
    tokens = 0
    for start in range(0, len(windows), batch_size):
        part = windows[start : start + batch_size]
        for window, nats in zip(part, nats_of(model, [w.ids for w in part]), strict=True):
            scored = nats[window.first - 1 :]
            bits[window.document] += float(scored.sum()) / math.log(2)
            tokens += len(scored)
    low, high = bootstrap(bits, np.array(sizes))
    return Bits(float(bits.sum() / sum(sizes)), low, high, float(bits.sum()), sum(sizes), tokens, len(sizes))


def cut(ids: Sequence[int], context: int, stride: int) -> Iterator[tuple[list[int], int]]:
    """Windows over a document as (ids, first scored position): together they score positions 1 to the last exactly once."""
    done = 1
    for start in range(0, len(ids), stride):
        if done >= len(ids):
            return
        window = list(ids[start : start + context])
        yield window, done - start
        done = start + len(window)


def _framed(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[list[int], int]:
    """Token ids with what stands before them, and the bytes that are scored."""
    size = len(text.encode())
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=start is None, verbose=False)
    if start is not None:
        return [start, *found["input_ids"]], size
    first = found["offset_mapping"][0][1] if found["input_ids"] else 0
    return found["input_ids"], size - len(text[:first].encode())


def nats_of(model: PreTrainedModel, rows: Sequence[Sequence[int]]) -> list[torch.Tensor]:
    """For each row of ids, −ln p of its tokens from the second on: fp64 (length - 1)."""
    import torch

    length = max(map(len, rows))
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for n, row in enumerate(rows):
        ids[n, : len(row)] = torch.tensor(row)
        mask[n, : len(row)] = 1
    training, device = model.training, model.get_input_embeddings().weight.device
    model.eval()
    with torch.inference_mode():
        logits = model(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False).logits[:, :-1].float()
        nats = torch.nn.functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:].to(device), reduction="none").cpu().double()
    model.train(training)
    return [nats[n, : len(row) - 1] for n, row in enumerate(rows)]


def bootstrap(values: np.ndarray, weights: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of Σ values / Σ weights over resampled documents."""
    picks = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    totals = weights[picks].sum(1)
    ratios = values[picks].sum(1)[totals > 0] / totals[totals > 0]
    return float(np.quantile(ratios, 0.025)), float(np.quantile(ratios, 0.975))
