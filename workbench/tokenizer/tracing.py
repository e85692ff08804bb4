"""Step by step from a text to its tokens: merge by merge, over the lattice, or by the longest match, as the model goes.

Every trace ends at the library's own ids; a test holds it to that on any Unicode. Sources: BPE, Sennrich et al. (arXiv 1508.07909);
Unigram, Kudo (1804.10959); WordPiece's longest match, as in BERT.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WorkbenchError
from .alphabet import MARK, show
from .engines import ENGINES, STATES, Piece, Word
from .inspection import look, sound, spelling_of
from .loading import load

if TYPE_CHECKING:
    import tokenizers
    from transformers import PreTrainedTokenizerFast

    from ..vocab import Vocabulary

WORDS = 40  # traced of one text
CHARACTERS = 2_000  # of the text that are read
_PART = re.compile(f"{MARK}*[^{MARK}]+|{MARK}+")


@dataclass(frozen=True)
class Trace:
    model: str  # "BPE", "Unigram", "WordPiece" or "WordLevel"
    words: tuple[Word, ...]
    notes: tuple[str, ...] = ()

    @property
    def ids(self) -> list[int]:
        return [i for word in self.words for i in word.ids]


def trace(tokenizer: str | Path | PreTrainedTokenizerFast | tokenizers.Tokenizer, text: str) -> Trace:
    """How the tokenizer arrives at the tokens of `text`. Long texts and words are cut short, and `notes` says so.

    Raises WorkbenchError where the tokenizer cannot be opened, or its model is of no kind that is known here.
    """
    return Tracer(tokenizer).trace(text)


class Tracer:
    """One tokenizer opened for tracing; `trace` may then be called often (opening a large one takes a second)."""

    def __init__(self, tokenizer: str | Path | PreTrainedTokenizerFast | tokenizers.Tokenizer) -> None:
        self.tokenizer = load(tokenizer)
        self.backend = self.tokenizer.backend_tokenizer
        self.spelling = spelling_of(self.tokenizer)
        self.kind = type(self.backend.model).__name__
        if self.kind not in ENGINES:
            raise WorkbenchError(f"A {self.kind} tokenizer cannot be followed step by step; choose one of {', '.join(ENGINES)}.")
        self.tokens = {i: token for token, i in self.backend.get_vocab(with_added_tokens=True).items()}
        self.engine = ENGINES[self.kind](json.loads(self.backend.model.__getstate__()), self.piece, self.shown)
        self._splitter = _splitter(self.backend)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        from ..vocab import Vocabulary

        return Vocabulary(self.tokenizer)

    def trace(self, text: str) -> Trace:
        notes = [] if len(text) <= CHARACTERS else [f"Only the first {CHARACTERS:,} characters are followed."]
        words = [word for written, added in self.split(text[:CHARACTERS]) for word in self._words(written, added)]
        if len(words) > WORDS:
            notes.append(f"Only the first {WORDS} of {len(words):,} words are shown.")
        if any(len(word.states) > STATES for word in words[:WORDS]):
            notes.append(f"Of long words only the first {STATES - 1} steps and the last are shown.")
        return Trace(self.kind, tuple(map(_short, words[:WORDS])), tuple(notes))

    def split(self, text: str) -> list[tuple[str, int | None]]:
        """What the model is given, stretch by stretch, in its own alphabet, each with the id it has if it is an added token."""
        found = self._splitter.encode(sound(text), add_special_tokens=False)
        stretches = zip(found.tokens, found.ids, strict=True)
        return [(token, None if i == 0 else self.backend.token_to_id(self._splitter.id_to_token(i))) for token, i in stretches]

    def piece(self, i: int) -> Piece:
        shown, raw, _, kind = look(self.spelling, i, self.tokens.get(i, ""))
        return Piece(i, shown, kind, raw)

    def shown(self, written: str) -> str:
        _, raw, _, _ = look(self.spelling, -1, written)
        return show(raw)

    def _words(self, written: str, added: int | None) -> list[Word]:
        if added is not None:
            return [Word(self.piece(added).shown, "added", (added,))]
        whole = self.engine.follow(written)
        parts = _PART.findall(written) if self.spelling.kind == "metaspace" else []
        if len(parts) < 2:
            return [whole]
        # Without a pre-tokenizer a sentence is one word. Its parts are easier to read, and as good where nothing reaches over their ends.
        followed = [self.engine.follow(part) for part in parts]
        return followed if [i for word in followed for i in word.ids] == [*whole.ids] else [whole]


def _splitter(backend: tokenizers.Tokenizer) -> Any:
    """The tokenizer with a model that knows nothing: it returns each stretch the real model would be given as one unknown token, as it is written.

    The stretches then come from the library's own normaliser, pre-tokenizer and search for added tokens, in every detail.
    """
    from tokenizers import Tokenizer
    from tokenizers.models import Unigram

    made = Tokenizer(Unigram([("\0", 0.0)], 0, False))
    for part in ("normalizer", "pre_tokenizer"):
        if (found := getattr(backend, part)) is not None:
            setattr(made, part, found)
    for _, token in sorted(backend.get_added_tokens_decoder().items()):
        (made.add_special_tokens if token.special else made.add_tokens)([token])
    made.encode_special_tokens = backend.encode_special_tokens
    return made


def _short(word: Word) -> Word:
    if len(word.states) <= STATES:
        return word
    return replace(word, states=(*word.states[: STATES - 1], word.states[-1]))
