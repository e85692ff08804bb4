"""Splice tokens that were made elsewhere into a BPE vocabulary: those of a donor tokenizer, or the words of a list.

A token's text is cut by the merges as they fire now, and the merge that joins the pieces is appended. Appending a donor's own
merges as they are leaves nearly half of its tokens unreachable, because the base cuts their text elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from ..progress import Progress
from .alphabet import MARK, from_letters, runs, show, to_letters
from .base import Base
from .extension import Addition, Extended, Extension, Measure, add_letters, finish
from .filters import Filter
from .learning import go_on
from .loading import load

if TYPE_CHECKING:
    import tokenizers
    from transformers import PreTrainedTokenizerFast

EXAMPLES = 5
WAITING = "more than one merge missing"
NO_ROOM = "no room left"


def splice(
    base: str | Path | PreTrainedTokenizerFast | tokenizers.Tokenizer, donor: str | Path | PreTrainedTokenizerFast | tokenizers.Tokenizer,
    options: Extension | None = None, progress: Progress | None = None, texts: Iterable[str] = (), reference: Iterable[str] = (),
) -> Extended:  # fmt: skip
    """Add the tokens of `donor` (BPE, Unigram or WordPiece, in any alphabet) that the base lacks, in the order of the donor's ids.

    Splicing the same donor twice adds nothing the second time. `texts`: where tokens per word are counted before and after;
    `reference`: as in `extend`. Raises WorkbenchError where the base is no BPE or either cannot be opened.
    """
    from ..vocab import Vocabulary

    found = [(start, raw) for kind, start, raw in Vocabulary(donor).identities().values() if kind == "text"]
    return _add(base, found, options, progress, texts, reference)


def add_words(
    base: str | Path | PreTrainedTokenizerFast | tokenizers.Tokenizer, words: Iterable[str], options: Extension | None = None,
    progress: Progress | None = None, texts: Iterable[str] = (), reference: Iterable[str] = (),
) -> Extended:  # fmt: skip
    """Add each word, as it stands after a space, as one token, first come first. Otherwise like `splice`."""
    found = [(True, word.strip().encode()) for word in words if word.strip()]
    return _add(base, found, options, progress, texts, reference)


def _add(base: object, found: list[tuple[bool, bytes]], options: Extension | None, progress: Progress | None, texts: object, reference: object) -> Extended:
    options, progress = options or Extension(), progress or Progress()
    origin = load(base)
    old = Base(origin.backend_tokenizer)
    measure, texts = Measure(), iter(texts)
    if (first := next(texts, None)) is not None:
        counts, spaced = old.count(chain([first], texts), progress.part(0.0, 0.2))
        measure = Measure(counts, spaced, old.tokens(counts))
    judge = Filter(old.kind, options.script, options.max_length, options.digits)
    splicer = Splicer(old, judge, options)
    splicer.add((written(old, start, raw) for start, raw in found), progress.part(0.2, 0.95))
    return finish(origin, old, splicer.addition, measure, reference)


def written(old: Base, word_start: bool, raw: bytes) -> str:
    """A token in the alphabet of the base's model; byte pieces stand for bytes that a SentencePiece alphabet cannot write otherwise."""
    raw = b" " * word_start + raw
    if old.kind == "byte-level":
        return to_letters(raw)
    return "".join(text.replace(" ", MARK) or "".join(f"<0x{byte:02X}>" for byte in rest) for text, rest in runs(raw))


