"""The life of one token: what it stands for, how it is made, what it was before, how often it is used."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from ..errors import WorkbenchError
from .alphabet import runs
from .comparison import Comparison, compare, scripts
from .engines import Merges, Node, Piece, Scores
from .tracing import Tracer

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedTokenizerFast

    from ..vocab import Vocabulary

DOCUMENTS = 1_000  # of the text sample that are read
RELATIVES = 40
Made = Literal["alphabet", "merged", "score", "listed", "byte", "special", "added", "unreachable"]


@dataclass(frozen=True)
class Before:
    """What an older vocabulary had instead."""

    id: int | None  # of the same token there; None where it is new
    pieces: tuple[Piece, ...]  # how the older tokenizer cuts its bytes


@dataclass(frozen=True)
class Usage:
    """How often a token occurs in a text sample."""

    count: int
    tokens: int
    documents: int

    @property
    def share(self) -> float:
        return self.count / max(self.tokens, 1)


@dataclass(frozen=True)
class Biography:
    """`made`: of the "alphabet" merging starts from, "merged" (see `tree`), chosen by its "score" (Unigram), "listed" (WordPiece and words), a "byte"
    piece, "special", "added" beside the model, or "unreachable": the model makes something else of its own string.
    """

    id: int
    token: str  # as the vocabulary writes it
    shown: str
    bytes: bytes
    code_points: tuple[str, ...]  # "U+043C CYRILLIC SMALL LETTER EM"; none for bytes that are no whole character
    kind: str
    word_start: bool
    scripts: tuple[str, ...]
    made: Made
    tree: Node | None  # the merges that make it
    score: float | None  # natural logarithm of its probability in a Unigram model
    used_in: tuple[Piece, ...]  # tokens that a merge makes with it; without merges, longer tokens that contain it
    used_in_count: int
    before: Before | None
    usage: Usage | None

    @property
    def rank(self) -> int | None:
        """The place of its own merge in the list, 0 first."""
        return self.tree.rank if self.tree else None


def biography(
    tokenizer: str | Path | PreTrainedTokenizerFast | Tracer, token: str | int, base: Comparison | str | Path | PreTrainedTokenizerFast | None = None,
    texts: Iterable[str] | None = None,
) -> Biography:  # fmt: skip
    """Everything the files say about one token, given by id, as its text (a space in front where it starts a word), or in the tokenizer's alphabet.

    `base`: an older tokenizer to see it against (or the comparison with it, where it is there already); `texts`: a sample to count it in, of which
    1,000 documents are read.
    Raises WorkbenchError where there is no such token.
    """
    tracer = tokenizer if isinstance(tokenizer, Tracer) else Tracer(tokenizer)
    vocabulary = tracer.vocabulary
    i = vocabulary.find(token)
    identity, piece = vocabulary.identity(i), tracer.piece(i)
    raw = b" " * (identity.word_start and vocabulary.spelling.kind != "wordpiece") + identity.bytes
    made, tree = _made(tracer, i, identity.kind)
    family = _family(tracer, vocabulary, i)
    return Biography(
        id=i, token=vocabulary.token(i), shown=piece.shown, bytes=raw, code_points=tuple(_code_points(raw)), kind=identity.kind,
        word_start=identity.word_start, scripts=scripts(identity), made=made, tree=tree,
        score=tracer.engine.scores[i] if made == "score" and isinstance(tracer.engine, Scores) else None,
        used_in=tuple(map(tracer.piece, family[:RELATIVES])), used_in_count=len(family),
        before=_before(vocabulary, i, base) if base is not None else None, usage=_usage(tracer, i, texts) if texts is not None else None,
    )  # fmt: skip


def _made(tracer: Tracer, i: int, kind: str) -> tuple[Made, Node | None]:
    if kind == "special":
        return "special", None
    if i in tracer.spelling.added:
        return "added", None
    if kind == "byte":
        return "byte", None
    written = tracer.tokens[i]
    if isinstance(tracer.engine, Merges):
        nodes = tracer.engine.merged(written)
        if len(nodes) > 1 or nodes[0].piece.id != i:
            return "unreachable", None
        return ("merged" if nodes[0].parts else "alphabet"), nodes[0]
    if isinstance(tracer.engine, Scores):
        return "score", None
    return "listed", None


def _family(tracer: Tracer, vocabulary: Vocabulary, i: int) -> list[int]:
    if isinstance(tracer.engine, Merges):
        return tracer.engine.products(i)
    identity = vocabulary.identity(i)
    if identity.kind != "text" or not identity.bytes:
        return []
    longer = vocabulary.identities().items()
    return [j for j, other in longer if other.kind == "text" and len(other.bytes) > len(identity.bytes) and identity.bytes in other.bytes]


def _before(vocabulary: Vocabulary, i: int, base: Any) -> Before:
    found = base if isinstance(base, Comparison) else compare(vocabulary, base)
    older = found.base
    pieces = [(j, older.identity(j)) for j in older.pieces(vocabulary.identity(i))]
    return Before(found.kept.get(i), tuple(Piece(j, older.printable(j), was.kind, was.bytes) for j, was in pieces))


def _usage(tracer: Tracer, i: int, texts: Iterable[str]) -> Usage:
    if isinstance(texts, str):
        raise WorkbenchError("The sample must be several texts, not one string; put it into a list.")
    sample = list(islice(texts, DOCUMENTS))
    encoded = tracer.backend.encode_batch_fast(sample, add_special_tokens=False)
    return Usage(sum(e.ids.count(i) for e in encoded), sum(len(e.ids) for e in encoded), len(sample))


def _code_points(raw: bytes) -> Iterable[str]:
    for text, _ in runs(raw):
        yield from (f"U+{ord(c):04X} {unicodedata.name(c, 'control character' if unicodedata.category(c) == 'Cc' else 'no name')}" for c in text)
