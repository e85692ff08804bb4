"""Which products continued BPE may learn: by script, length and digits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache, lru_cache

import regex

from ..corpus.scripts import script_shares
from ..errors import WorkbenchError, nearest
from .alphabet import BYTE_PIECE, MARK, Kind, from_letters, runs

SCRIPTS = (
    "Arabic", "Armenian", "Bengali", "Cyrillic", "Devanagari", "Ethiopic", "Georgian", "Greek", "Gujarati", "Gurmukhi", "Han", "Hangul", "Hebrew", "Hiragana",
    "Kannada", "Katakana", "Khmer", "Lao", "Latin", "Malayalam", "Mongolian", "Myanmar", "Sinhala", "Tamil", "Telugu", "Thaana", "Thai", "Tibetan",
)  # fmt: skip
_NUMBER = regex.compile(r"\p{N}")
JOINERS = "\u200c\u200d'’-"


class Filter:
    """Judges a product by the bytes it stands for."""

    def __init__(self, kind: Kind, script: str | None, max_length: int, digits: bool) -> None:
        self.kind, self.max_length, self.digits = kind, max_length, digits
        self.script = Script(script, digits) if script else None

    def reason(self, piece: str) -> str:
        """Why this product may not be learned, in a word or two; "" if it may. `piece` is written in the model's alphabet."""
        raw = self._bytes(piece)
        if raw is None:
            return "not text"
        raw = raw.removeprefix(b" ")
        runs_of_spaces = self.script is None and self.kind == "byte-level"
        if not runs_of_spaces and (b" " in raw or not raw):
            return "a space inside"
        stretches = list(runs(raw))
        text = "".join(text for text, _ in stretches)
        if len(text) + sum(not whole for whole, _ in stretches) > self.max_length:
            return "too long"
        if not self.digits and _NUMBER.search(text):  # isnumeric() is also true of letters: 一, 十, 万
            return "digits"
        return "" if self.script is None or self.script.has(stretches) else "other script"

    def letters(self, text: str) -> list[str]:
        """The characters of `text` that may become tokens of their own: letters and vowel signs of the script."""
        pattern = self.script.letter_or_sign if self.script else regex.compile(r"[\p{L}\p{M}]")
        return pattern.findall(text)

    def check_serves(self, words: Iterable[str]) -> None:
        """Raise WorkbenchError where no word, given in the model's alphabet, has a letter of the script."""
        if self.script is None or any(self.script.letter.search(self._text(word)) for word in words):
            return
        shares = script_shares(Counter("".join(self._text(word) for word in words)))
        found = f"its letters are {' and '.join(list(shares)[:2])}" if shares else "it has no letters"
        raise WorkbenchError(f"The text has no letter of the script {self.script.name} ({found}); give text of that script, or another script.")

    def _text(self, word: str) -> str:
        return "".join(text for text, _ in runs(self._bytes(word) or b""))

    def _bytes(self, piece: str) -> bytes | None:
        if self.kind == "byte-level":
            return from_letters(piece)
        return None if BYTE_PIECE.search(piece) else piece.replace(MARK, " ").encode()


class Script:
    """A Unicode script, or several joined by "+". Letters that it shares with others (Script_Extensions) may stand beside its own."""

    def __init__(self, name: str, digits: bool) -> None:
        names = [part.strip() for part in name.split("+")]
        for part in names:
            try:
                regex.compile(rf"\p{{scx={part}}}")
            except regex.error:
                raise WorkbenchError(f"'{part}' is no Unicode script.{nearest(part, SCRIPTS)} Join several by +, as in Han+Hiragana+Katakana.") from None
        own, shared = ("[" + "".join(rf"\p{{{key}={part}}}" for part in names) + "]" for key in ("sc", "scx"))
        number = rf"[\p{{N}}&&{shared}]" if digits else ""
        self.name = name
        # A letter or sign that scripts share (ʼ of Ukrainian and Hawaiian, ـ of Arabic and Syriac) is never a token by itself, nor makes one pass.
        self.letter = regex.compile(rf"(?V1)[\p{{L}}&&{own}]")
        self.letter_or_sign = regex.compile(rf"(?V1)[[\p{{L}}\p{{M}}]&&{own}]")
        self.shared = regex.compile(rf"(?V1)[\p{{L}}&&{shared}]")
        self.allowed = regex.compile(rf"(?V1)[[\p{{L}}&&{shared}]\p{{M}}{number}{regex.escape(JOINERS)}]*")

    def has(self, stretches: list[tuple[str, bytes]]) -> bool:
        """Whether the text is of this script: at least one letter, all else marks and joiners. It may end in the first bytes of a character.

        Such a beginning must lead to letters of this script only; and where it is all there is, to nothing but letters, so that no
        text without a letter of the script can ever contain the token. (All of D0 80 to D1 BF are Cyrillic letters; D8 also begins
        Arabic number signs, so D8 alone is refused, and accepted after a letter.)
        """
        *whole, (text, tail) = stretches or [("", b"")]
        if any(rest for _, rest in whole):
            return False
        text = "".join(t for t, _ in whole) + text
        if not self.allowed.fullmatch(text):
            return False
        if not tail:
            return bool(self.letter.search(text))
        own, foreign, only = self.completions(tail)
        return own and not foreign and (only or bool(self.letter.search(text)))

    @lru_cache(maxsize=4096)  # noqa: B019 - one small object per extension
    def completions(self, tail: bytes) -> tuple[bool, bool, bool]:
        """What an unfinished character may become: a letter of the script; a letter that is none of it; nothing but letters of the script alone."""
        chars = completed(tail)
        return bool(self.letter.search(chars)), bool(regex.search(r"\p{L}", self.shared.sub("", chars))), not self.letter.sub("", chars)


@cache
def completed(tail: bytes) -> str:
    """All characters whose UTF-8 begins with these bytes (1 to 3); "" where there are none, as after a byte from the middle of one."""
    lead = tail[0]
    size = 2 if 0xC2 <= lead < 0xE0 else 3 if 0xE0 <= lead < 0xF0 else 4 if 0xF0 <= lead < 0xF5 else 0
    if len(tail) >= size:
        return ""
    bits = lead & (0xFF >> (size + 1))
    for byte in tail[1:]:
        bits = bits << 6 | byte & 0x3F
    spare = 6 * (size - len(tail))
    low = max(bits << spare, (0, 0, 0x80, 0x800, 0x10000)[size])
    high = min((bits + 1) << spare, 0x110000)
    return "".join(map(chr, (c for c in range(low, high) if not 0xD800 <= c < 0xE000)))