class Splicer:
    """Adds one token after another to `old`, in such a way that every token added before stays reachable.

    It does: a merge appended later has the lowest priority of all, so that it takes no part in making an earlier token.
    """

    def __init__(self, old: Base, judge: Filter, options: Extension) -> None:
        self.old, self.judge = old, judge
        self.chain = options.missing == "chain"
        self.room = 1_000_000 if options.new_tokens is None else options.new_tokens
        self.addition = Addition()
        self.known: dict[str, int] = old.spec["model"]["vocab"].copy()
        self.asked: set[str] = set()
        self.letters: dict[str, int] = {}  # that the base lacks and some piece has; with the ids they have meanwhile
        self.used: set[str] = set()  # of the letters, those in a token that was added
        self.order: dict[tuple[int, int], tuple[int, int]] = {}  # new merges: pair → (rank, product)

    def add(self, pieces: Iterable[str], progress: Progress) -> None:
        """Add every piece that passes; the addition then says what was added, and what was not and why."""
        wanted = [piece for piece in dict.fromkeys(pieces) if self._passes(piece)]
        self.asked.update(wanted)
        if self.old.kind != "byte-level":
            self._lacking(wanted)
        self.text = {i: token for token, i in self.known.items()}
        left = len(wanted) + 1
        while wanted and len(wanted) < left:
            # Where only single merges may be added, a token that waits for a part finds it once the part was added after it.
            left = len(wanted)
            waiting = [(piece, reason) for piece in progress.track(wanted, left, "splicing tokens") if (reason := self._splice(piece))]
            wanted = [piece for piece, reason in waiting if reason == WAITING]
            for piece, reason in waiting:
                if reason != WAITING or len(wanted) == left:
                    self._refuse(piece, reason)
        self._settle()

    def _passes(self, piece: str) -> bool:
        if piece in self.known:
            return False
        reason = self.judge.reason(piece) or ("" if self._in_one_word(piece) else "never in one word of the base")
        if reason:
            self._refuse(piece, reason)
        return not reason

    def _in_one_word(self, piece: str) -> bool:
        """Whether some text gives the base's model this piece inside one word; else the normaliser or pre-tokenizer always cuts it, and no text has it."""
        text = "".join(text for text, _ in runs(self._raw(piece)))
        inside = to_letters(text.encode()) if self.old.kind == "byte-level" else text.replace(" ", MARK)
        return any(inside in word for before in ("", "a", "1", ".") for word in self.old.words(before + text))

    def _lacking(self, wanted: list[str]) -> None:
        """Let the base's model know the letters that it lacks, so that pieces with them can be cut."""
        letters = add_letters(self.old, [c for piece in wanted for c in self.judge.letters(piece) if c not in self.known])
        self.letters = {letter: self.old.rows + k for k, letter in enumerate(letters)}
        self.known |= self.letters

    def _settle(self) -> None:
        """Give up the letters that no added token has, and close the gaps in the ids."""
        vocab = self.old.spec["model"]["vocab"]
        self.addition.letters = [letter for letter in self.letters if letter in self.used]
        place = {self.letters[letter]: self.old.rows + k for k, letter in enumerate(self.addition.letters)}
        place |= {i: self.old.rows + len(place) + k for k, (_, _, i) in enumerate(self.addition.merges)}
        self.addition.merges = [tuple(place.get(i, i) for i in merge) for merge in self.addition.merges]
        for letter, i in self.letters.items():
            vocab.pop(letter)
            if letter in self.used:
                vocab[letter] = place[i]

    def _splice(self, piece: str) -> str:
        """Add one piece, or say why not."""
        if piece in self.known and piece not in self.letters:
            return ""
        ids = self._cut(piece)
        if "".join(self.text[i] for i in ids) != piece:
            return "a character that the base writes in bytes, or not at all"
        if len(ids) > 2 and not self.chain:
            return WAITING
        letters = self.letters.keys() & set(piece) - self.used
        if len(self.used) + len(self.order) + len(letters) + len(ids) - 1 > self.room:
            return NO_ROOM
        while len(ids) > 1:
            pair = next(self._joins(ids), None)
            if pair is None:
                return "no reachable token between"
            self._merge(*pair)
            ids = self._cut(piece)
        self.used |= letters
        return ""

    def _joins(self, ids: list[int]) -> Iterator[tuple[int, int]]:
        """Pairs that may be joined, best first: those whose product is asked for itself, then from the left. No old token is made in a new way."""
        new = [pair for pair in pairwise(ids) if self._product(pair) not in self.known and not self.judge.reason(self._product(pair))]
        yield from sorted((pair for pair in new if self._cut(self._product(pair)) == [*pair]), key=lambda pair: self._product(pair) not in self.asked)

    def _product(self, pair: tuple[int, int]) -> str:
        return self.text[pair[0]] + self.text[pair[1]]

    def _merge(self, left: int, right: int) -> None:
        product = self._product((left, right))
        i = self.known[product] = self.old.rows + len(self.letters) + len(self.order)
        self.text[i] = product
        self.order[left, right] = (len(self.order), i)
        self.used |= self.letters.keys() & set(product)
        self.addition.between += product not in self.asked
        self.addition.merges.append((left, right, i))

    def _cut(self, text: str) -> list[int]:
        return go_on(self.old.cut(text), self.order)

    def _refuse(self, piece: str, reason: str) -> None:
        self.addition.rejected[reason] += 1
        examples = self.addition.examples.setdefault(reason, [])
        if len(examples) < EXAMPLES:
            examples.append(show(self._raw(piece)))

    def _raw(self, piece: str) -> bytes:
        raw = from_letters(piece) if self.old.kind == "byte-level" else None
        return piece.replace(MARK, " ").encode() if raw is None else raw
