"""Where tokens are compared: in word vectors of a file, in vectors learned from a text, or in the donor's own table."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from ..corpus.scripts import words
from ..errors import WorkbenchError
from ..specs import ModelRef, TextRef
from . import wordvectors
from .base import DRAW, MIX, Blend, Draw, Method, Task, no_mix, subtoken_mix
from .donors import Donor
from .similar import Support

if TYPE_CHECKING:
    import scipy.sparse

    from ..vocab import Identity, Vocabulary

DOCUMENTS = 20_000  # of a text, to learn vectors from
_learned: weakref.WeakKeyDictionary[Vocabulary, dict[tuple[str, int, int], wordvectors.NGrams]] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class Space:
    """(n, d) a vector for each token of a vocabulary, (n,) whether it has one, and where they are from; of a donor, (n,) whether it is the token's own."""

    vectors: np.ndarray
    has: np.ndarray
    how: str
    own: np.ndarray | None = None


def in_words(vocabulary: Vocabulary, size: int, words: wordvectors.Words) -> Space:
    """Vectors for `size` tokens by their text. Raises WorkbenchError if not one of them is known (another language)."""
    return _checked(words, [text_of(vocabulary.identity(i)) for i in range(size)])


def words_of(reference: str, seed: int) -> wordvectors.Words:
    """Vectors of words from a .vec or .bin file, or learned from a text."""
    return wordvectors.open_file(reference) if wordvectors.is_file(reference) else _of_text(reference, seed, wordvectors.changed(reference))


def bilingual_words(reference: str, seed: int) -> wordvectors.Words:
    """Vectors of words of two languages in one space: a file, or learned from parallel text by laying the two sides of a pair into each other."""
    return wordvectors.open_file(reference) if wordvectors.is_file(reference) else _of_pairs(reference, seed, wordvectors.changed(reference))


@lru_cache(maxsize=2)
def _of_text(reference: str, seed: int, _changed: int) -> wordvectors.NGrams:
    from ..corpus import open as open_text

    return wordvectors.learn((words(text) for text in islice(open_text(reference).train, DOCUMENTS)), seed, f"word vectors learned from {reference}")


@lru_cache(maxsize=1)
def _of_pairs(reference: str, seed: int, _changed: int) -> wordvectors.NGrams:
    from ..corpus import open_parallel

    def laid(source: list[str], target: list[str]) -> list[str]:
        places = [*((n + 0.5) / len(source) for n in range(len(source))), *((n + 0.5) / len(target) for n in range(len(target)))]
        return [word for _, word in sorted(zip(places, source + target, strict=True), key=lambda item: item[0])]

    pairs = islice(open_parallel(reference).train, DOCUMENTS)
    return wordvectors.learn((laid(words(a), words(b)) for a, b in pairs), seed, f"bilingual word vectors learned from {reference}")


def dictionary_pairs(reference: str) -> list[tuple[str, str]]:
    """(source word, target word) of a file with two columns; of demo:en-ru and the like, the demo world's own dictionary."""
    if reference.startswith("demo:en-"):
        from ..demo.world.dictionary import pairs

        language = reference.removeprefix("demo:en-")
        if language not in ("ru", "fa"):
            raise WorkbenchError(f"There is no dictionary '{reference}'; the demo has demo:en-ru and demo:en-fa.")
        return list(pairs(language))
    from ..corpus import open_parallel

    return list(open_parallel(reference, held_out=0.0).train)


def token_space(vocabulary: Vocabulary, size: int, reference: str, seed: int) -> Space:
    """Vectors for `size` tokens from a .vec or .bin file (by the token's text) or learned from a text cut into these very tokens.

    Raises WorkbenchError if the file or text cannot be read, or knows not one of the tokens (another language).
    """
    if wordvectors.is_file(reference):
        return in_words(vocabulary, size, wordvectors.open_file(reference))
    return _checked(_from_text(vocabulary, reference, seed), [_key(vocabulary.identity(i)) for i in range(size)])


def _checked(words: wordvectors.Words, keys: list[str]) -> Space:
    vectors, has = words.look_up(keys)
    if not has.any():
        raise WorkbenchError(f"The {words.how} know none of the tokens; give vectors of the vocabulary's language.")
    return Space(vectors, has, words.how)


def text_of(identity: Identity) -> str:
    """A token as a word of a file: its text without the mark of the word start; "" for what is no text."""
    if identity.kind != "text":
        return ""
    try:
        return identity.bytes.decode().strip()
    except UnicodeDecodeError:
        return ""


def _key(identity: Identity) -> str:
    """A token as a word of its own: one that starts a word is another than the same letters within one."""
    return "" if identity.kind != "text" else "▁" * identity.word_start + identity.bytes.decode("utf-8", "backslashreplace")


def _from_text(vocabulary: Vocabulary, reference: str, seed: int) -> wordvectors.NGrams:
    """Learned once for a vocabulary and a text: several methods ask for the same."""
    known, key = _learned.setdefault(vocabulary, {}), (reference, seed, wordvectors.changed(reference))
    if key not in known:
        from ..corpus import open as open_text

        def sentences() -> Iterator[list[str]]:
            for text in islice(open_text(reference).train, DOCUMENTS):
                yield [_key(vocabulary.identity(i)) for i in vocabulary.backend.encode(text, add_special_tokens=False).ids]

        known[key] = wordvectors.learn(sentences(), seed, f"vectors of tokens learned from {reference}")
    return known[key]


