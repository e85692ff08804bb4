"""Extend a BPE vocabulary by continued training: new tokens are learned on top of the old merges and no old id moves.

Source: the extension strategy of arXiv 2412.21140, done so that every new token is reachable and text of other scripts keeps its encoding.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from ..progress import Progress
from ..specs import Options
from .base import Base, cutter
from .filters import Filter
from .learning import Learner
from .loading import load, settings, wrap

if TYPE_CHECKING:
    import tokenizers
    from transformers import PreTrainedTokenizerFast


class Extension(Options):
    """What to learn."""

    new_tokens: int = Field(8000, ge=0, le=1_000_000, description="How many tokens to add.")
    script: str | None = Field(None, description="Learn only tokens of this Unicode script (Cyrillic, Arabic, Hangul…); other text then keeps its encoding.")
    max_length: int = Field(16, ge=1, le=256, description="Longest new token, in characters.", json_schema_extra={"advanced": True})
    min_frequency: int = Field(2, ge=1, description="Stop when no pair occurs this often.", json_schema_extra={"advanced": True})
    digits: bool = Field(False, description="Allow digits in new tokens.", json_schema_extra={"advanced": True})


@dataclass(frozen=True)
class Report:
    """Numbers of one extension. Tokens per word are over the corpus, whose words are what whitespace separates."""

    kept: int
    new: int
    letters: int  # of the new: single characters the base lacked
    words: int
    distinct: int
    tokens_per_word_before: float
    tokens_per_word_after: float
    rows_before: int  # embedding rows needed: highest id + 1
    rows_after: int
    dead: int  # new tokens their own text does not give; 0 by construction, counted on the finished tokenizer
    rejected: dict[str, int] = field(default_factory=dict)  # reason → distinct pairs
    exhausted: bool = False  # the corpus had no more pairs that are frequent enough


@dataclass(frozen=True)
class Extended:
    """The extended tokenizer; its new ids are `new_ids`, in the order in which they were learned."""

    tokenizer: PreTrainedTokenizerFast
    new_ids: range
    report: Report


def extend(
    base: str | Path | PreTrainedTokenizerFast | tokenizers.Tokenizer, texts: Iterable[str], options: Extension | None = None, progress: Progress | None = None
) -> Extended:
    """Continue the base's BPE on `texts`: byte-level (GPT-2, Llama-3, Qwen) or SentencePiece (Llama-2, Mistral).

    New merges come after all old merges and new ids after every old id; all else stays as it is. Extending by N and then by M is
    extending by N + M on the same texts. Raises WorkbenchError where the base is no BPE or there is nothing to learn from.
    """
    import tokenizers

    options, progress = options or Extension(), progress or Progress()
    origin = load(base)
    old = Base(origin.backend_tokenizer)
    judge = Filter(old.kind, options.script, options.max_length, options.digits)
    counts, spaced = old.count(texts, progress.part(0.0, 0.4))
    before = _tokens(old, counts)
    letters = _lacking(old, judge, counts, options)
    learner = _learner(old, judge, counts, letters)
    learned = learner.learn(options.new_tokens - len(letters), old.rows + len(letters), options.min_frequency, progress.part(0.4, 0.9))
    vocab = old.spec["model"]["vocab"]
    text = {i: token for token, i in vocab.items()}
    for k, (left, right) in enumerate(learned.merges):
        text[old.rows + len(letters) + k] = text[left] + text[right]
    new_ids = range(old.rows, old.rows + len(letters) + len(learned.merges))
    kept = len(vocab) - len(letters)
    vocab |= {text[i]: i for i in new_ids}
    old.spec["model"]["merges"] += [[text[left], text[right]] for left, right in learned.merges]
    new = Base(tokenizers.Tokenizer.from_str(json.dumps(old.spec, ensure_ascii=False)))
    report = Report(
        kept=kept,
        new=len(new_ids),
        letters=len(letters),
        words=spaced,
        distinct=len(counts),
        tokens_per_word_before=before / max(spaced, 1),
        tokens_per_word_after=_tokens(new, counts) / max(spaced, 1),
        rows_before=old.rows,
        rows_after=new.rows,
        dead=sum(new.cut(text[i]) != [i] for i in new_ids),
        rejected=dict(sorted(learned.refused.items())),
        exhausted=learned.exhausted,
    )
    return Extended(wrap(new.backend, settings(origin)), new_ids, report)


def _lacking(old: Base, judge: Filter, counts: Counter[str], options: Extension) -> list[str]:
    """Letters that a SentencePiece base can only spell in byte pieces, which do not merge; the most frequent first. They join its vocabulary here."""
    if old.kind == "byte-level":
        return []
    vocab = old.spec["model"]["vocab"]
    found: Counter[str] = Counter()
    for word, count in counts.items():
        for letter in judge.letters(word):
            if letter not in vocab:
                found[letter] += count
    order = sorted((letter for letter, count in found.items() if count >= options.min_frequency), key=lambda letter: (-found[letter], letter))
    letters = order[: options.new_tokens]
    vocab |= {letter: old.rows + k for k, letter in enumerate(letters)}
    old.model = cutter(old.spec["model"])
    return letters


def _learner(old: Base, judge: Filter, counts: Counter[str], letters: list[str]) -> Learner:
    vocab = old.spec["model"]["vocab"]
    words, weights = [], []
    for word, count in counts.items():
        if old.ignore_merges and word in vocab:
            continue  # already one token, whatever its pieces
        ids = old.cut(word)
        if len(ids) > 1:
            words.append(ids)
            weights.append(count)
    return Learner(words, weights, {i: token for token, i in vocab.items()}, set(vocab), old.cut, judge.reason)


def _tokens(base: Base, counts: Counter[str]) -> int:
    vocab = base.spec["model"]["vocab"]
    return sum(count * (1 if base.ignore_merges and word in vocab else len(base.cut(word))) for word, count in counts.items())
