"""A tokenizer, reduced to what fertility needs: text in, ids out, and what its tokens are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from .. import store
from ..corpus.scripts import SPACELESS, script
from ..errors import WorkbenchError
from ..tokenizer.alphabet import Spelling, byte_piece, runs
from ..tokenizer.reporting import after_space

AT_ONCE = 4_096  # words encoded together
NO_SCRIPT = {"byte": "single bytes", "special": "special", "part": "parts of characters", "": "no letters"}


class Encoder:
    """A tokenizer that adds, cuts and pads nothing."""

    def __init__(self, tokenizer: Any) -> None:
        if isinstance(tokenizer, (str, Path, store.Artefact)):
            from ..tokenizer import load

            tokenizer = load(tokenizer)
        self.backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
        if not hasattr(self.backend, "encode_batch_fast"):
            raise WorkbenchError(f"A {type(tokenizer).__name__} cannot be measured; give a reference or a fast tokenizer.")
        # GPT-2 names its end of text as the unknown as well, and has no unknowns.
        ends = {getattr(tokenizer, f"{role}_token", None) for role in ("bos", "eos")}
        named = (getattr(self.backend.model, "unk_token", None), getattr(tokenizer, "unk_token", None), "<unk>")
        self._unknown = [piece for piece in named if piece not in ends]
        self.before_word = after_space(self.backend)

    @cached_property
    def vocabulary(self) -> dict[str, int]:
        return self.backend.get_vocab(with_added_tokens=True)

    @property
    def size(self) -> int:
        return len(self.vocabulary)

    @cached_property
    def rows(self) -> int:
        """Of the embedding table."""
        return max(self.vocabulary.values(), default=-1) + 1

    @cached_property
    def unknown_id(self) -> int | None:
        return next((self.vocabulary[piece] for piece in self._unknown if piece in self.vocabulary), None)

    @cached_property
    def byte_ids(self) -> list[int]:
        return [self.vocabulary[piece] for piece in map(byte_piece, range(256)) if piece in self.vocabulary]

    def count(self, texts: list[str], each: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
        """Tokens of each text; and, if `each`, how often each id occurs, up to the highest. To be called inside `untouched`."""
        encodings = self.backend.encode_batch_fast(texts, add_special_tokens=False)
        lengths = np.fromiter(map(len, encodings), np.int64, len(texts))
        if not each:
            return lengths, None
        ids = np.fromiter(chain.from_iterable(e.ids for e in encodings), np.int64, int(lengths.sum()))
        return lengths, np.bincount(ids)

    def word_lengths(self, types: list[str], spaceless: bool = False) -> np.ndarray:
        """Tokens of each word as it stands in running text: after a space; in a text without spaces (`spaceless`) after something else."""
        bare = [script(word[0]) in SPACELESS for word in types] if spaceless else [False] * len(types)
        # A digit parts from letters in every pre-tokenizer, and takes the mark of the word start that some tokenizers give any text.
        given = ["1" + word if alone else self.before_word + word for word, alone in zip(types, bare, strict=True)]
        with untouched(self):
            found = [self.count(given[i : i + AT_ONCE], each=False)[0] for i in range(0, len(given), AT_ONCE)]
            digit = len(self.backend.encode("1", add_special_tokens=False))
        lengths = np.concatenate(found) if found else np.zeros(0, np.int64)
        return np.where(bare, np.maximum(lengths - digit, 1), lengths) if spaceless else lengths

    @cached_property
    def identities(self) -> dict[int, tuple[str, bool, bytes]]:
        """Id → (kind, starts a word?, bytes): the same for the same token in any alphabet."""
        spelling = Spelling.of(self.backend)
        return {i: spelling.identity(i, piece) for piece, i in sorted(self.vocabulary.items(), key=lambda item: item[1])}

    @cached_property
    def looks(self) -> dict[str, np.ndarray]:
        """Of every row: its bytes and characters (without the space at its front; a part of a character counts as none), and the number of its script in
        `scripts`; -1 for a row that no token has."""
        texts = ["" if kind == "byte" else _text(raw) for kind, _, raw in self.identities.values()]
        kinds = [
            NO_SCRIPT[kind] if kind in NO_SCRIPT else _script(text) or NO_SCRIPT["" if text or not raw else "part"]
            for text, (kind, _, raw) in zip(texts, self.identities.values(), strict=True)
        ]
        self.scripts = list(dict.fromkeys(kinds))
        number = {name: place for place, name in enumerate(self.scripts)}
        sizes = [len(raw) for _, _, raw in self.identities.values()]
        found = np.full((3, self.rows), -1, dtype=np.int64)
        found[:, list(self.identities)] = sizes, list(map(len, texts)), [number[name] for name in kinds]
        return dict(zip(("bytes", "characters", "script"), found, strict=True))

    def lacking(self, reference: Encoder) -> np.ndarray:
        """The ids whose token the reference has not, whichever way each of the two writes it."""
        known = set(reference.identities.values())
        return np.array([i for i, identity in self.identities.items() if identity not in known], dtype=np.int64)


@contextmanager
def untouched(*encoders: Encoder) -> Iterator[None]:
    """Within it tokenizers neither cut nor pad, whatever they are set to; afterwards they are set as before."""
    with ExitStack() as after:
        for backend in (encoder.backend for encoder in encoders):
            cut, pad = backend.truncation, backend.padding
            if cut:
                backend.no_truncation()
                after.callback(backend.enable_truncation, **cut)
            if pad:
                backend.no_padding()
                after.callback(backend.enable_padding, **pad)
        yield


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return "".join(text for text, _ in runs(raw))


def _script(text: str) -> str:
    return (script(text[0]) or next((name for c in text if (name := script(c))), "")) if text else ""