class Filling(Method):
    """The base of methods that may know nothing of a token."""

    fallback: Literal["random", "subtokens"] = Field(
        "random", description="For tokens that nothing is known of: drawn at random, or the mean of their pieces.", json_schema_extra={"advanced": True}
    )

    def finish(
        self, task: Task, start: dict[str, np.ndarray], filled: np.ndarray, mix: scipy.sparse.csr_array | None = None,
        output_mix: scipy.sparse.csr_array | None = None, report: dict[str, Any] | None = None, **parts: Any,
    ) -> Blend:  # fmt: skip
        """The blend, with the rows that were not `filled` drawn or made of their pieces, and their number reported."""
        open_rows, draw = np.setdiff1d(task.new, filled), None
        mix = no_mix(task) if mix is None else mix
        # The pieces of a hidden token would be the hidden token.
        if self.fallback == "subtokens" and not len(task.off_limits):
            pieces = subtoken_mix(task, rows=open_rows)
            mix, output_mix = mix + pieces, None if output_mix is None else output_mix + pieces
            start["kind"][open_rows] = MIX
        elif len(open_rows):
            start["kind"][open_rows] = DRAW
            draw = Draw("std", task.seed, {int(i): repr(task.target.identity(int(i))).encode() for i in open_rows})
        report = {"filled": len(np.intersect1d(task.new, filled)), "fallback": len(open_rows)} | (report or {})
        if 2 * len(open_rows) > len(task.new):
            how = "drawn at random" if draw else "made of their pieces"
            said = f"Nothing is known of {len(open_rows):,} of {len(task.new):,} new tokens, which were {how}; are vectors or donor of the tokens' language?"
            report["warnings"] = [said, *report.get("warnings", [])]
        return Blend(**start, mix=mix, output_mix=output_mix, draw=draw, report=report, **parts)


class Anchored(Filling):
    """The base of methods that describe new tokens by shared ones."""

    donor: ModelRef = Field("", description="A model of the target language whose embeddings say what the tokens mean, such as demo:ru-plm.")

    @property
    def name(self) -> str:
        return str(getattr(self, "method", type(self).__name__))

    def opened_donor(self) -> Donor:
        if not self.donor:
            raise WorkbenchError(f"{self.name} needs a donor; give a model of the target language, such as demo:ru-plm.")
        return Donor.open(self.donor)

    def shared(self, task: Task, *knows: np.ndarray) -> np.ndarray:
        """The anchors that are known in all of these (n,) ways. Raises WorkbenchError if there are none."""
        pairs = task.anchors
        for has in knows:
            pairs = pairs[has[pairs[:, 1]]]
        if not len(pairs):
            raise WorkbenchError(
                f"{self.name} describes new tokens by shared ones, but the vocabularies share no token that it knows; use subtokens, or another donor."
            )
        return pairs


class Compared(Anchored):
    """The base of methods that find the shared tokens most like a new one, in word vectors or in the donor's table."""

    vectors: TextRef = Field(
        "", description="Where tokens are compared: a fastText .vec or .bin file, or a text to learn vectors from; empty: the donor's own embeddings."
    )

    def compared_in(self, task: Task, donor: Donor | None) -> Space:
        """The word vectors if they are given, else the donor's table."""
        if self.vectors:
            return token_space(task.target, len(task.kept), self.vectors, task.seed)
        if donor is None:
            raise WorkbenchError(f"{self.name} needs word vectors or a donor; give a .vec or .bin file, a text to learn from, or a model such as demo:ru-plm.")
        rows, has, own = donor.rows(task)
        return Space(rows, has, "the donor's own embeddings", own)


def as_rows(task: Task, rows: np.ndarray, support: Support, columns: np.ndarray, data: np.ndarray) -> scipy.sparse.csr_array:
    """(n, V) CSR: the numbers of a support, its anchors given by their source rows, at the target rows it belongs to (ascending)."""
    from scipy.sparse import csr_array

    sizes = np.zeros(len(task.kept), dtype=np.int64)
    sizes[rows] = support.sizes
    found = csr_array((data.astype(np.float64), columns[support.anchors], np.concatenate([[0], np.cumsum(sizes)])), shape=(len(task.kept), task.rows))
    found.sort_indices()
    return found


def sizes_report(support: Support) -> dict[str, object]:
    """How many anchors the tokens lean on: the median, the 95th percentile, the most, and a histogram as rows."""
    sizes = support.sizes
    if not len(sizes):
        return {}
    edges = [1, 2, 3, 5, 9, 17, 33, 65, 129, 257, 1 << 30]
    bars = [{"k": f"{a}" if b == a + 1 else f"{a}–{b - 1}" if b < 1 << 30 else f"{a}+", "tokens": int(n)} for a, b, n in
            zip(edges[:-1], edges[1:], np.histogram(sizes, edges)[0], strict=True)]  # fmt: skip
    return {"k_median": int(np.median(sizes)), "k_p95": int(np.percentile(sizes, 95)), "k_max_found": int(sizes.max()), "k_histogram": bars}
