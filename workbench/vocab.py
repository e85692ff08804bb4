"""Which token is which: identity of tokens across tokenizers, by bytes."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from .errors import WorkbenchError, nearest
from .overlap import Match, Overlap, overlap
from .tokenizer.alphabet import Spelling, byte_piece, runs, show, to_letters

if TYPE_CHECKING:
    import tokenizers
    from transformers import PreTrainedTokenizerFast

Kind = Literal["text", "byte", "special"]
ROLES = ("bos", "eos", "pad", "unk", "cls", "sep", "mask")


class Identity(NamedTuple):
    """What a token stands for, whatever alphabet it is written in: '▁мир' and 'ĠÐ¼Ð¸ÑĢ' are both ("text", True, 'мир'.encode())."""

    kind: Kind  # "byte" is a byte-fallback piece such as <0xD0>
    word_start: bool
    bytes: bytes  # without the space or mark of the word start


NAMELESS = Identity("special", False, b"")


@contextmanager
def _collector_off() -> Iterator[None]:
    """Make many small objects that all stay: looking for cycles among them took as long as making them (128 000 tokens: 0.54 against 0.27 seconds)."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


class Vocabulary:
    """The tokens of one tokenizer. Ids run from 0 to `size` - 1; an id that no token has counts as a nameless special token."""

    def __init__(self, source: str | Path | PreTrainedTokenizerFast | tokenizers.Tokenizer) -> None:
        from .tokenizer.loading import load

        self.tokenizer = load(source)
        self.backend = self.tokenizer.backend_tokenizer
        self.model = self.backend.model
        self.roles: dict[str, int] = {role: i for role in ROLES if (i := getattr(self.tokenizer, f"{role}_token_id", None)) is not None}
        self.spelling = Spelling.of(self.backend, self.roles.values())
        ids = self.backend.get_vocab(with_added_tokens=True)
        self.size = max(ids.values(), default=-1) + 1
        places: list[str | None] = [None] * self.size  # twice as fast as sorting
        for token, i in ids.items():
            places[i] = token
        self.tokens: dict[int, str] = {i: token for i, token in enumerate(places) if token is not None}

    def __len__(self) -> int:
        return len(self.tokens)

    def token(self, token_id: int) -> str:
        """The token as the tokenizer's own alphabet writes it; "" for an id that no token has."""
        return self.tokens.get(token_id, "")

    def find(self, token: str | int) -> int:
        """The id of a token given by id, in the tokenizer's alphabet, or as text (the start of a word first). Raises WorkbenchError that lists close ones."""
        if isinstance(token, int):
            if token in self.tokens:
                return token
            raise WorkbenchError(f"There is no token {token}; give an id from 0 to {self.size - 1}.")
        raw = token.encode()
        tries = (self.backend.token_to_id(token), *(self.ids.get(Identity("text", start, raw.removeprefix(b" " * start))) for start in (True, False)))
        found = next((i for i in tries if i is not None), None)
        if found is None:
            close = {text for i in self.tokens if token[:2] in (text := self.printable(i))}
            raise WorkbenchError(f"No token is {token!r}; it may be made of several.{nearest(token, close) if close else ''}")
        return found

    @cached_property
    def _identities(self) -> dict[int, Identity]:
        with _collector_off():
            return {i: Identity._make(what) for i, what in self.spelling.identities(self.tokens)}

    def identities(self) -> dict[int, Identity]:
        """Id → identity, in the order of ids."""
        return self._identities

    def identity(self, token_id: int) -> Identity:
        return self._identities.get(token_id, NAMELESS)

    @cached_property
    def ids(self) -> dict[Identity, int]:
        """Identity → its lowest id."""
        return {identity: i for i, identity in reversed(self._identities.items())}

    @cached_property
    def collisions(self) -> dict[Identity, list[int]]:
        """Identities that several ids have."""
        found: dict[Identity, list[int]] = {}
        if len(self.ids) == len(self._identities):
            return found
        for i, identity in self._identities.items():
            if (first := self.ids[identity]) != i:
                found.setdefault(identity, [first]).append(i)
        return found

    @cached_property
    def bytes(self) -> dict[int, int]:
        """Byte → the id that stands for it alone: byte-fallback pieces, or the single-byte tokens of a byte-level vocabulary."""
        token_of = to_letters if self.spelling.kind == "byte-level" else lambda raw: byte_piece(raw[0])
        found = ((byte, self.backend.token_to_id(token_of(bytes([byte])))) for byte in range(256))
        return {byte: i for byte, i in found if i is not None}

    def pieces(self, token: Identity | str) -> list[int]:
        """Ids that this tokenizer's bare model makes of a token: of another vocabulary by its identity, or of this one's alphabet as a string.

        No normaliser, prefix space, pre-tokenizer or special token is involved. Bytes that are no whole character become byte pieces, or the
        unknown token where there are none.
        """
        if isinstance(token, str):
            i = self.backend.token_to_id(token)
            return self._cut(token) if i is None or i not in self._identities else self.pieces(self._identities[i])
        kind, word_start, raw = token
        if kind == "byte":
            return self._bytes(raw)
        if kind == "special" and token in self.ids:
            return [self.ids[token]]
        if self.spelling.kind == "byte-level":
            return self._cut(to_letters(b" " * word_start + raw))
        found: list[int] = []
        for n, (text, rest) in enumerate(runs(raw) if raw else [("", b"")]):
            written = self.spelling.write(word_start and n == 0, text) if text or (n == 0 and word_start) else ""
            found += (self._cut(written) if written else []) + self._bytes(rest)
        return found

    def pieces_of(self, tokens: Iterable[Identity]) -> list[list[int]]:
        """`pieces` of many tokens."""
        return [self.pieces(token) for token in tokens]

    def printable(self, token_id: int) -> str:
        """How a token is shown: spaces and newlines visible, ⟨D0⟩ for bytes that are no whole character, control characters by code point."""
        kind, word_start, raw = self.identity(token_id)
        if kind == "special":
            return show(raw)
        if self.spelling.kind == "wordpiece":
            return show(raw) if word_start else "##" + show(raw)
        return show(b" " * word_start + raw)

    def overlap(self, other: Vocabulary, match: Match = "exact") -> Overlap:
        """The tokens shared with another vocabulary, as (id here, id there)."""
        return overlap(self, other, match)

    def _cut(self, written: str) -> list[int]:
        return [piece.id for piece in self.model.tokenize(written)]

    def _bytes(self, raw: bytes) -> list[int]:
        unknown = [self.roles["unk"]] if "unk" in self.roles else []
        return [i for byte in raw for i in ([self.bytes[byte]] if byte in self.bytes else unknown)]
