"""A space: one table of a model, of a pretrained encoder, or of a file of word vectors, opened where it lies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .. import refs
from ..checkpoint import Checkpoint
from ..errors import WorkbenchError
from ..overlap import groups
from ..transfer import wordvectors
from ..transfer.donors import Donor
from ..vocab import Identity, Vocabulary
from . import wordlists
from .wordlists import WordList

if TYPE_CHECKING:
    import torch

Table = Literal["input", "output"]
BLOCK = 64  # rows turned into fp32 at a time: with width 4096 they stay in the processor's cache, which took two thirds of the time of 512 rows


@dataclass(frozen=True, eq=False)
class Space:
    """Tokens and their vectors.

    Attributes:
        reference: what it was opened by.
        table: which table of the model; "input" for an encoder and for word vectors.
        rows: (V, d) memory-mapped, in the dtype of the file; may be padded behind the last token.
        tokens: the vocabulary, or the words.
    """

    reference: str
    table: Table
    rows: torch.Tensor
    tokens: Vocabulary | WordList

    @property
    def name(self) -> str:
        short = refs.short_names([refs.label(self.reference)])
        return next(iter(short.values())) + (" (output)" if self.table == "output" else "")

    @property
    def width(self) -> int:
        return int(self.rows.shape[1])

    @property
    def size(self) -> int:
        """Rows that tokens have; padding is left out."""
        return min(self.tokens.size, len(self.rows))

    def vectors(self, ids: Sequence[int] | np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """(n, d) fp32, a copy; or into `out`, of that shape."""
        import torch

        ids = np.array(ids, dtype=np.int64)
        out = np.empty((len(ids), self.width), dtype=np.float32) if out is None else out
        side_by_side = len(ids) > 0 and bool((np.diff(ids) == 1).all())  # a slice is read and made fp32 in one go, with no copy between
        torch.from_numpy(out).copy_(self.rows[ids[0] : ids[0] + len(ids)] if side_by_side else self.rows[torch.from_numpy(ids)])
        return out

    def blocks(self, size: int = BLOCK) -> Iterator[tuple[int, torch.Tensor]]:
        """(first id, (b, d) fp32) over all tokens."""
        for start in range(0, self.size, size):
            yield start, self.rows[start : min(start + size, self.size)].float()

    @cached_property
    def norms(self) -> np.ndarray:
        """(V,) fp32 lengths of all rows of tokens; NaN where a row is not finite. One pass over the table, kept."""
        import torch

        found = torch.empty(self.size)
        for start, block in self.blocks():
            torch.linalg.vector_norm(block, dim=1, out=found[start : start + len(block)])
        return _lengths(found)

    def products(self, vector: torch.Tensor) -> torch.Tensor:
        """(V,) fp32 inner products of all rows with a vector (d,). Where the lengths are not known yet, they are taken in the same pass."""
        import torch

        found = torch.empty(self.size)
        norms = None if "norms" in self.__dict__ else torch.empty(self.size)
        for start, block in self.blocks():
            torch.mv(block, vector, out=found[start : start + len(block)])
            if norms is not None:
                torch.linalg.vector_norm(block, dim=1, out=norms[start : start + len(block)])
        if norms is not None:
            self.__dict__["norms"] = _lengths(norms)
        return found

    @cached_property
    def usable(self) -> np.ndarray:
        """(V,) whether a row has a direction: finite and not zero."""
        return np.nan_to_num(self.norms) > 0

    def pieces(self, word: str) -> list[int]:
        """The tokens that a word is cut into where it starts a word; [] where something of it is unknown. Words of a phrase follow one another."""
        found: list[int] = []
        for part in word.split():
            ids = self.tokens.pieces(Identity("text", True, part.encode("utf-8", "surrogatepass")))
            if not ids or self.tokens.roles.get("unk") in ids or max(ids) >= self.size:
                return []
            found += ids
        return found

    def words(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """(n, d) fp32, each word the mean of its tokens' rows; (n,) the number of tokens it is cut into, 0 where it is unknown."""
        cut = [self.pieces(word) for word in words]
        vectors = np.zeros((len(cut), self.width), dtype=np.float32)
        for n, ids in enumerate(cut):
            if ids:
                vectors[n] = self.vectors(ids).mean(axis=0)
        return vectors, np.array([len(ids) for ids in cut], dtype=np.int64)

    @cached_property
    def scripts(self) -> np.ndarray:
        """(V,) of each token the script of its first letter, or digits, punctuation, spaces, bytes, special, unused."""
        return np.array(groups(self.tokens, range(self.size)), dtype=object)

    def find(self, token: str | int) -> int:
        """The id of a token, given as text, as an id, or as #id. Raises WorkbenchError that lists close ones, or where it has no row."""
        number = isinstance(token, str) and token[:1] == "#" and token[1:].isdecimal()
        found = self.tokens.find(int(token[1:]) if number else token)
        if found >= self.size:
            raise WorkbenchError(f"Token {found} of {self.name} has no row in the table; ask for an id below {self.size}.")
        return found


def _lengths(norms: torch.Tensor) -> np.ndarray:
    found = norms.numpy()
    return np.where(np.isfinite(found), found, np.nan)


def open(reference: Any, table: Table = "input") -> Space:
    """Open the input or output table of a model, the word embeddings of an encoder, or word vectors, by reference; a `Space` is returned as it is.

    Nothing is loaded: rows are read from the file as they are used. Raises WorkbenchError where there is no such table.
    """
    if isinstance(reference, Space):
        return reference
    text = str(getattr(reference, "id", None) or reference)
    if wordvectors.is_file(text):
        rows, words = wordlists.read(text)
        return Space(text, "input", rows, WordList(words))
    place = refs.locate(text)
    try:
        opened = Checkpoint.open(place)
    except WorkbenchError as no_decoder:
        return _encoder(text, table, place, no_decoder)
    tokens = Vocabulary(place)
    opened.check_fits(tokens.size)
    return Space(text, table, opened.input() if table == "input" else opened.output(), tokens)


def _encoder(reference: str, table: Table, place: Path, no_decoder: WorkbenchError) -> Space:
    """A model of another kind, such as BERT, has word embeddings only."""
    try:
        donor = Donor.open(place)
    except WorkbenchError:
        raise no_decoder from None
    if table == "output":
        raise WorkbenchError(f"{reference} is no decoder, so it has no output table; ask for its input table.")
    return Space(reference, "input", donor.table, donor.vocabulary)


def of(vectors: Any, words: Sequence[str], name: str = "vectors") -> Space:
    """A space of (n, d) vectors that are in memory, with their n words. Raises WorkbenchError where the numbers do not match."""
    import torch

    rows = torch.as_tensor(np.asarray(vectors))
    if rows.ndim != 2 or len(rows) != len(words):
        raise WorkbenchError(f"There are {len(words)} words but vectors of shape {tuple(rows.shape)}; give one vector for each word.")
    return Space(name, "input", rows, WordList(list(words)))
