"""Prune a BPE vocabulary to what a reference corpus uses, then extend it: the optimization strategy of arXiv 2412.21140."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ..errors import WorkbenchError
from ..progress import Progress
from .base import Base
from .compacting import compact
from .extension import Extension, Report, extend
from .loading import load, settings, wrap
from .pruning import Pruner, must_stay, unreachable
from .reporting import resplit
from .scoring import learned
from .splicing import splice

if TYPE_CHECKING:
    import numpy as np
    import tokenizers
    from transformers import PreTrainedTokenizerFast

    Source = str | Path | PreTrainedTokenizerFast | tokenizers.Tokenizer

EXAMPLES = 24


class Optimization(Extension):
    """What to keep, and what to add."""

    keep: int | None = Field(
        None, ge=1, description="How many of the old tokens to keep; half of them if left out. The paper keeps 64,000 of Llama-3's 128,256."
    )
    score: Literal["frequency", "learned"] = Field(
        "frequency",
        description="What decides which tokens stay: how often the reference text uses them, or the weight a Unigram model of that text gives them.",
    )


@dataclass(frozen=True)
class OptimizationReport:
    """Numbers of one optimization. Tokens per word are over the reference text, whose words are what whitespace separates."""

    kept: int
    dropped: int
    new: int
    relearned: int  # of the new: tokens that the base had and that were dropped
    stays: int  # tokens that could not go: bytes, special and added tokens, and what these are made of
    rows_before: int  # embedding rows needed: highest id + 1
    rows_after: int
    shrink: float  # by what share the embedding tables get smaller; negative where they grow
    merges_before: int
    merges_that_fire: int  # of those: one per token that can be made; the others were left out first, which changes no encoding
    unreachable_before: int  # tokens that no text can give
    dead: int  # tokens of the result that no text can give
    words: int
    tokens_per_word_before: float
    tokens_per_word_pruned: float
    tokens_per_word_after: float
    resplit: float | None  # share of the words of the reference text that the pruned vocabulary cuts differently
    resplit_examples: tuple[str, ...]  # the most frequent of them
    dropped_examples: tuple[str, ...]  # the last to go: of those dropped, what the reference text needs most
    extension: Report | None  # None where nothing was to be added


@dataclass(frozen=True)
class Optimized:
    """The tokenizer, and (rows before,) int64: the new id of every old one, or -1 where it was dropped."""

    tokenizer: PreTrainedTokenizerFast
    id_map: np.ndarray
    report: OptimizationReport


def optimize(
    base: Source, reference: Iterable[str], texts: Iterable[str], options: Optimization | None = None, progress: Progress | None = None,
    donor: Source | None = None,
) -> Optimized:  # fmt: skip
    """Keep the tokens of a BPE base that `reference` needs most, and learn new ones from `texts`, or take those of a `donor`.

    Old tokens keep their order; `id_map` says where each has gone. Text in whose encoding no dropped token occurs is encoded as before,
    up to the map; dropped tokens that `texts` needs may come back as new ones. With new_tokens=0 it is only pruned, and `texts` is not read. Raises
    WorkbenchError where the base is no BPE, the reference has no text, or `keep` is out of range (the sentence gives the range).
    """
    options, progress = options or Optimization(), progress or Progress()
    reference = list(reference) if iter(reference) is reference else reference
    if not any(reference):
        raise WorkbenchError("The reference text is empty; give text of the languages whose tokens shall stay.")
    origin = load(base)
    old = Base(origin.backend_tokenizer)
    counts, spaced = old.count(reference, progress.part(0.0, 0.15))
    pruner = _pruner(old, counts, frozenset(origin.all_special_ids), options, progress.part(0.15, 0.5))
    backend, id_map = compact(old, pruner.merges(), pruner.gone)
    tokenizer, extension = wrap(backend, settings(origin)), None
    pruned, changed = Base(tokenizer.backend_tokenizer), resplit(old.backend, tokenizer.backend_tokenizer, reference)
    if options.new_tokens != 0:
        rest = progress.part(0.5, 1.0)
        made = extend(tokenizer, texts, options, rest, reference) if donor is None else splice(tokenizer, donor, options, rest, texts, reference)
        tokenizer, extension = made.tokenizer, made.report
    new = Base(tokenizer.backend_tokenizer)
    before, after = old.spec["model"], new.spec["model"]["vocab"]
    report = OptimizationReport(
        kept=pruned.rows, dropped=len(pruner.dropped), new=new.rows - pruned.rows, stays=len(pruner.stays), rows_before=old.rows, rows_after=new.rows,
        relearned=sum(i >= pruned.rows and token in before["vocab"] for token, i in after.items()),
        shrink=1 - new.rows / old.rows, merges_before=len(before["merges"]), merges_that_fire=pruner.firing,
        unreachable_before=len(pruner.unreachable), dead=len(unreachable(new)), words=spaced,
        tokens_per_word_before=old.tokens(counts) / max(spaced, 1), tokens_per_word_pruned=pruned.tokens(counts) / max(spaced, 1),
        tokens_per_word_after=new.tokens(counts) / max(spaced, 1), resplit=changed.share, resplit_examples=changed.examples,
        dropped_examples=_examples(origin, pruner.dropped), extension=extension,
    )  # fmt: skip
    return Optimized(tokenizer, id_map, report)


def _pruner(old: Base, counts: Counter[str], roles: frozenset[int], options: Optimization, progress: Progress) -> Pruner:
    """The pruner of `old`, done."""
    vocab: dict[str, int] = old.spec["model"]["vocab"]
    keep = len(vocab) // 2 if options.keep is None else options.keep
    if keep > len(vocab):
        raise WorkbenchError(f"keep={keep} is more than the {len(vocab)} tokens there are; give fewer, or use tokenizer.extend, which drops none.")
    progress.at(0.0, "encoding the reference text")
    pruner, scores = Pruner(old, counts, must_stay(old, roles)), None
    if keep < (least := len(pruner.stays)):
        raise WorkbenchError(f"keep={keep} is less than the {least} tokens that must stay (bytes, special and added tokens); give {least} or more.")
    if options.score == "learned":
        progress.at(0.3, "training a Unigram model")
        occur = pruner.occurrences()
        scores = {vocab[token]: score for token, score in learned(counts, {token: occur[i] for token, i in vocab.items()}, keep).items() if token in vocab}
    pruner.prune(len(vocab) - keep, progress.part(0.5, 1.0), scores)
    return pruner


def _examples(origin: PreTrainedTokenizerFast, dropped: Sequence[int]) -> tuple[str, ...]:
    """The last ones, as they can be shown: what goes last was the most useful."""
    from ..vocab import Vocabulary

    shown = Vocabulary(origin)
    return tuple(shown.printable(i) for i in reversed(dropped[-EXAMPLES:]))
