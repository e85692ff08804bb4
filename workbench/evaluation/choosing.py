"""Multiple choice: which of several answers does a model hold for the likeliest? Works with base models, which cannot be asked.

An answer's log-probability is divided by its UTF-8 bytes, so that a tokenizer which needs more tokens for it has no part in the choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WorkbenchError
from .asking import wilson
from .items import read_items

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

FORM = '{"prompt": text, "options": [text, text, …], "right": number of the right one, from 0}'


@dataclass(frozen=True)
class Chosen:
    """The share of right choices with its 95 % interval (Wilson's); `chance` is what guessing gives."""

    score: float
    low: float
    high: float
    n: int
    chance: float
    rows: list[dict[str, Any]] = field(default_factory=list, repr=False)


def read_choices(reference: str | Path, count: int = 0) -> list[dict[str, Any]]:
    """Items from a JSONL file, each {"prompt", "options", "right"}; `demo:LANG` gives the demo world's held-out ones.

    Raises WorkbenchError that names the line which is not of this form.
    """
    if str(reference).startswith("demo:"):
        return _of_the_demo(str(reference)[5:], count or 200)
    return read_items(reference, "choice", FORM, _fits, count)


def _fits(item: Any) -> bool:
    options = item["options"]
    said = isinstance(item["prompt"], str) and len(options) > 1 and all(isinstance(option, str) and option for option in options)
    return said and isinstance(item["right"], int) and 0 <= item["right"] < len(options)


def _of_the_demo(lang: str, count: int) -> list[dict[str, Any]]:
    from ..demo.world import LANGUAGES, choices

    if lang not in LANGUAGES:
        raise WorkbenchError(f"The demo has choices in {', '.join(LANGUAGES)}, not in '{lang}'; choose one of these or give a JSONL file.")
    return [{"prompt": f"{c.context} {c.question}\n", "options": list(c.options), "right": c.right} for c in islice(choices(lang, "test", 1), count)]


def chosen(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, items: Sequence[Mapping[str, Any]], *, batch_size: int = 16,
    tick: Callable[[float], object] = lambda done: None,
) -> Chosen:  # fmt: skip
    """Let a model choose. Prompt and option are tokenized apart, so that the same tokens are scored for every option. `tick` hears how far it is, 0 to 1.

    Raises WorkbenchError if there is nothing to choose from.
    """
    from ..training.data import encode, start_ids
    from .bits import fitting, nats_of

    if not items:
        raise WorkbenchError("There are no choices to make; give at least one.")
    prompts = [start_ids(tokenizer) + encode(tokenizer, item["prompt"]) for item in items]
    asked = [(n, prompts[n] + encode(tokenizer, option), len(option.encode())) for n, item in enumerate(items) for option in item["options"]]
    scores: list[list[float]] = [[] for _ in items]
    start = 0
    while start < len(asked):
        part = asked[start : start + fitting(model, max(len(ids) for _, ids, _ in asked[start : start + batch_size]), batch_size)]
        # An empty prompt without a start mark leaves an option's first token unscored: nothing stands before it.
        lost = nats_of(model, [ids for _, ids, _ in part], [max(len(prompts[n]), 1) for n, _, _ in part])
        for (n, _, size), nats in zip(part, lost, strict=True):
            scores[n].append(-float(nats.sum()) / size)
        start += len(part)
        tick(start / len(asked))
    rows = [dict(item) | {"chosen": max(range(len(s)), key=s.__getitem__), "scores": s} for item, s in zip(items, scores, strict=True)]
    right = sum(row["chosen"] == row["right"] for row in rows)
    return Chosen(right / len(rows), *wilson(right, len(rows)), len(rows), sum(1 / len(row["options"]) for row in rows) / len(rows), rows)
