"""The models of the tokenizers library, in slow motion: each gives the library's ids for one word, and the way there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, Protocol

from .alphabet import byte_piece
from .lattice import Lattice, follow_lattice

STATES = 60  # kept of one word, the last beside them: of two thousand letters every state would be two thousand pieces
How = Literal["merged", "whole", "added", "lattice", "longest match", "looked up"]


@dataclass(frozen=True)
class Piece:
    """One token as it is shown (see `chips`)."""

    id: int
    shown: str
    kind: str  # "text", "byte" or "special"
    bytes: bytes = b""  # what it stands for; the text alone cannot tell a part of a character from a ⟨ that was written


@dataclass(frozen=True)
class Node:
    """A token and the two it was merged from, down to the alphabet; `rank` is the place of the merge in the list, 0 first."""

    piece: Piece
    rank: int | None = None
    parts: tuple[Node, ...] = ()


@dataclass(frozen=True)
class State:
    """A word on its way. BPE: `pieces[at]` and `pieces[at + 1]` are merged next. WordPiece: what is left is `rest`. None and "" at the end."""

    pieces: tuple[Piece, ...]
    at: int | None = None
    rank: int | None = None
    product: Piece | None = None
    rest: str = ""


@dataclass(frozen=True)
class Word:
    """One stretch over whose ends no token reaches.

    `how` it is cut: "merged" (BPE), "whole" (a word that is a token, where the model ignores merges for it), "added" (an added or special token, cut
    out before all else), "lattice" (Unigram), "longest match" (WordPiece) or "looked up" (a vocabulary of words).
    """

    shown: str
    how: How
    ids: tuple[int, ...]
    states: tuple[State, ...] = ()
    nodes: tuple[Node, ...] = ()  # BPE: how each final token was made
    lattice: Lattice | None = None


AsPiece = Callable[[int], Piece]
Shown = Callable[[str], str]


class Engine(Protocol):
    """Made from the model's part of tokenizer.json and two ways to show: an id, and text in the model's alphabet."""

    def __init__(self, model: dict[str, Any], piece: AsPiece, shown: Shown) -> None: ...

    def follow(self, written: str) -> Word:
        """One stretch of text in the model's alphabet, through the model alone."""


class Merges:
    """BPE: of all neighbouring pairs, the one whose merge ranks first is merged, the leftmost first, until none is left."""

    def __init__(self, model: dict[str, Any], piece: AsPiece, shown: Shown) -> None:
        self.vocab: dict[str, int] = model["vocab"]
        self.piece, self.shown = piece, shown
        self.unknown = self.vocab.get(model.get("unk_token") or "")
        self.fuse, self.fallback, self.whole = (bool(model.get(key)) for key in ("fuse_unk", "byte_fallback", "ignore_merges"))
        self.prefix, self.suffix = model.get("continuing_subword_prefix") or "", model.get("end_of_word_suffix") or ""
        pairs = (m.split(" ") if isinstance(m, str) else m for m in model["merges"])
        self.merges = {(self.vocab[a], self.vocab[b]): (rank, self.vocab[a + b[len(self.prefix) :]]) for rank, (a, b) in enumerate(pairs)}

    def follow(self, written: str) -> Word:
        if self.whole and written in self.vocab:
            i = self.vocab[written]
            return Word(self.shown(written), "whole", (i,), nodes=(Node(self.piece(i)),))
        states: list[State] = []
        nodes = self.merged(written, states)
        return Word(self.shown(written), "merged", tuple(node.piece.id for node in nodes), tuple(states), tuple(nodes))

    def merged(self, written: str, states: list[State] | None = None) -> list[Node]:
        """What the merges alone make of it, whatever `ignore_merges` says; the first STATES states on the way, and the last, go to `states`."""
        ids = self.units(written)
        nodes = [Node(self.piece(i)) for i in ids]
        never = len(self.merges)
        ranks = [self._rank(pair, never) for pair in pairwise(ids)]  # min and index of a list are quick enough for the longest word
        while ranks and (rank := min(ranks)) < never:
            at = ranks.index(rank)
            product = self.merges[ids[at], ids[at + 1]][1]
            made = self.piece(product)
            if states is not None and len(states) < STATES:
                states.append(State(tuple(node.piece for node in nodes), at, rank, made))
            ids[at : at + 2] = [product]
            nodes[at : at + 2] = [Node(made, rank, tuple(nodes[at : at + 2]))]
            del ranks[at]
            for place in range(max(at - 1, 0), min(at + 1, len(ranks))):
                ranks[place] = self._rank((ids[place], ids[place + 1]), never)
        if states is not None:
            states.append(State(tuple(node.piece for node in nodes)))
        return nodes

    def products(self, i: int) -> list[int]:
        """The tokens that a merge makes with this one as a part, in the order of their ids."""
        return sorted({product for pair, (_, product) in self.merges.items() if i in pair})

    def units(self, written: str) -> list[int]:
        """What merging starts from: characters, byte pieces for those the vocabulary lacks, or the unknown token."""
        ids: list[int] = []
        waiting = 0  # unknown characters; the library puts byte pieces that follow them in front of them, and so does this
        for n, character in enumerate(written):
            unit = (self.prefix if n else "") + character + (self.suffix if n == len(written) - 1 else "")
            if unit in self.vocab:
                ids += [self.unknown] * waiting + [self.vocab[unit]]
                waiting = 0
                continue
            spelt = [self.vocab.get(byte_piece(byte)) for byte in unit.encode()] if self.fallback else [None]
            if None not in spelt:
                ids += spelt
            elif self.unknown is not None:
                if waiting and not self.fuse:
                    ids.append(self.unknown)
                waiting = 1
        return ids + [self.unknown] * waiting

    def _rank(self, pair: tuple[int, int], never: int) -> int:
        return self.merges.get(pair, (never, -1))[0]


