"""Extend a BPE vocabulary by continued training: new tokens are learned on top of the old merges and no old id moves.

Source: the extension strategy of arXiv 2412.21140, done so that every new token is reachable and text of other scripts keeps its encoding.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ..progress import Progress
from ..specs import Options
from .base import Base, cutter
from .filters import Filter
from .learning import Learner, uncollected
from .loading import load, settings, wrap
from .reporting import dead, resplit

if TYPE_CHECKING:
    import tokenizers
    from transformers import PreTrainedTokenizerFast

LEARNED = 8000  # new tokens from a text, if nothing else is said


class Extension(Options):
    """What to add."""

    new_tokens: int | None = Field(
        None, ge=0, le=1_000_000, description=f"Add at most this many tokens; if left out, {LEARNED:,} learned from text, or all of a donor or word list."
    )
    script: str | None = Field(
        None, description="Add only tokens of this Unicode script (Cyrillic, Arabic, Hangul, Han+Hiragana+Katakana…); other text then keeps its encoding."
    )
    max_length: int = Field(16, ge=1, le=256, description="Longest new token, in characters.", json_schema_extra={"advanced": True})
    min_frequency: int = Field(2, ge=1, description="Stop when no pair occurs this often in the text.", json_schema_extra={"advanced": True})
    digits: bool = Field(False, description="Allow digits in new tokens.", json_schema_extra={"advanced": True})
    missing: Literal["chain", "reject"] = Field(
        "chain",
        description="For tokens of a donor or word list that need more than one merge: chain adds the tokens between, reject leaves them out.",
        json_schema_extra={"advanced": True},
    )


@dataclass(frozen=True)
class Report:
    """Numbers of one extension. Tokens per word are over the given text, whose words are what whitespace separates; None without text."""

    kept: int
    new: int
    dropped: int
    letters: int  # of the new: single characters the base lacked
    between: int  # of the new: tokens nobody asked for, needed to make those that were
    words: int
    distinct: int
    tokens_per_word_before: float | None
    tokens_per_word_after: float | None
    rows_before: int  # embedding rows needed: highest id + 1
    rows_after: int
    dead: int  # new tokens their own text does not give; 0 by construction, counted on the finished tokenizer
    rejected: dict[str, int] = field(default_factory=dict)  # reason → distinct pairs (learning), or tokens (donor, word list)
    examples: dict[str, list[str]] = field(default_factory=dict)  # reason → some of the rejected tokens, as they can be shown
    resplit: float | None = None  # share of the words of the reference text that are cut differently
    resplit_examples: tuple[str, ...] = ()
    exhausted: bool = False  # the text had no more pairs that are frequent enough


@dataclass(frozen=True)
class Extended:
    """The extended tokenizer; its new ids are `new_ids`, in the order in which they were added."""

    tokenizer: PreTrainedTokenizerFast
    new_ids: range
    report: Report


@dataclass
class Addition:
    """What is to be added to a base: single characters first, then merges as (left, right, product) ids."""

    letters: list[str] = field(default_factory=list)
    merges: list[tuple[int, int, int]] = field(default_factory=list)
    between: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    exhausted: bool = False


@uncollected()
def extend(
    base: str | Path | PreTrainedTokenizerFast | tokenizers.Tokenizer, texts: Iterable[str], options: Extension | None = None,
    progress: Progress | None = None, reference: Iterable[str] = (),
) -> Extended:  # fmt: skip
    """Continue the base's BPE on `texts`: byte-level (GPT-2, Llama-3, Qwen) or SentencePiece (Llama-2, Mistral).

    New merges come after all old merges and new ids after every old id; all else stays as it is. Extending by N and then by M is
    extending by N + M on the same texts. `reference`: text of the base's languages, on which the share of words cut differently is
    counted. Raises WorkbenchError where the base is no BPE or there is nothing to learn from.
    """
    options, progress = options or Extension(), progress or Progress()
    wanted = LEARNED if options.new_tokens is None else options.new_tokens
    origin = load(base)
    old = Base(origin.backend_tokenizer)
    judge = Filter(old.kind, options.script, options.max_length, options.digits)
    counts, spaced = old.count(texts, progress.part(0.0, 0.4))
    judge.check_serves(counts)
    cuts = old.cuts(counts)
    before = sum(len(ids) * count for ids, count in zip(cuts, counts.values(), strict=True))
    letters = _lacking(old, judge, counts, wanted, options.min_frequency)
    first = old.rows + len(letters)
    learner = _learner(old, judge, counts, old.cuts(counts) if letters else cuts)
    learned = learner.learn(wanted - len(letters), first, options.min_frequency, progress.part(0.4, 0.9))
    merges = [(left, right, first + k) for k, (left, right) in enumerate(learned.merges)]
    addition = Addition(letters, merges, rejected=learned.refused, exhausted=learned.exhausted)
    return finish(origin, old, addition, Measure(counts, spaced, before), reference)


@dataclass(frozen=True)
class Measure:
    """The text on which tokens per word are counted: words by frequency, how many whitespace separates, and tokens under the base."""

    counts: Counter[str] = field(default_factory=Counter)
    spaced: int = 0
    before: int = 0


def finish(origin: PreTrainedTokenizerFast, old: Base, addition: Addition, measure: Measure, reference: Iterable[str]) -> Extended:
    """The tokenizer with everything added, and its report. The letters have joined the vocabulary of `old` already; the merges join it here."""
    import tokenizers

    before = origin.backend_tokenizer
    vocab = old.spec["model"]["vocab"]
    kept = len(vocab) - len(addition.letters)
    text = {i: token for token, i in vocab.items()}
    for left, right, product in addition.merges:
        text[product] = text[left] + text[right]
    new_ids = range(old.rows, max(text, default=-1) + 1)
    vocab |= {text[i]: i for i in new_ids}
    old.spec["model"]["merges"] += [[text[left], text[right]] for left, right, _ in addition.merges]
    new = tokenizers.Tokenizer.from_str(json.dumps(old.spec, ensure_ascii=False))
    old.model = cutter(old.spec["model"]) if old.ignore_merges else new.model
    changed = resplit(before, new, reference)
    report = Report(
        kept=kept, new=len(new_ids), dropped=0, letters=len(addition.letters), between=addition.between, words=measure.spaced, distinct=len(measure.counts),
        tokens_per_word_before=measure.before / measure.spaced if measure.spaced else None,
        tokens_per_word_after=old.tokens(measure.counts) / measure.spaced if measure.spaced else None,
        rows_before=old.rows, rows_after=old.rows + len(new_ids), dead=len(dead(new, new_ids, old.model)), rejected=dict(sorted(addition.rejected.items())),
        examples=addition.examples, resplit=changed.share, resplit_examples=changed.examples, exhausted=addition.exhausted,
    )  # fmt: skip
    return Extended(wrap(new, settings(origin)), new_ids, report)


def add_letters(old: Base, letters: Iterable[str]) -> list[str]:
    """Give a SentencePiece base tokens for single characters it can only spell in byte pieces, which do not merge."""
    vocab = old.spec["model"]["vocab"]
    lacking = [letter for letter in dict.fromkeys(letters) if letter not in vocab]
    vocab |= {letter: old.rows + k for k, letter in enumerate(lacking)}
    old.model = cutter(old.spec["model"])
    return lacking


def _lacking(old: Base, judge: Filter, counts: Counter[str], wanted: int, min_frequency: int) -> list[str]:
    """Letters of the text that a SentencePiece base lacks, the most frequent first."""
    if old.kind == "byte-level":
        return []
    vocab = old.spec["model"]["vocab"]
    found: Counter[str] = Counter()
    for word, count in counts.items():
        for letter in judge.letters(word):
            if letter not in vocab:
                found[letter] += count
    order = sorted((letter for letter, count in found.items() if count >= min_frequency), key=lambda letter: (-found[letter], letter))
    return add_letters(old, order[:wanted])


def _learner(old: Base, judge: Filter, counts: Counter[str], cuts: list[list[int]]) -> Learner:
    vocab = old.spec["model"]["vocab"]
    longer = [(ids, count) for ids, count in zip(cuts, counts.values(), strict=True) if len(ids) > 1]
    words, weights = [ids for ids, _ in longer], [count for _, count in longer]
    return Learner(words, weights, {i: token for token, i in vocab.items()}, set(vocab), old.cut, judge.reason)
