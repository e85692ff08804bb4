"""Exact match: does the model's greedy reply say just what is wanted?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WorkbenchError
from .items import read_items

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class ExactMatch:
    """The share of right replies with its 95 % interval (Wilson's), over the `n` questions that fit into the model's context (NaN where none does).

    In `rows` each question has its `reply` and whether it is `right`: None, both, where it did not fit.
    """

    score: float
    low: float
    high: float
    n: int
    rows: list[dict[str, Any]] = field(default_factory=list, repr=False)


def read_questions(reference: str | Path, count: int = 0) -> list[dict[str, Any]]:
    """Questions from a JSONL file of {"prompt" or "messages", "answer"}; `demo:LANG` asks the demo world's held-out questions as chat.

    Raises WorkbenchError that names the line which is not of this form.
    """
    if str(reference).startswith("demo:"):
        return _of_the_demo(str(reference)[5:], count or 200)
    return read_items(reference, "question", '{"prompt": text or "messages": list, "answer": text}', _fits, count)


def _fits(item: Any) -> bool:
    return isinstance(item["answer"], str) and (isinstance(item.get("prompt"), str) or isinstance(item.get("messages"), list))


def _of_the_demo(lang: str, count: int) -> list[dict[str, Any]]:
    from ..demo.world import LANGUAGES, dialogues

    if lang not in LANGUAGES:
        raise WorkbenchError(f"The demo asks in {', '.join(LANGUAGES)}, not in '{lang}'; choose one of these or give a JSONL file.")
    asked = islice(dialogues(lang, "test", 1), count)
    return [{"messages": [{"role": "user", "content": f"{d.context} {d.question}"}], "answer": d.answer} for d in asked]


def exact_match(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, questions: Iterable[Mapping[str, Any]], *, batch_size: int = 16,
    tick: Callable[[float], object] = lambda done: None,
) -> ExactMatch:  # fmt: skip
    """Ask every question and compare the greedy reply with the answer, both stripped of outer white space.

    `messages` are put into the tokenizer's chat template; a `prompt` is continued as it stands, and only as many lines of the
    continuation as the answer has are read. `tick` hears how far it is, 0 to 1. Raises WorkbenchError if there are no questions, or no template for `messages`.
    """
    from ..models import context_of
    from ..training.data import encode, render, start_ids

    items = list(questions)
    if not items:
        raise WorkbenchError("There are no questions to ask; give at least one.")
    if not tokenizer.chat_template and any(item.get("messages") for item in items):
        raise WorkbenchError("This tokenizer has no chat template, so it cannot be asked in messages; use an instruct model or plain prompts.")
    asked = [render(tokenizer, i["messages"], True) if i.get("messages") else start_ids(tokenizer) + encode(tokenizer, i["prompt"]) for i in items]
    rooms = [len(encode(tokenizer, i["answer"])) + 8 for i in items]
    fit = [n for n in range(len(items)) if len(asked[n]) + rooms[n] <= context_of(model.config)]
    rows: list[dict[str, Any]] = [{**item, "reply": None, "right": None} for item in items]
    for start in range(0, len(fit), batch_size):
        part = fit[start : start + batch_size]
        for n, (reply, _) in zip(part, finished_replies(model, tokenizer, [asked[n] for n in part], [rooms[n] for n in part]), strict=True):
            wanted = items[n]["answer"].strip()
            if not items[n].get("messages"):
                reply = "\n".join(reply.split("\n")[: wanted.count("\n") + 1])
            rows[n] |= {"reply": reply.strip(), "right": reply.strip() == wanted}
        tick(min(start + batch_size, len(fit)) / len(fit))
    right = sum(rows[n]["right"] for n in fit)
    return ExactMatch(right / len(fit) if fit else math.nan, *wilson(right, len(fit)), len(fit), rows)


def replies(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Sequence[int]], tokens: int) -> list[str]:
    """Greedy continuations of at most `tokens` tokens, without special tokens."""
    return [text for text, _ in finished_replies(model, tokenizer, prompts, tokens)]


def finished_replies(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Sequence[int]], tokens: int | Sequence[int], ends: Sequence[int] = ()
) -> list[tuple[str, bool]]:
    """Greedy continuations, each with whether the model ended it itself; `ends` are ids that end one beside those of the generation config.

    `tokens`: the most that are generated, the same for all or one for each, so that what an answer is cut at does not hang on its neighbours. Each
    prompt must fit into the context with what is generated for it.
    """
    import torch

    from ..models import context_of

    length, rooms = max(map(len, prompts)), [tokens] * len(prompts) if isinstance(tokens, int) else list(tokens)
    if len(prompts) > 1 and length + max(rooms) > context_of(model.config):  # each fits, but a long prompt not beside a long reply
        half = len(prompts) // 2
        parts = ((prompts[:half], rooms[:half]), (prompts[half:], rooms[half:]))
        return [found for part in parts for found in finished_replies(model, tokenizer, *part, ends)]
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id or 0
    device = model.get_input_embeddings().weight.device
    ids = torch.tensor([[pad] * (length - len(p)) + list(p) for p in prompts], device=device)
    mask = torch.tensor([[0] * (length - len(p)) + [1] * len(p) for p in prompts], device=device)
    stated = model.generation_config.eos_token_id
    stops = sorted({*ends, *(stated if isinstance(stated, list) else [] if stated is None else [stated])})
    model.eval()
    with torch.inference_mode():
        out = model.generate(ids, attention_mask=mask, max_new_tokens=max(rooms), do_sample=False, pad_token_id=pad, eos_token_id=stops or None, use_cache=True)
    new = [row[:room] for row, room in zip(out[:, length:].tolist(), rooms, strict=True)]
    ended = [any(i in stops for i in row) for row in new]
    return list(zip(tokenizer.batch_decode(new, skip_special_tokens=True), ended, strict=True))


def wilson(right: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a share; of nothing, the whole range."""
    if not n:
        return 0.0, 1.0
    share, spread = right / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(middle - half, 0.0), min(middle + half, 1.0)
