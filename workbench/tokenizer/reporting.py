"""What a change of vocabulary did, in numbers: tokens nothing can reach, and words of the base's languages that are cut otherwise."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..corpus.scripts import words
from .alphabet import Spelling

if TYPE_CHECKING:
    import tokenizers

EXAMPLES = 12
WORD_START = ("▁", "Ġ")


@dataclass(frozen=True)
class Resplit:
    """How many words of a text two tokenizers cut differently, weighted by how often each occurs."""

    words: int
    changed: int
    examples: tuple[str, ...] = ()  # the most frequent of them

    @property
    def share(self) -> float | None:
        """0 to 1; None where the text has no words."""
        return self.changed / self.words if self.words else None


def resplit(before: tokenizers.Tokenizer, after: tokenizers.Tokenizer, texts: Iterable[str]) -> Resplit:
    """Compare the pieces (not the ids, which may have moved) of every word as it stands after a space."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(words(text))
    if not counts:
        return Resplit(0, 0)
    types = list(counts)
    old, new = _pieces(before, types), _pieces(after, types)
    changed = Counter({word: counts[word] for word, a, b in zip(types, old, new, strict=True) if a != b})
    return Resplit(counts.total(), changed.total(), tuple(word for word, _ in changed.most_common(EXAMPLES)))


def after_space(backend: tokenizers.Tokenizer) -> str:
    """What to put before a word to encode it as in running text: "" for a tokenizer that adds the space itself (▁a, Ġa) or drops spaces."""
    alone, spaced = (backend.encode(text, add_special_tokens=False) for text in ("a", " a"))
    return "" if alone.ids == spaced.ids or "".join(alone.tokens[:1]).startswith(WORD_START) else " "


def dead(backend: tokenizers.Tokenizer, ids: Iterable[int] | None = None, model: Any = None) -> list[int]:
    """The text tokens (of `ids`, else of all) that the bare model does not make of their own string.

    No normaliser, pre-tokenizer or added token takes part, and a BPE model goes by its merges whatever `ignore_merges` says. Special tokens, added
    tokens and byte-fallback pieces are not judged. `model`: the bare model, if it is at hand.
    """
    model = model or bare(backend)
    spelling = Spelling.of(backend)
    known = {i: token for token, i in backend.get_vocab(with_added_tokens=True).items()}
    judged = [i for i in sorted(known if ids is None else ids) if i not in spelling.added and spelling.identity(i, known[i])[0] == "text"]
    return [i for i in judged if [piece.id for piece in model.tokenize(known[i])] != [i]]


def bare(backend: tokenizers.Tokenizer) -> Any:
    """The model of a tokenizer; a BPE model without `ignore_merges`."""
    from .base import cutter

    return cutter(json.loads(backend.to_str())["model"]) if getattr(backend.model, "ignore_merges", False) else backend.model


def _pieces(backend: tokenizers.Tokenizer, types: list[str]) -> list[tuple[object, ...]]:
    spelling, space = Spelling.of(backend), after_space(backend)
    known = {i: spelling.identity(i, token) for token, i in backend.get_vocab(with_added_tokens=True).items()}
    return [tuple(known[i] for i in e.ids) for e in backend.encode_batch_fast([space + word for word in types], add_special_tokens=False)]
