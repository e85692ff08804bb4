"""Word vectors: read from a fastText file, or learned from a text with gensim's fastText; words that were never seen are put together from their n-grams."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from .. import refs
from ..errors import WorkbenchError

DIMENSIONS, EPOCHS, MIN_COUNT = 100, 5, 3
FILES = (".vec", ".vec.gz", ".bin")
BUCKETS = 200_000  # for n-grams; the usual two million would take 800 MB, for ten times the words that a vocabulary has


class Words(Protocol):
    """Anything that knows vectors of words."""

    how: str

    def look_up(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """(n, d) fp32 and (n,) whether there is one; a missing one is zero."""
        ...


def is_file(reference: str) -> bool:
    return reference.endswith(FILES)


def changed(reference: str) -> int:
    """When a file was last written; 0 for what is none. What is kept in memory goes by it."""
    try:
        return Path(reference).stat().st_mtime_ns
    except OSError:
        return 0


def open_file(reference: str) -> Words:
    """Word vectors of a .vec (text, may be gzipped) or fastText .bin file. Raises WorkbenchError where it is missing or no such file."""
    path = refs.path(reference)
    if not path.is_file():
        raise WorkbenchError(f"There is no file {reference}; give a fastText .vec or .bin file, or a text to learn word vectors from.")
    return _binary(str(path), path.stat().st_mtime_ns) if path.suffix == ".bin" else Plain(path)


@dataclass(frozen=True)
class Plain:
    """A .vec file: a header (words, dimensions), then a word and its numbers on each line. Only what is asked for is kept: such files hold gigabytes."""

    path: Path

    @property
    def how(self) -> str:
        return f"word vectors of {self.path.name}"

    def look_up(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """A word that is not in the file may be there in small letters."""
        wanted = {word: None for word in (*words, *map(str.lower, words)) if word}
        found: dict[str, np.ndarray] = {}
        for word, numbers in self._lines():
            if word in wanted and word not in found:
                found[word] = numbers()
        size = len(next(iter(found.values()))) if found else 1
        rows = np.zeros((len(words), size), dtype=np.float32)
        for row, word in enumerate(words):
            vector = found.get(word, found.get(word.lower())) if word else None
            if vector is not None:
                rows[row] = vector
        return rows, rows.any(axis=1)

    @property
    def shape(self) -> tuple[int, int]:
        """(words, dimensions), as the first line states them."""
        with reading(self.path) as file:
            return self._header(file)

    def all(self) -> Iterator[tuple[str, np.ndarray]]:
        """Every word with its vector, one after the other."""
        return ((word, numbers()) for word, numbers in self._lines())

    def _header(self, file: BinaryIO) -> tuple[int, int]:
        header = file.readline().split()
        if len(header) != 2 or not all(part.isdigit() for part in header):
            raise WorkbenchError(f"{self.path} does not begin with the number of words and of dimensions; give a .vec file in the form of word2vec.")
        return int(header[0]), int(header[1])

    def _lines(self) -> Iterator[tuple[str, Any]]:
        with reading(self.path) as file:
            count, size = self._header(file)
            found = 0
            for number, line in enumerate(file, 2):
                parts = line.rstrip().rsplit(b" ", size)
                if len(parts) == size + 1:
                    found += 1
                    yield parts[0].decode("utf-8", "replace"), lambda parts=parts, number=number: self._numbers(parts[1:], number)
                elif line.strip():
                    raise WorkbenchError(f"Line {number} of {self.path} has not {size} numbers; download the file again.")
            if found < count:
                raise WorkbenchError(f"{self.path} ends after {found:,} of {count:,} words; download it again.")

    def _numbers(self, parts: list[bytes], number: int) -> np.ndarray:
        try:
            found = np.array(parts, dtype=np.float32)
        except ValueError:
            found = np.array([np.nan])
        if not np.isfinite(found).all():
            raise WorkbenchError(f"Line {number} of {self.path} holds something that is no number; download the file again.")
        return found


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked where it is gzipped. Raises WorkbenchError where it is damaged."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            yield file
    except (OSError, EOFError, zlib.error) as error:
        raise WorkbenchError(f"{path} cannot be read to its end ({error}); download it again.") from None


class NGrams:
    """fastText's vectors of words and their n-grams. A word that was never seen is the mean of those of its n-grams that were."""

    def __init__(self, vectors: Any, how: str) -> None:
        self.vectors, self.how = vectors, how
        self.seen = np.zeros(vectors.bucket, dtype=bool)
        if vectors.bucket:
            self.seen[np.unique(np.concatenate([np.zeros(0, np.int64), *vectors.buckets_word]).astype(np.int64))] = True

    def look_up(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        rows = np.zeros((len(words), self.vectors.vector_size), dtype=np.float32)
        for row, word in enumerate(words):
            vector = self._vector(word) if word else None
            if vector is not None:
                rows[row] = vector
        return rows, rows.any(axis=1)

    def _vector(self, word: str) -> np.ndarray | None:
        from gensim.models.fasttext import ft_ngram_hashes

        if word in self.vectors.key_to_index:
            return self.vectors.vectors[self.vectors.key_to_index[word]]
        grams = [h for h in ft_ngram_hashes(word, self.vectors.min_n, self.vectors.max_n, self.vectors.bucket) if self.seen[h]] if self.vectors.bucket else []
        return self.vectors.vectors_ngrams[grams].mean(axis=0) if grams else None


@lru_cache(maxsize=1)
def _binary(path: str, _changed: int) -> NGrams:
    from gensim.models.fasttext import load_facebook_vectors

    try:
        return NGrams(load_facebook_vectors(path), f"fastText vectors of {Path(path).name}")
    except (EOFError, ValueError, NotImplementedError, OSError, AssertionError, struct.error) as error:
        raise WorkbenchError(f"{path} is no whole fastText .bin file ({error}); download it again, or give the .vec file.") from None


def learn(sentences: Iterable[list[str]], seed: int = 0, how: str = "word vectors learned from the text", dimensions: int = DIMENSIONS) -> NGrams:
    """fastText (skip-gram, n-grams of 3 to 6 letters) on sentences of words; on one thread, so that the same text gives the same vectors.

    Raises WorkbenchError if hardly a word occurs often enough.
    """
    from gensim.models import FastText

    kept = list(sentences)
    try:
        model = FastText(
            kept, vector_size=dimensions, sg=1, min_count=MIN_COUNT, epochs=EPOCHS, workers=1, seed=seed % 2**32, bucket=BUCKETS, min_n=3, max_n=6, sample=1e-4
        )
    except RuntimeError:
        raise WorkbenchError(f"No word occurs {MIN_COUNT} times in this text, so no word vectors can be learned from it; give a longer one.") from None
    return NGrams(model.wv, how)
