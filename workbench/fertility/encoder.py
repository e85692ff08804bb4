"""One tokenizer and one text, reduced to what fertility needs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .. import store
from ..corpus.scripts import script_shares, spaceless, words
from ..errors import WorkbenchError

CHUNK = 256  # documents encoded at once
WORD_START = ("▁", "Ġ")
BYTE_PIECE = re.compile(r"<0x[0-9A-Fa-f]{2}>")


class Encoder:
    """A tokenizer reduced to what is measured: text in, ids out, nothing added, cut or padded."""

    def __init__(self, tokenizer: Any) -> None:
        if isinstance(tokenizer, (str, Path, store.Artefact)):
            from ..tokenizer import load

            tokenizer = load(tokenizer)
        self.backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
        if not hasattr(self.backend, "encode_batch_fast"):
            raise WorkbenchError(f"A {type(tokenizer).__name__} cannot be measured; give a reference or a fast tokenizer.")
        vocabulary = self.backend.get_vocab(with_added_tokens=True)
        self.size = len(vocabulary)
        self.byte_ids = [i for piece, i in vocabulary.items() if BYTE_PIECE.fullmatch(piece)]
        unknown = (getattr(self.backend.model, "unk_token", None), getattr(tokenizer, "unk_token", None), "<unk>")
        self.unknown_id = next((vocabulary[piece] for piece in unknown if piece in vocabulary), None)
        (alone, after), first = self.ids(["a", " a"]), self.backend.encode("a", add_special_tokens=False).tokens[:1]
        # A tokenizer that adds the space before a word itself (▁a, Ġa), or drops spaces, is given the bare word.
        self.before_word = "" if alone == after or "".join(first).startswith(WORD_START) else " "

    def ids(self, texts: list[str]) -> list[list[int]]:
        with _untouched(self.backend):
            return [e.ids for e in self.backend.encode_batch_fast(texts, add_special_tokens=False)]

    def word_lengths(self, types: list[str]) -> np.ndarray:
        """Tokens of each word as it stands after a space."""
        chunks = (types[i : i + 16 * CHUNK] for i in range(0, len(types), 16 * CHUNK))
        return np.array([len(ids) for chunk in chunks for ids in self.ids([self.before_word + w for w in chunk])], dtype=np.int64)


@contextmanager
def _untouched(backend: Any) -> Iterator[None]:
    """Encode without the truncation and padding that a tokenizer may carry, and give them back."""
    cut, pad = backend.truncation, backend.padding
    if cut is None and pad is None:
        yield
        return
    backend.no_truncation()
    backend.no_padding()
    try:
        yield
    finally:
        if cut:
            backend.enable_truncation(**cut)
        if pad:
            backend.enable_padding(**pad)


@dataclass
class Counts:
    """One text, counted: words and bytes per document, how often each word and character occurs."""

    words: list[int] = field(default_factory=list)
    bytes: int = 0
    whitespace_words: int = 0
    types: Counter[str] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)

    def add(self, text: str) -> None:
        found = words(text)
        self.words.append(len(found))
        self.types.update(found)
        self.characters.update(text)
        self.bytes += len(text.encode("utf-8", "surrogatepass"))
        self.whitespace_words += len(text.split())

    @property
    def documents(self) -> int:
        return len(self.words)

    @property
    def spaceless(self) -> bool:
        return spaceless(script_shares(self.characters))


@dataclass
class Tally:
    """What one tokenizer made of one text: tokens per document, and how often each id occurs."""

    tokens: list[int] = field(default_factory=list)
    ids: Counter[int] = field(default_factory=Counter)
