"""Which tokens two vocabularies share: by identity and, where asked for, by looser rules one after the other."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from .corpus.scripts import script
from .errors import WorkbenchError, nearest

if TYPE_CHECKING:
    from .vocab import Identity, Vocabulary

Match = Literal["exact", "nfc", "nfkc", "case", "word_start"]
RULES: tuple[Match, ...] = get_args(Match)  # each looser than the one before it
LISTED = 50  # collisions shown; they are counted all


@dataclass(frozen=True)
class Overlap:
    """Tokens that two vocabularies a and b share, as (id in a, id in b) rows. Of the exact ones every id occurs once at most.

    Attributes:
        text, byte, special: (n, 2) int64, equal by identity, sorted by the id in b.
        loose: rule → (n, 2): further tokens of b, each with the token of a that the rule finds for it; one of a may serve several.
    """

    text: np.ndarray
    byte: np.ndarray
    special: np.ndarray
    loose: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def pairs(self) -> np.ndarray:
        """The exact ones, (n, 2) int64, sorted by the id in b."""
        every = np.concatenate([self.text, self.byte, self.special])
        return every[np.argsort(every[:, 1], kind="stable")]

    @property
    def by_kind(self) -> dict[str, int]:
        return {"text": len(self.text), "byte": len(self.byte), "special": len(self.special)}

    @property
    def by_rule(self) -> dict[str, int]:
        """How many tokens of b each rule added; the exact ones first."""
        return {"exact": len(self), **{rule: len(found) for rule, found in self.loose.items()}}

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((int(i), int(j)) for i, j in self.pairs)

    def __len__(self) -> int:
        return len(self.text) + len(self.byte) + len(self.special)


def overlap(a: Vocabulary, b: Vocabulary, match: Match = "exact") -> Overlap:
    """The shared tokens: specials by role and then by name, text by identity, byte-fallback pieces by byte.

    A byte-fallback piece matches one of the other vocabulary, or its single-byte token where that has no byte fallback and no text matched it.
    `match` names the loosest rule that may pair what is left of b's text: "nfc", "nfkc" (same text once normalised so), "case" (and case-folded),
    "word_start" (and with or without the mark of a word's start). Raises WorkbenchError for a rule that there is not.
    """
    if match not in RULES:
        raise WorkbenchError(f"There is no rule '{match}' to match tokens by.{nearest(match, RULES)}")
    special = {a.roles[role]: b.roles[role] for role in reversed(a.roles) if role in b.roles}
    special = {i: j for j, i in {j: i for i, j in special.items()}.items()}  # two roles may share an id on one side
    taken, there = set(special.values()), b.ids.get
    pairs: dict[str, list[tuple[int, int]]] = {"text": [], "byte": [], "special": list(special.items())}
    for identity, i in a.ids.items():
        j = there(identity)
        if j is not None and i not in special and j not in taken:
            pairs[identity[0]].append((i, j))
    has = [any(v.identities()[i].kind == "byte" for i in v.bytes.values()) for v in (a, b)]
    if has[0] != has[1]:
        used, taken = {i for i, _ in pairs["text"]}, {j for _, j in pairs["text"]}
        both = [(a.bytes[n], b.bytes[n]) for n in range(256) if n in a.bytes and n in b.bytes]
        pairs["byte"] = [(i, j) for i, j in both if i not in used and j not in taken]
    return Overlap(**{kind: _rows(found) for kind, found in pairs.items()}, loose=_loose(a, b, pairs, match))


# What two texts must have in common under each rule: (starts a word?, text) → key. A rule with several tries the stricter key first.
_KEYS: dict[str, tuple[Callable[[bool, str], Any], ...]] = {
    "nfc": (lambda start, text: (start, unicodedata.normalize("NFC", text)),),
    "nfkc": (lambda start, text: (start, unicodedata.normalize("NFKC", text)),),
    "case": (lambda start, text: (start, _folded(text)),),
    "word_start": (lambda _, text: unicodedata.normalize("NFKC", text), lambda _, text: _folded(text)),
}


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _loose(a: Vocabulary, b: Vocabulary, exact: dict[str, list[tuple[int, int]]], match: Match) -> dict[str, np.ndarray]:
    rules = RULES[1 : RULES.index(match) + 1]
    if not rules:
        return {}
    done = {j for found in exact.values() for _, j in found}
    have, open_ = _texts(a.identities().items()), dict(_texts((j, identity) for j, identity in b.identities().items() if j not in done))
    found: dict[str, np.ndarray] = {}
    for rule in rules:
        pairs: list[tuple[int, int]] = []
        for key in _KEYS[rule]:
            lowest = {key(*what): i for i, what in reversed(have)}
            new = [(i, j) for j, what in open_.items() if (i := lowest.get(key(*what))) is not None]
            pairs += new
            for _, j in new:
                del open_[j]
        found[rule] = _rows(pairs)
    return found


def _texts(tokens: Iterable[tuple[int, Identity]]) -> list[tuple[int, tuple[bool, str]]]:
    """Those that are text of whole characters."""
    found = []
    for i, (kind, start, raw) in tokens:
        if kind == "text" and raw:
            try:
                found.append((i, (start, raw.decode())))
            except UnicodeDecodeError:
                continue
    return found


def _rows(pairs: list[tuple[int, int]]) -> np.ndarray:
    found = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return found[np.argsort(found[:, 1], kind="stable")]


def group(identity: Identity) -> str:
    """Where a token is counted: the script of its first letter, else digits, punctuation, spaces; bytes (no whole character); special."""
    kind, _, raw = identity
    if kind == "special":
        return "special"
    text = raw.decode(errors="ignore")
    if kind == "byte" or (raw and not text):
        return "bytes"
    for character in text:
        if name := script(character):
            return name
    return "digits" if any(map(str.isdigit, text)) else "punctuation" if text.strip() else "spaces"


def groups(vocabulary: Vocabulary, ids: Iterable[int]) -> list[str]:
    """The group of each of these tokens; "unused" for an id that no token has."""
    there = vocabulary.identities()
    return [group(there[i]) if i in there else "unused" for i in ids]


def collisions(vocabulary: Vocabulary, limit: int = LISTED) -> list[dict[str, Any]]:
    """Tokens of one identity: [{"token": printable, "ids": [...], "written": [...]}], by lowest id, at most `limit`."""
    found = sorted(vocabulary.collisions.values())[:limit]
    return [{"token": vocabulary.printable(ids[0]), "ids": ids, "written": [vocabulary.token(i) for i in ids]} for ids in found]
