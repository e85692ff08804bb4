"""What a tokenizer makes of a text, token by token, safe to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .alphabet import Spelling, show

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class Chip:
    """One token as it is shown. `start` and `end` are characters of the text; tokens that share a character overlap there."""

    id: int
    shown: str  # visible spaces (␣), newlines (⏎); ⟨D0⟩ for a byte that is no whole character; never U+FFFD
    bytes: bytes  # with the space at its front, where it has one
    word_start: bool
    kind: str  # "text", "byte" or "special"
    start: int
    end: int


def chips(tokenizer: PreTrainedTokenizerFast, text: str, special: bool = False) -> list[Chip]:
    """The tokens of `text`, with BOS and the like only if `special`. Control and bidirectional characters are shown by code point."""
    backend = tokenizer.backend_tokenizer
    encoding = backend.encode(sound(text), add_special_tokens=special)
    spelling = spelling_of(tokenizer)
    found = []
    for i, token, (start, end) in zip(encoding.ids, encoding.tokens, encoding.offsets, strict=True):
        shown, raw, word_start, kind = look(spelling, i, token)
        found.append(Chip(i, shown, raw, word_start, kind, start, end))
    return found


def spelling_of(tokenizer: PreTrainedTokenizerFast) -> Spelling:
    """How this tokenizer writes bytes, with every token that plays a role (unk, bos…) known as special."""
    return Spelling.of(tokenizer.backend_tokenizer, tokenizer.all_special_ids)


def look(spelling: Spelling, i: int, token: str) -> tuple[str, bytes, bool, str]:
    """(shown, bytes with the space at the front, starts a word?, kind) of one token; special tokens are shown by name."""
    kind, word_start, rest = spelling.identity(i, token)
    raw = b" " + rest if word_start and spelling.kind != "wordpiece" else rest
    return show(raw), raw, word_start, kind


def sound(text: str) -> str:
    """The text with halves of surrogate pairs, which no UTF-8 has and no tokenizer takes, as U+FFFD; a browser can send them."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