class Scores:
    """Unigram: of all ways to cut the word into pieces, the one with the highest sum of log-probabilities."""

    def __init__(self, model: dict[str, Any], piece: AsPiece, shown: Shown) -> None:
        self.scores = [score for _, score in model["vocab"]]
        self.vocab = {token: i for i, (token, _) in enumerate(model["vocab"])}
        self.unknown: int | None = model.get("unk_id")
        self.fallback = bool(model.get("byte_fallback"))
        self.piece, self.shown = piece, shown
        self.longest = max(map(len, self.vocab), default=0)

    def follow(self, written: str) -> Word:
        found = follow_lattice(written, self.vocab, self.scores, self.unknown, self.fallback, self.longest, self.shown)
        return Word(self.shown(written), "lattice", found.ids, lattice=found)


class Longest:
    """WordPiece: the longest token that the rest of the word begins with, again and again; a word that cannot be finished is unknown."""

    def __init__(self, model: dict[str, Any], piece: AsPiece, shown: Shown) -> None:
        self.vocab: dict[str, int] = model["vocab"]
        self.unknown = self.vocab[model["unk_token"]]
        self.prefix, self.limit = model["continuing_subword_prefix"], model["max_input_chars_per_word"]
        self.piece, self.shown = piece, shown

    def follow(self, written: str) -> Word:
        ids: list[int] = []
        states = [State((), rest=self.shown(written))]
        at = 0
        while at < len(written):
            pieces = ((end, (self.prefix if at else "") + written[at:end]) for end in range(len(written), at, -1))
            end, found = next(((end, self.vocab[piece]) for end, piece in pieces if piece in self.vocab), (0, None))
            if found is None or len(written) > self.limit:
                states.append(State((self.piece(self.unknown),)))
                return Word(self.shown(written), "longest match", (self.unknown,), tuple(states))
            ids.append(found)
            at = end
            states.append(State(tuple(map(self.piece, ids)), rest=self.shown(written[at:])))
        return Word(self.shown(written), "longest match", tuple(ids), tuple(states))


class Words:
    """WordLevel: a word is a token or unknown."""

    def __init__(self, model: dict[str, Any], piece: AsPiece, shown: Shown) -> None:
        self.vocab: dict[str, int] = model["vocab"]
        self.unknown = self.vocab.get(model.get("unk_token") or "")
        self.shown = shown

    def follow(self, written: str) -> Word:
        i = self.vocab.get(written, self.unknown)
        return Word(self.shown(written), "looked up", () if i is None else (i,))


ENGINES: dict[str, type[Engine]] = {"BPE": Merges, "Unigram": Scores, "WordPiece": Longest, "WordLevel": Words}
