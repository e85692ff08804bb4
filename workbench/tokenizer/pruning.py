"""Leaf pruning: give up the least useful token that no other token is made of, again and again."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping

from ..progress import Progress
from .alphabet import BYTES, MARK, Spelling, byte_piece, from_letters
from .base import Base
from .compacting import named_ids
from .reducing import Pair, firing, merge
from .reporting import dead

ASCII = frozenset(map(chr, range(0x21, 0x7F)))
SPELLED = -1  # stands for a character in byte pieces, which stay whatever their counts


class Pruner:
    """Drops tokens of a BPE base one by one.

    Only leaves go: tokens that are part of no surviving merge. A leaf, once merged, is never merged further; so a text in whose encoding none of
    the dropped tokens occurs never had one on the way either, and keeps its encoding. Surviving tokens keep that of their own string.

    The leaf that goes next has the lowest score (where scores are given: tokens without one come first), then the lowest
    count in the words as the remaining vocabulary encodes them, then the highest id. A token that nothing can reach goes before others of its
    count. As the counts are always those of the remaining vocabulary, dropping n and then m tokens is dropping n + m.

    Args:
        base: the vocabulary to prune; not changed.
        words: word in the model's alphabet → how often it occurs.
        stays: ids that may never go.
    """

    def __init__(self, base: Base, words: Mapping[str, int], stays: frozenset[int]) -> None:
        self.base = base
        self.vocab: dict[str, int] = base.spec["model"]["vocab"]
        self.text = {i: token for token, i in self.vocab.items()}
        self.pairs = firing(base)  # of the tokens that are left; in the order of the merges
        self.firing = len(self.pairs)
        self.ranks = {pair: (rank, product) for rank, (product, pair) in enumerate(self.pairs.items())}
        self.letters = {token: i for token, i in self.vocab.items() if len(token) == 1}
        self.uses = Counter(part for pair in self.pairs.values() for part in pair)
        self.stays = self._with_parts(stays)
        self.unreachable = unreachable(base)
        self.words, self.weights = list(words), list(words.values())
        self.encoded = [[self.vocab[word]] if base.ignore_merges and word in self.vocab else base.cut(word) for word in self.words]
        self.counts: Counter[int] = Counter()
        self.where: dict[int, set[int]] = {}
        for at in range(len(self.words)):
            self._count(at, +1)
        self.dropped: list[int] = []
        self.gone: set[int] = set()

    def occurrences(self) -> Counter[int]:
        """How often each token that is left occurs in the words, as a token or inside one that was made of it."""
        found = Counter(self.counts)
        for i in sorted(self.pairs, key=lambda i: -len(self.text[i])):
            for part in self.pairs[i]:
                found[part] += found[i]
        return found

    def prune(self, many: int, progress: Progress, scores: Mapping[int, float] | None = None) -> list[int]:
        """Drop `many` tokens more, at most all but `stays`; their ids, first to last. `scores`: id → score; None to go by the counts alone."""
        start = len(self.dropped)
        self.scores = scores
        self.heap = [(self._key(i), i) for i in self.text if self._is_leaf(i)]
        heapq.heapify(self.heap)
        for _ in progress.track(range(many), many, "pruning leaves"):
            self._drop(self._worst())
        return self.dropped[start:]

    def merges(self) -> list[Pair]:
        """What is left of the merges, first to last."""
        return list(self.pairs.values())

    def _with_parts(self, ids: frozenset[int]) -> frozenset[int]:
        """What stays, and all it is made of."""
        found, queue = set(ids), list(ids)
        while queue:
            more = set(self.pairs.get(queue.pop(), ())) - found
            found |= more
            queue += more
        return frozenset(found)

    def _is_leaf(self, i: int) -> bool:
        return not self.uses[i] and i not in self.stays and i not in self.gone

    def _key(self, i: int) -> tuple[float, int, bool, int]:
        score = 0.0 if self.scores is None else self.scores.get(i, float("-inf"))
        return score, self.counts[i], i not in self.unreachable, -i

    def _worst(self) -> int:
        while True:
            key, i = heapq.heappop(self.heap)
            if i not in self.gone and key == self._key(i):  # else its count has changed since, and it is there again with the new one
                return i

    def _drop(self, i: int) -> None:
        self.dropped.append(i)
        self.gone.add(i)
        pair = self.pairs.pop(i, None)
        if pair:
            del self.ranks[pair]
            self.uses.subtract(pair)
        self.letters.pop(self.text[i], None)
        changed = set(pair or ())
        for at in sorted(self.where.get(i, ())):
            changed.update(self.encoded[at])
            self._count(at, -1)
            self.encoded[at] = merge([self.letters.get(letter, SPELLED) for letter in self.words[at]], self.ranks)[0]
            self._count(at, +1)
            changed.update(self.encoded[at])
        for other in changed - {SPELLED}:
            if self._is_leaf(other):
                heapq.heappush(self.heap, (self._key(other), other))

    def _count(self, at: int, sign: int) -> None:
        """Count, or take back, the tokens of word `at`."""
        for i in self.encoded[at]:
            if i != SPELLED:
                self.counts[i] += sign * self.weights[at]
                places = self.where.setdefault(i, set())
                places.add(at) if sign > 0 else places.discard(at)


def must_stay(base: Base, roles: frozenset[int]) -> frozenset[int]:
    """Ids that pruning may not touch: bytes, special and added tokens, those with a role, what the post-processor puts in, and the padding.

    Of a SentencePiece base also ▁ (its byte pieces would not be decoded to a space) and the printable ASCII characters, which a byte-level base
    keeps as bytes; without all 256 byte pieces every single character, as it would become unknown.
    """
    vocab: dict[str, int] = base.spec["model"]["vocab"]
    spelling = Spelling.of(base.backend, roles)
    found = set(roles) | spelling.specials | spelling.added | named_ids(base)
    if base.kind == "byte-level":
        found |= {vocab[letter] for letter in BYTES if letter in vocab}
    else:
        pieces = [vocab.get(byte_piece(byte)) for byte in range(256)]
        found |= {i for i in pieces if i is not None}
        spelled = base.spec["model"].get("byte_fallback") and None not in pieces
        found |= {i for token, i in vocab.items() if len(token) == 1 and (not spelled or token == MARK or token in ASCII)}
    return frozenset(found)


def unreachable(base: Base) -> frozenset[int]:
    """Text tokens that no text can give: their merges do not make them and, where whole words are looked up first, they are no word."""
    text = {i: token for token, i in base.spec["model"]["vocab"].items()}
    return frozenset(i for i in dead(base.backend) if not (base.ignore_merges and _is_word(base, text[i])))


def _is_word(base: Base, token: str) -> bool:
    raw = from_letters(token) if base.kind == "byte-level" else token.replace(MARK, " ").encode()
    try:
        return raw is not None and base.words(raw.decode()) == [token]
    except UnicodeDecodeError:
        return False
