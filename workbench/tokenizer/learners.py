"""The trainers of the tokenizers and sentencepiece libraries, made to give the same tokens every time and none that are dead."""

from __future__ import annotations

import io
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..errors import RunFailed
from ..progress import Progress
from .alphabet import MARK, Kind, from_letters, runs
from .base import cutter

BATCH = 1000  # occurrences of one word handed to the library at once
BEAT = 0.5  # seconds between two signs of life while it works
_UNREADABLE = re.compile("[\t\n\r\0\u2585]+")  # in a list of words; the last stands for the unknown in sentencepiece


@dataclass(frozen=True)
class Wanted:
    """What is to be learned, beyond the letters."""

    tokens: int
    letters: tuple[str, ...]  # each a token, whatever happens
    reserved: frozenset[str]  # strings that no learned token may be: specials and byte pieces
    kind: Kind
    max_length: int  # characters, without the space in front
    min_frequency: int

    def fits(self, piece: str) -> bool:
        return piece not in self.reserved and length(piece, self.kind) <= self.max_length

    @property
    def longest(self) -> int:
        """Letters of the model's alphabet that `max_length` characters may take."""
        return 1 + self.max_length * (4 if self.kind == "byte-level" else 1)


@dataclass(frozen=True)
class Learned:
    """Tokens in the order of their ids: those of BPE with their merges, those of Unigram with their scores (log-probabilities)."""

    pieces: list[str]
    merges: list[tuple[str, str]]
    scores: dict[str, float]


def length(piece: str, kind: Kind) -> int:
    """Characters, and bytes that are no whole character, without the space in front."""
    if kind == "metaspace":
        return len(piece.removeprefix(MARK))
    return sum(len(text) + len(rest) for text, rest in runs((from_letters(piece) or b"").removeprefix(b" ")))


