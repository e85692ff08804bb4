"""How a tokenizer writes bytes: the byte-level alphabet of GPT-2, SentencePiece's ▁ and byte pieces, WordPiece's ##."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import tokenizers

Kind = Literal["byte-level", "metaspace", "wordpiece"]
MARK = "▁"
BYTE_PIECE = re.compile(r"<0x([0-9A-F]{2})>")


def _byte_letters() -> list[str]:
    """The printable letter that stands for each byte, as GPT-2 chose them."""
    plain = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    spare = iter(range(256, 512))
    return [chr(b) if b in plain else chr(next(spare)) for b in range(256)]


LETTERS = _byte_letters()
BYTES = {letter: byte for byte, letter in enumerate(LETTERS)}
_TO_LATIN1 = str.maketrans({chr(code): "\uffff" for code in range(256)} | {letter: chr(byte) for letter, byte in BYTES.items()})


_BETWEEN = "\ue000"  # no letter of the byte-level alphabet


def to_letters(raw: bytes) -> str:
    """Bytes in the byte-level alphabet: b' a' → 'Ġa'."""
    return "".join(LETTERS[b] for b in raw)


def from_letters(token: str) -> bytes | None:
    """The bytes of a byte-level token, or None where a character is not of that alphabet (an added token)."""
    try:
        return token.translate(_TO_LATIN1).encode("latin-1")  # several times faster than byte by byte: vocabularies have a hundred thousand tokens
    except UnicodeEncodeError:
        return None


def byte_piece(byte: int) -> str:
    return f"<0x{byte:02X}>"


def parts(backend: tokenizers.Tokenizer) -> dict[str, Any]:
    """The tokenizer's JSON without vocabulary and merges, which can be megabytes: normalizer, pre_tokenizer, decoder…"""
    found: dict[str, Any] = {}
    for name in ("normalizer", "pre_tokenizer", "decoder", "post_processor"):
        part = getattr(backend, name)
        found[name] = json.loads(part.__getstate__()) if part is not None else None
    return found


def mentions(part: Any, kind: str) -> bool:
    """Whether a component's JSON has, at any depth, a node of this type."""
    if isinstance(part, dict):
        return part.get("type") == kind or any(mentions(v, kind) for v in part.values())
    return isinstance(part, list) and any(mentions(v, kind) for v in part)


def kind_of(backend: tokenizers.Tokenizer) -> Kind:
    """Which alphabet the tokenizer's model is written in."""
    if type(backend.model).__name__ == "WordPiece":
        return "wordpiece"
    has = parts(backend)
    return "byte-level" if mentions(has["pre_tokenizer"], "ByteLevel") or mentions(has["decoder"], "ByteLevel") else "metaspace"


@dataclass(frozen=True)
class Spelling:
    """Reads and writes tokens of one tokenizer as bytes."""

    kind: Kind
    specials: frozenset[int] = frozenset()  # ids of special tokens
    added: frozenset[int] = frozenset()  # ids of added tokens that are text: written as they are, in no alphabet

    @classmethod
    def of(cls, backend: tokenizers.Tokenizer, roles: Iterable[int] = ()) -> Spelling:
        """The spelling of a tokenizer; `roles` are ids known to be special from elsewhere (bos, eos, unk…)."""
        added = backend.get_added_tokens_decoder()
        special = {i for i, token in added.items() if token.special} | set(roles)
        unknown = getattr(backend.model, "unk_token", None)
        if unknown is not None and (i := backend.token_to_id(unknown)) is not None:
            special.add(i)
        return cls(kind_of(backend), frozenset(special), frozenset(added) - special)

    def identity(self, i: int, token: str) -> tuple[Literal["text", "byte", "special"], bool, bytes]:
        """(kind, starts a word?, bytes without the mark or space of the word start)."""
        if self.kind == "metaspace" and i not in self.added and (match := BYTE_PIECE.fullmatch(token)):
            return "byte", False, bytes([int(match[1], 16)])  # also where a trainer was given them as special tokens
        if i in self.specials:
            return "special", False, token.encode()
        if self.kind == "wordpiece" and i not in self.added:
            return "text", not token.startswith("##"), token.removeprefix("##").encode()
        if self.kind == "metaspace" and i not in self.added:
            raw = token.replace(MARK, " ").encode()
        else:
            letters = from_letters(token) if self.kind == "byte-level" and i not in self.added else None
            raw = token.encode() if letters is None else letters
        return "text", raw[:1] == b" ", raw.removeprefix(b" ")

    def identities(self, tokens: Mapping[int, str]) -> Iterator[tuple[int, tuple[Literal["text", "byte", "special"], bool, bytes]]]:
        """`identity` of every token, in their order. The letters of a byte-level vocabulary are read at one go, which takes half the time."""
        odd = self.specials | self.added
        letters = [token for i, token in tokens.items() if i not in odd] if self.kind == "byte-level" else []
        bytes_ = _BETWEEN.join(letters).translate(_TO_LATIN1).split(_BETWEEN)
        if len(bytes_) != len(letters):  # none, or one with that character in it
            yield from ((i, self.identity(i, token)) for i, token in tokens.items())
            return
        plain = iter(bytes_)
        for i, token in tokens.items():
            if i in odd:
                yield i, self.identity(i, token)
                continue
            try:
                raw = next(plain).encode("latin-1")
            except UnicodeEncodeError:
                raw = token.encode()
            yield i, ("text", True, raw[1:]) if raw[:1] == b" " else ("text", False, raw)

    def write(self, word_start: bool, text: str) -> str:
        """Whole characters in the model's alphabet."""
        if self.kind == "wordpiece":
            return text if word_start else "##" + text
        spaced = " " * word_start + text
        return to_letters(spaced.encode()) if self.kind == "byte-level" else spaced.replace(" ", MARK)


def runs(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Bytes as stretches of whole characters (text, b'') and of bytes that are no whole character ('', bytes)."""
    while raw:
        try:
            yield raw.decode(), b""
            return
        except UnicodeDecodeError as error:
            if error.start:
                yield raw[: error.start].decode(), b""
            yield "", raw[error.start : error.end]
            raw = raw[error.end :]


def show(raw: bytes) -> str:
    """Bytes as a person can see them: spaces ␣, newlines ⏎, tabs ⇥, other invisible characters ⟨U+200C⟩, bytes that are no whole character ⟨D0⟩.

    A combining mark without a letter of its own gets a dotted circle, lest it sit on its neighbour.
    """
    found = []
    for text, rest in runs(raw):
        if text and unicodedata.category(text[0])[0] == "M":
            found.append("◌")
        found += map(_visible, text)
        found += (f"⟨{byte:02X}⟩" for byte in rest)
    return "".join(found)


def _visible(char: str) -> str:
    if char in _SIGNS:
        return _SIGNS[char]
    category = unicodedata.category(char)
    return f"⟨U+{ord(char):04X}⟩" if category[0] in "CZ" or "\ufe00" <= char <= "\ufe0f" or char in "\u034f\ufffd" else char


_SIGNS = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍"}
