"""A text, counted while it is read, in bounded memory: words and bytes of its documents, how often each word and character occurs."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from ..corpus.scripts import script_shares, spaceless

if TYPE_CHECKING:
    import pyarrow as pa

WORD_TYPES = 1_000_000  # distinct words kept
PENDING = 200_000  # distinct chunks between spaces whose words are counted together
# UAX 29 has a boundary at every white space but the narrow no-break space, which French puts between digits. No text has the other one.
_NARROW, _NO_SPACE = "\u202f", "\ufdd0"


@dataclass(frozen=True)
class Sample:
    """Distinct words with the counts they stand for (their own, scaled up where they were drawn), and about how many distinct words there are in all."""

    names: list[str]
    counts: np.ndarray  # how often each occurs, int64
    weights: np.ndarray  # how many distinct words each stands for, 1 where nothing was left out
    distinct: int
    frequent: int  # words kept because they are frequent; 0 where nothing was left out
    rate: float  # of the rest, the share kept


class Types:
    """How often each distinct word occurs. Where there are too many: the frequent ones, and of the rest those whose keyed hash is below a bound that
    halves whenever they are too many again. Which words are kept depends on the text and the seed only."""

    def __init__(self, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.frequent: frozenset[str] = frozenset()
        self.rate, self._key = 1.0, seed.to_bytes(8, "little")

    def add(self, counts: dict[str, int]) -> None:
        if self.rate < 1:
            counts = {word: n for word, n in counts.items() if word in self.counts or self._point(word) < self.rate}
        self.counts.update(counts)
        while len(self.counts) > WORD_TYPES:
            self._halve()

    def sample(self) -> Sample:
        names = list(self.counts)
        counts = np.fromiter(self.counts.values(), np.int64, len(names))
        weights = np.ones(len(names))
        if self.rate < 1:
            weights[[word not in self.frequent for word in names]] = 1 / self.rate
        return Sample(names, counts, weights, round(weights.sum()), len(self.frequent), self.rate)

    def _halve(self) -> None:
        if self.rate == 1:  # a few words make up most of a text: left to chance, they would make every mean over words a lottery
            bound = np.sort(np.fromiter(self.counts.values(), np.int64, len(self.counts)))[-(WORD_TYPES // 4)]
            self.frequent = frozenset(word for word, n in self.counts.items() if n > bound)
        self.rate /= 2
        self.counts = Counter({word: n for word, n in self.counts.items() if word in self.frequent or self._point(word) < self.rate})

    def _point(self, word: str) -> float:
        return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8, key=self._key).digest(), "little") / 2**64


class _Places(dict[str, int]):
    """Chunk → its place, in the order of first occurrence."""

    def __missing__(self, chunk: str) -> int:
        place = self[chunk] = len(self)
        return place


class Counts:
    """What is known of a text. `find` gives the words of a piece of text."""

    def __init__(self, find: Callable[[str], list[str]], seed: int) -> None:
        self.find, self.types = find, Types(seed)
        self.documents = self.words = self.whitespace_words = self.bytes = 0
        self._characters = np.zeros(0x110000, dtype=np.int64)
        self._start()

    def add(self, texts: list[str], full: bool = True) -> np.ndarray:
        """Count documents in. Returns (3, documents): words (0 unless `full`), whitespace words and UTF-8 bytes of each."""
        split = _split(texts)
        spaced = _per_text(split, _not_empty(split))
        words = self._in_words(texts, split) if full else np.zeros(len(texts), dtype=np.int64)
        found = np.array([words, spaced, [len(text.encode()) for text in texts]], dtype=np.int64)
        self.documents += len(texts)
        totals = found.sum(axis=1).tolist()
        self.words, self.whitespace_words, self.bytes = self.words + totals[0], self.whitespace_words + totals[1], self.bytes + totals[2]
        codes = np.bincount(np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32))
        self._characters[: len(codes)] += codes
        return found

    def sample(self) -> Sample:
        self._flush()
        return self.types.sample()

    @property
    def characters(self) -> int:
        return int(self._characters.sum())

    @property
    def spaceless(self) -> bool:
        """Whether most letters are of scripts without spaces between words."""
        codes = np.flatnonzero(self._characters)
        return spaceless(script_shares(Counter({chr(code): int(self._characters[code]) for code in codes})))

    def _in_words(self, texts: list[str], split: pa.ListArray) -> np.ndarray:
        """Words of each document. A chunk between spaces is cut into words once, not at every occurrence."""
        if narrow := any(_NARROW in text for text in texts):
            split = _split([text.replace(_NARROW, _NO_SPACE) for text in texts])
        coded = split.flatten().dictionary_encode()
        names, places = coded.dictionary.to_pylist(), coded.indices.to_numpy()
        if narrow:
            names = [name.replace(_NO_SPACE, _NARROW) for name in names]
        known = np.fromiter(map(self._places.__getitem__, names), np.int64, len(names))
        new = []
        for chunk in islice(self._places, len(self._sizes), None):
            found = self.find(chunk)
            self._cut += found
            new.append(len(found))
        self._sizes = np.concatenate([self._sizes, np.array(new, dtype=np.int64)])
        self._occurrences = np.concatenate([self._occurrences, np.zeros(len(new), dtype=np.int64)])
        self._occurrences[known] += np.bincount(places, minlength=len(names))
        words = _per_text(split, self._sizes[known][places])
        if len(self._places) > PENDING:
            self._flush()
        return words

    def _start(self) -> None:
        self._places, self._cut = _Places(), []  # the words of all chunks, one after the other: a list each would keep the garbage collector busy
        self._sizes, self._occurrences = np.zeros(0, np.int64), np.zeros(0, np.int64)

    def _flush(self) -> None:
        found: Counter[str] = Counter()
        for word, count in zip(self._cut, np.repeat(self._occurrences, self._sizes).tolist(), strict=True):
            found[word] += count
        self._start()
        self.types.add(found)


def _split(texts: list[str]) -> pa.ListArray:
    """What stands between the white space of each text; "" before a space at its front and after one at its end. Arrow cuts, and counts equal chunks, in
    compiled code that lets other threads run: three times faster than `str.split` and a dictionary."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.utf8_split_whitespace(pa.array(texts, pa.string()))


def _not_empty(split: pa.ListArray) -> np.ndarray:
    import pyarrow.compute as pc

    return pc.greater(pc.binary_length(split.flatten()), 0).to_numpy(zero_copy_only=False)


def _per_text(split: pa.ListArray, values: np.ndarray) -> np.ndarray:
    """The sum over the chunks of each text."""
    return np.diff(np.concatenate([[0], np.cumsum(values)])[split.offsets.to_numpy()])


def batches(documents: Iterable[str], characters: int = 400_000, most: int = 4_096) -> Iterator[list[str]]:
    """Documents in lists of about so many characters: enough to keep all cores busy, few enough to stay small."""
    batch: list[str] = []
    size = 0
    for text in documents:
        batch.append(text)
        size += len(text)
        if size >= characters or len(batch) >= most:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
