"""Word vectors as a table: the words of a .vec or .bin file as tokens, their vectors converted once and memory-mapped from then on."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import contents, refs, store
from ..errors import WorkbenchError, nearest
from ..tokenizer.alphabet import show
from ..transfer import wordvectors
from ..vocab import NAMELESS, Identity

if TYPE_CHECKING:
    import torch


class WordList:
    """Words with the face of a `vocab.Vocabulary`: each is a token that starts a word. There are no special tokens and no byte pieces."""

    def __init__(self, words: Sequence[str]) -> None:
        self.tokens = dict(enumerate(words))
        self.size = len(words)
        self.roles: dict[str, int] = {}
        self.bytes: dict[int, int] = {}

    def __len__(self) -> int:
        return self.size

    @cached_property
    def _identities(self) -> dict[int, Identity]:
        return {i: Identity("text", True, word.encode("utf-8", "surrogatepass")) for i, word in self.tokens.items()}

    def identities(self) -> dict[int, Identity]:
        return self._identities

    def identity(self, token_id: int) -> Identity:
        return self._identities.get(token_id, NAMELESS)

    @cached_property
    def ids(self) -> dict[Identity, int]:
        """Identity → its lowest id."""
        return {identity: i for i, identity in reversed(self._identities.items())}

    def printable(self, token_id: int) -> str:
        return show(self.identity(token_id).bytes)

    def find(self, token: str | int) -> int:
        """The id of a word. Raises WorkbenchError that lists close ones."""
        if isinstance(token, int):
            if token in self.tokens:
                return token
            raise WorkbenchError(f"There is no word {token}; give a number from 0 to {self.size - 1}.")
        found = self.ids.get(Identity("text", True, token.strip().encode()))
        if found is None:
            close = [word for word in self.tokens.values() if word[:2] == token.strip()[:2]]
            raise WorkbenchError(f"No word is {token!r}.{nearest(token.strip(), close) if close else ''}")
        return found

    def pieces(self, token: Identity) -> list[int]:
        """The word itself, or nothing: words are not put together from others."""
        return [self.ids[token]] if token in self.ids else []


def read(reference: str) -> tuple[torch.Tensor, list[str]]:
    """(n, d) fp32, memory-mapped, and the n words of a .vec, .vec.gz or .bin file, which is converted on its first use.

    Raises WorkbenchError where the file is missing, damaged, or holds something that is no number.
    """
    import torch

    path = refs.path(reference)
    if not path.is_file():
        raise WorkbenchError(f"There is no file {reference}; give a fastText .vec or .bin file.")
    about = path.stat()
    key = contents.digest(["words", str(path.resolve()), about.st_size, about.st_mtime_ns])[:24]
    table, words = (cache() / f"words-{key}{suffix}" for suffix in (".npy", ".txt"))
    if not (table.is_file() and words.is_file()):
        _convert(reference, table, words)
    rows = np.load(table, mmap_mode="c")  # private: what torch may write to is never the file
    return torch.from_numpy(rows), words.read_bytes().decode("utf-8", "surrogatepass").split("\n")


def cache() -> Path:
    """Where what was computed once is kept; safe to delete."""
    place = store.home() / "cache" / "spaces"
    place.mkdir(parents=True, exist_ok=True)
    return place


def _convert(reference: str, table: Path, words: Path) -> None:
    opened = wordvectors.open_file(reference)
    if isinstance(opened, wordvectors.Plain):
        count, width = opened.shape
        pairs: Iterator[tuple[str, np.ndarray]] = opened.all()
    else:
        vectors = opened.vectors
        count, width = len(vectors.index_to_key), vectors.vector_size
        pairs = zip(vectors.index_to_key, vectors.vectors, strict=True)
    if not count or not width:
        raise WorkbenchError(f"{reference} holds no word vectors; download it again.")
    unfinished = table.with_name(f".{table.name}.{secrets.token_hex(4)}")
    names = unfinished.with_name(unfinished.name + ".txt")
    try:
        rows = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.float32, shape=(count, width))
        with names.open("w", encoding="utf-8", errors="surrogatepass", newline="\n") as listed:
            for n, (word, numbers) in enumerate(pairs):
                if n == count:
                    raise WorkbenchError(f"{reference} has more words than its first line says; download it again.")
                rows[n] = numbers
                listed.write(("\n" if n else "") + word.replace("\n", " "))
        rows.flush()
        names.replace(words)
        unfinished.replace(table)
    finally:
        unfinished.unlink(missing_ok=True)
        names.unlink(missing_ok=True)
