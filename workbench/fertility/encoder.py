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

AT_ONCE, ROW = 16_384, 256  # words encoded together, and of these in one row
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
    def pieces(self) -> dict[int, str]:
        """Id → the token as the tokenizer writes it, in the order of the ids."""
        in_order = dict(enumerate(map(self.backend.id_to_token, range(self.backend.get_vocab_size(with_added_tokens=True)))))
        if None not in in_order.values():
            return in_order  # six times faster than the sorted vocabulary
        return {i: piece for piece, i in sorted(self.backend.get_vocab(with_added_tokens=True).items(), key=lambda item: item[1])}

    @property
    def size(self) -> int:
        return len(self.pieces)

    @cached_property
    def rows(self) -> int:
        """Of the embedding table."""
        return max(self.pieces, default=-1) + 1

    @cached_property
    def unknown_id(self) -> int | None:
        return next((i for piece in self._unknown if piece is not None and (i := self.backend.token_to_id(piece)) is not None), None)

    @cached_property
    def byte_ids(self) -> list[int]:
        return [i for i in map(self.backend.token_to_id, map(byte_piece, range(256))) if i is not None]

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
        with untouched(self):
            if not spaceless:
                return self._in_a_row(types)
            bare = np.array([script(word[0]) in SPACELESS for word in types])
            # A digit parts from letters in every pre-tokenizer, and takes the mark of the word start that some tokenizers give any text.
            given = ["1" + word if alone else self.before_word + word for word, alone in zip(types, bare, strict=True)]
            digit = len(self.backend.encode("1", add_special_tokens=False))
            return np.where(bare, np.maximum(self._alone(given) - digit, 1), self._alone(given))

    def _alone(self, texts: list[str]) -> np.ndarray:
        found = [self.count(texts[i : i + AT_ONCE], each=False)[0] for i in range(0, len(texts), AT_ONCE)]
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def _in_a_row(self, types: list[str]) -> np.ndarray:
        """Tokens of words that stand one after the other, a space before each: twice as fast as one by one. A row where a token reaches into the next
        word is encoded word by word; where none does, no merge can have reached over."""
        lengths = np.zeros(len(types), dtype=np.int64)
        torn: list[int] = []
        for first in range(0, len(types), AT_ONCE):
            rows = [types[i : i + ROW] for i in range(first, min(first + AT_ONCE, len(types)), ROW)]
            encodings = self.backend.encode_batch([self.before_word + " ".join(row) for row in rows], add_special_tokens=False)
            for number, (row, encoding) in enumerate(zip(rows, encodings, strict=True)):
                here = slice(start := first + number * ROW, start + len(row))
                ends = np.cumsum([len(word) + 1 for word in row]) - (not self.before_word)
                spans = np.fromiter(chain.from_iterable(encoding.offsets), np.int64, 2 * len(encoding)).reshape(-1, 2)
                owner = np.searchsorted(ends, spans[:, 0], side="right")
                if len(owner) and (spans[:, 1] > ends[np.minimum(owner, len(row) - 1)]).any():
                    torn += range(here.start, here.stop)
                else:
                    lengths[here] = np.bincount(owner, minlength=len(row))
        if torn:
            lengths[torn] = self._alone([self.before_word + types[i] for i in torn])
        return lengths

    @cached_property
    def identities(self) -> dict[int, tuple[str, bool, bytes]]:
        """Id → (kind, starts a word?, bytes): the same for the same token in any alphabet."""
        spelling = Spelling.of(self.backend)
        return {i: spelling.identity(i, piece) for i, piece in self.pieces.items()}

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