def learn_bpe(counts: Counter[str], wanted: Wanted, progress: Progress) -> Learned:
    """The library's BPE, without products that are too long, reserved, or not what their own string is cut into (runs of one letter)."""
    import tokenizers
    from tokenizers import models, pre_tokenizers, trainers

    def train(tokens: int) -> tuple[list[str], Any]:
        backend = tokenizers.Tokenizer(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.CharDelimiterSplit(" ")  # no word has one: ▁ or Ġ stands for it
        trainer = trainers.BpeTrainer(
            vocab_size=len(wanted.letters) + tokens, min_frequency=wanted.min_frequency, show_progress=False, initial_alphabet=list(wanted.letters),
            max_token_length=wanted.longest,
        )  # fmt: skip
        waiting(lambda: backend.train_from_iterator(_repeated(counts), trainer), progress)
        model = json.loads(backend.to_str())["model"]
        merges = _sound(model["merges"], wanted)
        return list(dict.fromkeys(left + right for left, right in merges)), (merges, len(model["vocab"]) < len(wanted.letters) + tokens)

    pieces, merges = _enough(train, wanted.tokens)
    kept = {*wanted.letters, *pieces}
    return Learned(pieces, [(left, right) for left, right in merges if {left, right, left + right} <= kept], {})


def learn_unigram(counts: Counter[str], wanted: Wanted, progress: Progress) -> Learned:
    """The Unigram of the sentencepiece library (Kudo 2018, arXiv 1804.10959), on one thread, without pieces that are too long, reserved, rare or dead.

    It is not the one of the tokenizers library, which sums its scores in the order of a hash drawn anew in each process, so that no two results
    are equal, and which knows every word once: what is part of no other word cannot become a token, however frequent. With 32 000 tokens from a Russian
    novel it needs 2.34 tokens per word on FLORES, or 2.20 with the remedy of `_lines`; this one needs 2.12 (and 2.10 on the plain lines of the text).
    """
    import sentencepiece
    from sentencepiece.sentencepiece_model_pb2 import ModelProto

    def train(tokens: int) -> tuple[list[str], Any]:
        file, asked = io.BytesIO(), len(wanted.letters) + tokens + 1
        work = partial(
            sentencepiece.SentencePieceTrainer.train, sentence_iterator=_lines(counts), model_writer=file, input_format="tsv", model_type="unigram",
            vocab_size=asked, hard_vocab_limit=False, max_sentencepiece_length=wanted.longest, character_coverage=1.0, num_threads=1, minloglevel=3,
            normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=False, allow_whitespace_only_pieces=True,
            split_by_unicode_script=False, split_by_number=False, split_digits=False, unk_id=0, bos_id=-1, eos_id=-1, pad_id=-1,
        )  # fmt: skip
        waiting(work, progress)
        found = ModelProto.FromString(file.getvalue()).pieces
        letters = set(wanted.letters)
        scores = {p.piece: p.score for p in found if p.type == p.NORMAL and (p.piece in letters or (len(p.piece) > 1 and wanted.fits(p.piece)))}
        low = min(scores.values(), default=-1.0)
        scores = _used(dict.fromkeys(wanted.letters, low) | scores, counts, wanted, progress)
        return sorted(scores.keys() - letters, key=lambda piece: (-scores[piece], piece)), (scores, len(found) < asked)

    learned, scores = _enough(train, wanted.tokens)
    pieces = sorted([*learned, *wanted.letters], key=lambda piece: (-scores[piece], piece))
    return Learned(pieces, [], scores)


def _lines(counts: Counter[str]) -> Iterator[str]:
    """Words and counts in an order that is always the same; those that occur twice or more on two lines, once with something after them.

    Candidates are the strings that occur twice before different characters: a frequent word must do so, although it is listed and not in a text.
    """
    for word, count in sorted(counts.items()):
        for part in _UNREADABLE.split(word):
            if part and count > 1:
                yield f"{part}{MARK}\t1"
            if part:
                yield f"{part}\t{max(count - 1, 1)}"


def _used(scores: dict[str, float], counts: Counter[str], wanted: Wanted, progress: Progress) -> dict[str, float]:
    """The pieces that are in the best cut of their own string and of enough words; letters always."""
    from tokenizers.models import Unigram

    model, found = Unigram(sorted(scores.items()), None), Counter[str]()
    for word, count in progress.track(counts.items(), len(counts), "counting what is used"):
        for token in model.tokenize(word):
            found[token.value] += count
    letters = set(wanted.letters)
    kept = [piece for piece in scores if piece in letters or found[piece] >= wanted.min_frequency]
    return {piece: scores[piece] for piece in kept if [token.value for token in model.tokenize(piece)] == [piece]}


def waiting(work: Callable[[], object], progress: Progress) -> None:
    """Do the work of a library in a thread, with a sign of life every half second. A stop leaves the thread to itself; what it raises is RunFailed."""
    failed: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:  # whatever it is, the thread that waits tells of it
            failed.append(error)

    thread, start = threading.Thread(target=guarded, daemon=True), time.monotonic()
    thread.start()
    while thread.is_alive():
        spent = time.monotonic() - start
        progress.at(1 - 1 / (1 + spent / 30), f"training, {spent:.0f} s")
        thread.join(BEAT)
    progress.check()
    if failed:
        raise RunFailed(f"The library could not learn from this text ({str(failed[0]).rstrip('.')}); give more, or more varied, text.") from failed[0]


def _repeated(counts: Counter[str]) -> Iterator[str]:
    for word, count in sorted(counts.items()):
        for start in range(0, count, BATCH):
            yield " ".join([word] * min(BATCH, count - start))


def _enough(train: Callable[[int], tuple[list[str], Any]], tokens: int) -> tuple[list[str], Any]:
    """Ask for some more than wanted, as some will not do; for yet more if too few are left, unless the text has no more."""
    surplus = tokens // 50 + 64
    while True:
        pieces, (rest, exhausted) = train(tokens + surplus)
        if len(pieces) >= tokens or exhausted:
            return pieces[:tokens], rest
        surplus *= 4


def _sound(merges: list[Any], wanted: Wanted) -> list[tuple[str, str]]:
    """The merges whose products will do, and are made of such; none whose product is dead."""
    refused: set[str] = set()
    while True:
        kept: list[tuple[str, str]] = []
        ids = {piece: i for i, piece in enumerate(wanted.letters)}
        for left, right in merges:
            product = left + right
            if left in ids and right in ids and product not in refused and wanted.fits(product):
                ids.setdefault(product, len(ids))
                kept.append((left, right))
        model = cutter({"vocab": ids, "merges": kept})
        dead = {piece for piece, i in ids.items() if [token.id for token in model.tokenize(piece)] != [i]}
        if not dead:
            return kept
        refused |= dead
