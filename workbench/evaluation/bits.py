"""Bits per byte: how many bits a model needs for one byte of text, whatever its tokenizer."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import WorkbenchError
from ..models import context_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

LONGEST = 1024  # tokens of context, where the model allows more and nothing is asked for
RESAMPLES = 1000
LOGITS = 1 << 28  # numbers that a batch may have at the head: 1 GiB in fp32


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
    A document longer than `context` tokens is read in windows of so many that move by `stride` (half of it, unless told; `stride` =
    `context` gives windows side by side, as lm-eval's rolling likelihood). The last window ends with the document and is full, too.

    Raises WorkbenchError if there is nothing to score, or `stride` does not fit `context`.
    """
    bits, sizes, tokens = by_document(model, tokenizer, texts, context=context, stride=stride, batch_size=batch_size)
    low, high = bootstrap(bits, sizes)
    return Bits(float(bits.sum() / sizes.sum()), low, high, float(bits.sum()), int(sizes.sum()), tokens, len(sizes))


def by_document(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Iterable[str], *, context: int | None = None, stride: int | None = None,
    batch_size: int = 8, tick: Callable[[float], object] = lambda done: None,
) -> tuple[np.ndarray, np.ndarray, int]:  # fmt: skip
    """(n,) bits and (n,) UTF-8 bytes of each document, and how many tokens were scored; as `bits_per_byte`. `tick` hears how far it is, 0 to 1."""
    context, stride = room(model, context, stride)
    sizes: list[int] = []
    windows: list[_Window] = []
    for number, text in enumerate(texts):
        ids, size = framed(tokenizer, text)
        sizes.append(size)
        windows += (_Window(number, *w) for w in cut(ids, context, stride))
    if not sum(sizes):
        raise WorkbenchError("There is no text to measure; give at least one document with something in it.")
    windows.sort(key=lambda w: (len(w.ids), w.first), reverse=True)  # so that the windows of a batch wait little for one another
    bits, tokens, start = np.zeros(len(sizes)), 0, 0
    while start < len(windows):
        part = windows[start : start + fitting(model, len(windows[start].ids), batch_size)]
        for window, nats in zip(part, nats_of(model, [w.ids for w in part], [w.first for w in part]), strict=True):
            bits[window.document] += float(nats.sum()) / math.log(2)
            tokens += len(nats)
        start += len(part)
        tick(start / len(windows))
    return bits, np.array(sizes), tokens


def room(model: PreTrainedModel, context: int | None = None, stride: int | None = None) -> tuple[int, int]:
    """The window and its stride in tokens. Raises WorkbenchError where they do not fit each other."""
    most = context_of(model.config)
    if context and context > most:
        raise WorkbenchError(f"context={context} is more than the {most} tokens that this model reads; give at most {most}, or 0.")
    context = context or min(most, LONGEST)
    stride = stride or max(context // 2, 1)
    if context < 1 or not 1 <= stride <= context:
        raise WorkbenchError(f"context={context} and stride={stride} do not fit; give a context of at least one token and a stride up to it.")
    return context, stride


def fitting(model: PreTrainedModel, length: int, batch_size: int) -> int:
    """How many rows of this length make a batch: as many as asked for, fewer where their logits would fill the memory."""
    return max(1, min(batch_size, LOGITS // (length * model.config.get_text_config().vocab_size)))


def cut(ids: Sequence[int], context: int, stride: int) -> Iterator[tuple[list[int], int]]:
    """Windows over a document as (ids, first scored position): together they score positions 1 to the last exactly once.

    A window holds the `context` ids that are read and the one after them, which is only predicted. The last one reaches back as far as it can.
    """
    done = 1
    for start in range(0, len(ids), stride):
        if done >= len(ids):
            return
        start = min(start, max(len(ids) - context - 1, 0))
        window = list(ids[start : start + context + 1])
        yield window, done - start
        done = start + len(window)


def framed(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[list[int], int]:
    """Token ids with what stands before them, and the bytes that are scored."""
    size = len(text.encode())
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=start is None, verbose=False)
    if start is not None:
        return [start, *found["input_ids"]], size
    first = found["offset_mapping"][0][1] if found["input_ids"] else 0
    return found["input_ids"], size - len(text[:first].encode())


def beginning(tokenizer: PreTrainedTokenizerBase) -> str:
    """What a document begins with when it is measured, in words."""
    if tokenizer.bos_token is not None:
        return f"BOS {tokenizer.bos_token}"
    return f"EOS {tokenizer.eos_token}" if tokenizer.eos_token is not None else "nothing: the first token is not scored"


def nats_of(model: PreTrainedModel, rows: Sequence[Sequence[int]], firsts: Sequence[int] | None = None) -> list[torch.Tensor]:
    """For each row of ids, −ln p of its tokens from position `firsts` on (from the second token, unless told): fp64.

    No attention mask: rows are filled up on the right, where no causal model looks, and without a mask attention takes its fast way.
    """
    import torch

    firsts = firsts or [1] * len(rows)
    length, skipped = max(map(len, rows)), min(firsts) - 1
    filled = torch.tensor([[*row, *[row[-1]] * (length - len(row))] for row in rows], device=model.get_input_embeddings().weight.device)
    training = model.training
    model.eval()
    with torch.inference_mode():
        logits = _logits(model, filled[:, :-1], skipped)
        found = [
            torch.nn.functional.cross_entropy(logits[n, first - 1 - skipped : len(row) - 1 - skipped].float(), filled[n, first : len(row)], reduction="none")
            for n, (row, first) in enumerate(zip(rows, firsts, strict=True))
        ]
        found = [each.cpu().double() for each in found]
    model.train(training)
    return found


def _logits(model: PreTrainedModel, ids: torch.Tensor, skipped: int) -> torch.Tensor:
    """Logits from position `skipped` on; where the model can, the head is spared the others."""
    if skipped and "logits_to_keep" in inspect.signature(type(model).forward).parameters:
        return model(input_ids=ids, use_cache=False, logits_to_keep=ids.shape[1] - skipped).logits
    return model(input_ids=ids, use_cache=False).logits[:, skipped:]


def bootstrap(values: np.ndarray, weights: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of Σ values / Σ weights over resampled documents."""
    picks = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    totals = weights[picks].sum(1)
    ratios = values[picks].sum(1)[totals > 0] / totals[totals > 0]
    return float(np.quantile(ratios, 0.025)), float(np.quantile(ratios, 0.975))
